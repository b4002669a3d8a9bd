//! One question about one person (`tsunagi ask`), and its answer for people. Judges nothing and adds nothing: what is
//! shown is what the answer's body holds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::cbor;
use protocol::code::care_level::CareLevel;
use protocol::code::field_group::FieldGroups;
use protocol::code::job::Job;
use protocol::code::purpose::Purpose;
use protocol::code::record_kind::RecordKind;
use protocol::code::service::ServiceKind;
use protocol::date::Date;
use protocol::message::{Access, Body, Outcome};
use protocol::record::disclosure::{Content, Shown};
use protocol::record::form::{Field, FieldType};
use protocol::record::forms;
use protocol::record::value::{Fields, Value as Held};
use protocol::record::version::Status;
use serde_json::{Value, json};

use crate::line::Line;
use crate::message::{Code, Report, Trouble, moment};

/// What is asked, as typed.
#[derive(Clone, Debug)]
pub struct Question {
    /// Which seat of the node asks; its first if none.
    pub seat: Option<String>,
    /// The member of staff.
    pub staff: String,
    /// In which job.
    pub job: String,
    /// What for.
    pub purpose: String,
    /// Insurer number and insured number, or the medical-insurance handle.
    pub person: Person,
    /// Which kinds of records.
    pub kinds: Vec<String>,
    /// In force on which day.
    pub valid_on: Option<String>,
    /// Who looked at the person, instead of records.
    pub history: bool,
}

/// Whom it is about.
#[derive(Clone)]
pub enum Person {
    /// Insurer number and insured number.
    Care(String, String),
    /// The medical-insurance handle.
    Medical(String),
}

impl core::fmt::Debug for Person {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Question {
    /// The body of `POST /v1/ask`.
    ///
    /// # Errors
    /// [`Code::Usage`] naming the words that are taken, for a word that is not.
    pub fn to_json(&self) -> Result<Value, Trouble> {
        let usage = |word: &str, known: Vec<&str>| Trouble::new(Code::Usage, format!("{word}: {}", known.join(", ")));
        if Job::parse(&self.job).is_none() {
            return Err(usage("--job", Job::ALL.iter().map(|job| job.as_str()).collect()));
        }
        if Purpose::parse(&self.purpose).is_none() {
            return Err(usage("--purpose", Purpose::ALL.iter().map(|purpose| purpose.as_str()).collect()));
        }
        let kinds = || RecordKind::ALL.iter().map(|kind| kind.as_str()).collect();
        let has_unknown = self.kinds.iter().any(|kind| RecordKind::parse(kind).is_none());
        if has_unknown || self.kinds.is_empty() != self.history {
            return Err(usage("--kind (または --history)", kinds()));
        }
        if self.valid_on.as_ref().is_some_and(|day| Date::parse(day).is_none()) {
            return Err(usage("--valid-on", vec!["YYYY-MM-DD"]));
        }
        let person = match &self.person {
            Person::Care(insurer, insured) => json!({ "insurer": insurer, "insured": insured }),
            Person::Medical(handle) => json!({ "medical": handle }),
        };
        Ok(json!({ "seat": self.seat, "staff": { "id": self.staff, "job": self.job }, "purpose": self.purpose,
            "person": person, "kinds": self.kinds, "valid_on": self.valid_on, "history": self.history }))
    }
}

/// Asks and tells the answer. Good only if it was answered.
///
/// # Errors
/// [`Code::Usage`]; [`Code::Refused`] if the node did not take the question at all.
pub fn ask(line: &Line, question: &Question) -> Result<Report, Trouble> {
    let answer = line.ask(&question.to_json()?).map_err(|why| Trouble::new(Code::Refused, why))?;
    let text = tell(&answer)?;
    let good = answer.get("outcome").and_then(Value::as_str) == Some("answered");
    Ok(Report { text, data: answer, good })
}

/// An answer of `/v1/ask` for people.
///
/// # Errors
/// [`Code::Malformed`] if it is none.
pub fn tell(answer: &Value) -> Result<String, Trouble> {
    let malformed = |what: &str| Trouble::new(Code::Malformed, what);
    let text = |path: &str| answer.pointer(path).and_then(Value::as_str);
    if let Some(failure) = answer.get("failure") {
        let word = |name: &str| failure.get(name).and_then(Value::as_str).unwrap_or_default();
        return Ok(format!("結果: 失敗 {} {}\n  {}", word("code"), word("message_ja"), word("detail")));
    }
    let body = text("/receipt/body").and_then(|body| STANDARD.decode(body).ok());
    let body: Body = body.and_then(|body| cbor::decode(&body).ok()).ok_or_else(|| malformed("/receipt/body"))?;
    let mut lines = Lines(Vec::new());
    match &body.outcome {
        Outcome::Refused(told) => lines.add(0, &format!("結果: 拒否 ({})", told.as_str())),
        Outcome::Records(_) | Outcome::History(..) => lines.add(0, "結果: 答え"),
        _ => lines.add(0, "結果: 受付"),
    }
    lines.add(0, &format!("答えた組織: {}", body.responder));
    lines.add(0, &format!("決定: {}", moment(body.decided)));
    match &body.outcome {
        Outcome::Records(contents) => {
            for bytes in contents {
                let content = Content::decode(bytes).map_err(|_fault| malformed("records"))?;
                lines.add_content(&content);
            }
        }
        Outcome::History(looks, _proof) => {
            lines.add(0, &format!("閲覧履歴: {} 件", looks.len()));
            looks.iter().for_each(|look| lines.add(1, &look_text(look)));
        }
        _ => {}
    }
    let number = |path: &str| answer.pointer(path).and_then(Value::as_u64);
    if let (Some(leaf), Some(own)) = (number("/receipt/leaf"), number("/receipt/own_leaf")) {
        lines.add(0, &format!("受領証: {} の台帳の {leaf} 番、こちらの台帳の {own} 番", body.responder));
    } else if let Some(leaf) = number("/receipt/leaf") {
        lines.add(0, &format!("受領証: {} の台帳の {leaf} 番", body.responder));
    }
    Ok(lines.0.join("\n"))
}

/// Lines, each indented by its depth.
struct Lines(Vec<String>);

impl Lines {
    fn add(&mut self, depth: usize, text: &str) {
        self.0.push(format!("{}{text}", "  ".repeat(depth)));
    }

