//! The telling of records (読み上げ): their fields in Japanese, with days by era and codes by their meaning. Judges nothing:
//! what is hidden was hidden before.

use protocol::code::care_level::CareLevel;
use protocol::code::field_group::FieldGroups;
use protocol::code::service::ServiceKind;
use protocol::date::Date;
use protocol::record::disclosure::{Content, Shown};
use protocol::record::form::{Field, FieldType};
use protocol::record::forms;
use protocol::record::value::{Fields, Value as Held};
use protocol::record::version::Status;

use crate::message::moment;

/// Lines, each indented by its depth.
#[derive(Debug, Default)]
pub(crate) struct Lines(Vec<String>);

impl Lines {
    /// The lines, one below the other.
    pub(crate) fn text(&self) -> String {
        self.0.join("\n")
    }

    /// One more line.
    pub(crate) fn add(&mut self, depth: usize, text: &str) {
        self.0.push(format!("{}{}", "  ".repeat(depth), printable(text)));
    }

    /// Everything of one kind that an answer shows.
    pub(crate) fn add_content(&mut self, content: &Content) {
        let day = content.as_of().valid_on.to_japanese();
        self.add(0, "");
        let which =
            if content.is_history() { "これまでの版".to_owned() } else { format!("{day}に有効なもの") };
        self.add(0, &format!("■ {} ({which} {} 件)", content.kind().japanese(), content.versions().len()));
        for version in content.versions() {
            self.add_version(content, version);
        }
        if content.left_out() > 0 {
            let told = "件は、答えに収まらず省かれている(始まりの古いもの)。種類を一つにするか、日を指定して照会し直す";
            self.add(1, &format!("● ほかに {} {told}", content.left_out()));
        }
        if content.withheld() > 0 {
            self.add(1, &format!("● ほかに {} 版あったが、内容は消去されている", content.withheld()));
        }
    }

    fn add_version(&mut self, content: &Content, version: &Shown) {
        let until = version.valid_to.map_or_else(|| "(終わりなし)".to_owned(), Date::to_japanese);
        let author = version.author.as_ref().map_or_else(|| "(伏せています)".to_owned(), ToString::to_string);
        self.add(1, &format!("● {}〜{until}", version.valid_from.to_japanese()));
        let status = status(version.status);
        self.add(2, &format!("第 {} 版({status})、{author} が {} に記録", version.number, moment(version.recorded_at)));
        let fields = forms::form(content.kind()).fields;
        self.add_fields(2, fields, version.record.fields(), content.shown());
    }

    /// The fields that are there, by the names on the paper; of those that are hidden, that they are.
    pub(crate) fn add_fields(&mut self, depth: usize, form: &'static [Field], held: &Fields, shown: FieldGroups) {
        for field in form {
            if !shown.contains(field.group) {
                self.add(depth, &format!("{}: (伏せています — {})", field.japanese, field.group.japanese()));
                continue;
            }
            match held.value(field.name) {
                None => {}
                Some(Held::List(items)) => {
                    for (number, item) in (1_usize..).zip(items) {
                        self.add(depth, &format!("{} {number}:", field.japanese));
                        self.add_fields(depth.saturating_add(1), field.inner(), item, shown);
                    }
                }
                Some(Held::Group(inner)) => {
                    self.add(depth, &format!("{}:", field.japanese));
                    self.add_fields(depth.saturating_add(1), field.inner(), inner, shown);
                }
                Some(plain) => {
                    let text = plain_text(&field.what, plain);
                    // A text of several lines stays under its label.
                    let text = text.replace('\n', &format!("\n{}", "  ".repeat(depth.saturating_add(1))));
                    self.add(depth, &format!("{}: {text}", field.japanese));
                }
            }
        }
        for (name, value) in held.iter() {
            if let Held::Foreign(text) = value {
                self.add(depth, &format!("{name}: {text}"));
            }
        }
    }
}