    fn add_content(&mut self, content: &Content) {
        let day = content.as_of().valid_on.to_japanese();
        self.add(0, "");
        self.add(0, &format!("■ {} ({day}に有効なもの {} 件)", content.kind().japanese(), content.versions().len()));
        for version in content.versions() {
            self.add_version(content, version);
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

    fn add_fields(&mut self, depth: usize, form: &'static [Field], held: &Fields, shown: FieldGroups) {
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

fn look_text(look: &Access) -> String {
    let kinds: Vec<_> = look.kinds.iter().map(|kind| kind.japanese()).collect();
    let ended = if look.refused { "拒否" } else { "答え" };
    format!(
        "{} {} {} ({}) {} {} {ended} 葉 {}",
        moment(look.at),
        look.party,
        look.staff.id,
        look.staff.job.japanese(),
        look.purpose.japanese(),
        kinds.join("、"),
        look.leaf
    )
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
    use protocol::record::Record;

    fn lines(kind: RecordKind, shown: FieldGroups) -> String {
        let form = forms::form(kind);
        let record = Record::from_json(kind, form.example).unwrap().mask(shown);
        let mut lines = Lines(Vec::new());
        lines.add_fields(0, form.fields, record.fields(), shown);
        lines.0.join("\n")
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
    fn what_is_masked_is_said_and_not_shown() {
        let shown: FieldGroups = FieldGroup::ALL.into_iter().filter(|group| *group != FieldGroup::Contact).collect();
        let text = lines(RecordKind::InsuranceCard, shown);
        assert!(text.contains("(伏せています — 連絡先)"), "{text}");
    }

    #[test]
    fn a_wrong_word_is_answered_with_those_that_are_taken() {
        let mut question = Question {
            seat: None,
            staff: "s".to_owned(),
            job: "care-manager".to_owned(),
            purpose: "care-planning".to_owned(),
            person: Person::Medical("x".to_owned()),
            kinds: vec!["insurance-card".to_owned()],
            valid_on: None,
            history: false,
        };
        assert!(question.to_json().is_ok());
        question.job = "spy".to_owned();
        assert!(question.to_json().unwrap_err().detail.contains("care-manager"));
        question.job = "care-manager".to_owned();
        question.kinds.clear();
        assert!(question.to_json().unwrap_err().detail.contains("insurance-card"));
    }
}