/// Without what would steer a terminal, or turn the line round: nobody may make up what stands beside it.
fn printable(text: &str) -> String {
    let steers = |letter: char| {
        let turns = matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        letter.is_control() && letter != '\n' || turns
    };
    text.chars().map(|letter| if steers(letter) { '\u{fffd}' } else { letter }).collect()
}

fn plain_text(what: &FieldType, held: &Held) -> String {
    match held {
        Held::Text(text) => word(what, text),
        Held::Integer(tenths) if matches!(what, FieldType::Tenths { .. }) => format!("{}.{}", tenths / 10, tenths % 10),
        Held::Integer(number) => number.to_string(),
        Held::Flag(flag) => if *flag { "はい" } else { "いいえ" }.to_owned(),
        Held::Date(day) => day.to_japanese(),
        Held::Month(month) => {
            let day = month.first_day().to_japanese();
            day.strip_suffix("1日").map_or_else(|| day.clone(), str::to_owned)
        }
        Held::Codes(codes) => codes.iter().map(|code| word(what, code)).collect::<Vec<_>>().join("、"),
        Held::Foreign(text) => text.clone(),
        // Told with their own lines.
        Held::List(_) | Held::Group(_) => String::new(),
    }
}

/// What a code means, with the code where the meaning alone could be mistaken.
fn word(what: &FieldType, text: &str) -> String {
    let named = match what {
        FieldType::Code(set) | FieldType::Codes(set) => set.japanese(text),
        FieldType::CareLevel => CareLevel::parse(text).map(CareLevel::japanese),
        FieldType::ServiceKind => ServiceKind::parse(text).map(ServiceKind::japanese),
        FieldType::TimeOfDay if text == "9999" => Some("(記載なし)"),
        FieldType::TimeOfDay => {
            return text.split_at_checked(2).map_or_else(|| text.to_owned(), |(h, m)| format!("{h}時{m}分"));
        }
        FieldType::PostalCode => {
            return text.split_at_checked(3).map_or_else(|| text.to_owned(), |(a, b)| format!("〒{a}-{b}"));
        }
        _ => None,
    };
    named.map_or_else(|| text.to_owned(), str::to_owned)
}

const fn status(status: Status) -> &'static str {
    match status {
        Status::Draft => "作成中",
        Status::Final => "確定",
        Status::Amended => "訂正",
        Status::Cancelled => "取消",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::code::field_group::FieldGroup;
    use protocol::code::record_kind::RecordKind;
    use protocol::record::Record;

    fn lines(kind: RecordKind, shown: FieldGroups) -> String {
        let form = forms::form(kind);
        let record = Record::from_json(kind, form.example).unwrap().mask(shown);
        let mut lines = Lines::default();
        lines.add_fields(0, form.fields, record.fields(), shown);
        lines.text()
    }

    #[test]
    fn every_field_of_every_kind_is_told_by_its_japanese_name() {
        for kind in RecordKind::ALL {
            let text = lines(kind, FieldGroups::ALL);
            let record = Record::from_json(kind, forms::form(kind).example).unwrap();
            for field in forms::form(kind).fields.iter().filter(|field| record.fields().value(field.name).is_some()) {
                assert!(text.contains(field.japanese), "{kind:?} {}", field.name);
            }
            assert!(!text.contains("伏せて"), "{text}");
        }
    }

    #[test]
    fn nothing_in_a_record_steers_the_terminal() {
        let mut lines = Lines::default();
        lines.add(1, "氏名: 繋\u{2028}フリガナ: 偽\u{9b}31m\u{202e}");
        assert_eq!(lines.text(), "  氏名: 繋\u{fffd}フリガナ: 偽\u{fffd}31m\u{fffd}");
    }

    #[test]
    fn what_is_masked_is_said_and_not_shown() {
        let shown: FieldGroups = FieldGroup::ALL.into_iter().filter(|group| *group != FieldGroup::Contact).collect();
        let text = lines(RecordKind::InsuranceCard, shown);
        assert!(text.contains("(伏せています — 連絡先)"), "{text}");
    }
}
