//! The page of all kinds of records (記録の一覧): fields, codes, rules, and who sees what, from the forms and the policy
//! themselves. Works without scripts and without a network; holds no record of anybody.

use protocol::code::care_level::CareLevel;
use protocol::code::field_group::{FieldGroup, FieldGroups};
use protocol::code::job::Job;
use protocol::code::purpose::Purpose;
use protocol::code::record_kind::RecordKind;
use protocol::code::service::ServiceKind;
use protocol::fact::Nature;
use protocol::fact::vector::{ConsentState, Facts, ProtectionState, ServiceClass};
use protocol::id::party::PartyKind;
use protocol::policy::judge::Judge;
use protocol::record::canonical::RECORD_BYTES_MAX;
use protocol::record::check::UNKNOWN_NAME_BYTES_MAX;
use protocol::record::code_set::CodeSet;
use protocol::record::form::{Field, FieldType, Form};
use protocol::record::forms::form;
use protocol::record::json::NESTING_MAX;

/// Who asks, in the eyes of the table, and what is known of them.
struct Asker {
    japanese: &'static str,
    facts: Facts,
}

const STYLE: &str = "body{font:16px/1.6 system-ui,sans-serif;max-width:70rem;margin:auto;padding:1rem;color:#222;\
background:#fff}table{border-collapse:collapse;width:100%;margin:.5rem 0 1rem}th,td{border:1px solid #bbb;padding:.25rem \
.5rem;text-align:left;vertical-align:top}th{background:#eef3f7}code{font-size:.9em}nav ul{columns:2}.depth1{padding-left:\
1.5rem}.depth2{padding-left:3rem}.depth3{padding-left:4.5rem}.depth4{padding-left:6rem}summary{cursor:pointer}@media \
print{details{display:block}nav{display:none}}";

/// What holds for records of every kind.
fn bounds() -> String {
    let bytes = RECORD_BYTES_MAX;
    format!(
        "<p>どの種類でも: 一件は JSON でも保管の形でも {bytes} バイトまで、入れ子は {NESTING_MAX} 段まで、同じ名前の項目は一度だけ。様式にない項目は\
         (名前は {UNKNOWN_NAME_BYTES_MAX} バイトまで)調べずにそのまま保管し、すべての項目群を見られる人にだけ渡します。氏名などの文字は\
         正規化しません(異体字セレクター、私用領域の文字もそのまま)。文字の項目には、目に見える文字が一つ以上要り、制御文字は改行とタブだけです。\
         十二桁の個人番号と読めるものがあれば、記録全体を受け付けません。 / Of every kind: at most {bytes} bytes, {NESTING_MAX} levels, no \
         name twice. Fields that no form has are kept and handed on as they come, to whoever may see all groups. Text is never \
         normalised; something of it must be visible, and its only control characters are tabs and line ends. A record with what \
         reads as an individual number is refused.</p>\n"
    )
}

/// The whole page.
pub fn page() -> String {
    let items: String = RecordKind::ALL
        .iter()
        .map(|kind| format!("<li><a href=\"#{}\">{}</a> <code>{kind}</code></li>\n", kind.as_str(), kind.japanese()))
        .collect();
    let kinds: String = RecordKind::ALL.iter().map(|kind| section(form(*kind))).collect();
    let bounds = bounds();
    format!(
        "<!doctype html>\n<html lang=\"ja\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width\">\n<title>繋 — 記録の一覧</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>繋 — \
         記録の一覧</h1>\n<p>この頁は <code>tsunagi record publish</code> が様式と方針そのものから作ります。 / Made from the forms and \
         the policy themselves by <code>tsunagi record publish</code>.</p>\n{bounds}<nav><ul>\n{items}</ul></nav>\n{kinds}</body>\n\
         </html>\n"
    )
}

fn section(form: &Form) -> String {
    let (kind, mut rows, mut sets) = (form.kind, String::new(), Vec::new());
    add_rows(form.fields, 0, &mut rows, &mut sets);
    let rules: String = form
        .rules
        .iter()
        .map(|rule| format!("<tr><td><code>{}</code></td><td>{}</td></tr>\n", rule.name, escaped(rule.expected)))
        .collect();
    format!(
        "<section id=\"{id}\">\n<h2>{japanese} <code>{id}</code></h2>\n<p><a href=\"{id}.schema.json\">JSON Schema</a></p>\n\
         <h3>だれに何を示すか / who sees what</h3>\n{seen}<h3>項目 / fields</h3>\n<table>\n<tr><th>項目</th><th>名前</th>\
         <th>値</th><th>必須</th><th>項目群</th></tr>\n{rows}</table>\n{codes}<h3>項目間の規則 / rules between fields</h3>\n\
         <table>\n<tr><th>規則</th><th>正しくは / expected</th></tr>\n{rules}</table>\n</section>\n",
        id = kind.as_str(),
        japanese = kind.japanese(),
        seen = who_sees(kind),
        codes = codes(&sets),
    )
}

fn add_rows(fields: &[Field], depth: usize, rows: &mut String, sets: &mut Vec<&'static CodeSet>) {
    for field in fields {
        if let FieldType::Code(set) | FieldType::Codes(set) = field.what
            && sets.iter().all(|known| known.name != set.name)
        {
            sets.push(set);
        }
        rows.push_str(&format!(
            "<tr><td class=\"depth{depth}\">{}</td><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            field.japanese,
            field.name,
            value(&field.what),
            if field.required { "必須" } else { "" },
            field.group.japanese(),
        ));
        add_rows(field.inner(), depth.saturating_add(1), rows, sets);
    }
}

fn value(what: &FieldType) -> String {
    match what {
        FieldType::Text { characters_max } => format!("文字列({characters_max} 字以内)"),
        FieldType::Integer { min, max } => format!("整数 {min}〜{max}"),
        FieldType::Tenths { min, max } => {
            format!("小数第一位までの数 {}.{}〜{}.{}", min / 10, min % 10, max / 10, max % 10)
        }
        FieldType::Flag => "はい・いいえ (true / false)".to_owned(),
        FieldType::Date => "日付 (YYYY-MM-DD)".to_owned(),
        FieldType::Month => "年月 (YYYY-MM)".to_owned(),
        FieldType::TimeOfDay => "時刻 (HHMM、9999 は記載なし)".to_owned(),
        FieldType::Code(set) => format!("コード {}", set.name),
        FieldType::Codes(set) => format!("コード {}(いくつでも)", set.name),
        FieldType::CareLevel => format!("要介護状態区分({} 種)", CareLevel::ALL.len()),
        FieldType::ServiceKind => format!("サービス種類({} 種)", ServiceKind::ALL.len()),
        FieldType::OfficeNumber => "事業所番号(10 桁)".to_owned(),
        FieldType::HospitalCode => "医療機関コード(10 桁)".to_owned(),
        FieldType::InsurerNumber => "保険者番号(6 桁)".to_owned(),
        FieldType::InsuredNumber => "被保険者番号(10 桁、または H と 9 桁)".to_owned(),
        FieldType::PayerNumber => "公費負担者番号(8 桁)".to_owned(),
        FieldType::PostalCode => "郵便番号(7 桁)".to_owned(),
        FieldType::Digest => "SHA-256(16 進 64 桁)".to_owned(),
        FieldType::List { items_max, .. } => format!("一覧({items_max} 件以内)"),
        FieldType::Group(_) => "まとまり".to_owned(),
    }
}

fn codes(sets: &[&CodeSet]) -> String {
    let set = |set: &&CodeSet| {
        let rows: String = set
            .values
            .iter()
            .map(|(code, japanese)| format!("<tr><td><code>{code}</code></td><td>{japanese}</td></tr>\n"))
            .collect();
        format!(
            "<details open>\n<summary>コード <code>{}</code></summary>\n<table>\n{rows}</table>\n</details>\n",
            set.name
        )
    };
    sets.iter().map(set).collect()
}

fn who_sees(kind: RecordKind) -> String {
    let mut judge = Judge::shipped();
    let mut rows = String::new();
    for Asker { japanese, facts } in askers() {
        let cell = |facts: Facts, judge: &mut Judge| match judge.judge(&Facts { kind, ..facts }).verdict {
            Ok(groups) => shown(groups),
            Err(_denial) => "—".to_owned(),
        };
        let with = cell(facts, &mut judge);
        let without = cell(Facts { consent: ConsentState::Absent, ..facts }, &mut judge);
        let protected = cell(Facts { protection: ProtectionState::Protected, ..facts }, &mut judge);
        rows.push_str(&format!("<tr><td>{japanese}</td><td>{with}</td><td>{without}</td><td>{protected}</td></tr>\n"));
    }
    format!(
        "<table>\n<tr><th>照会する者</th><th>同意あり</th><th>同意なし</th><th>支援措置の対象者</th></tr>\n{rows}</table>\n"
    )
}

fn shown(groups: FieldGroups) -> String {
    if groups == FieldGroups::ALL {
        return "すべて".to_owned();
    }
    groups.iter().map(FieldGroup::japanese).collect::<Vec<_>>().join("・")
}

/// Those for whom the table of who sees what has a row, each with their tie to the person, at their work.
fn askers() -> Vec<Asker> {
    let facts = |role, service, job, purpose, relationship| Facts {
        role,
        own_insurer: role == PartyKind::Insurer,
        service,
        job,
        purpose,
        kind: RecordKind::InsuranceCard,
        relationship,
        consent: ConsentState::Given,
        protection: ProtectionState::None,
        staff_proven: false,
        disaster: false,
        by_self: false,
    };
    let office = |service, job, purpose, tie| facts(PartyKind::Office, service, job, purpose, Some(tie));
    let hospital = |job, purpose, tie| facts(PartyKind::Hospital, ServiceClass::None, job, purpose, Some(tie));
    let own = facts(PartyKind::Insurer, ServiceClass::None, Job::InsuredPerson, Purpose::OwnRecord, None);
    let officer = facts(PartyKind::Insurer, ServiceClass::None, Job::MunicipalOfficer, Purpose::Certification, None);
    let rows = [
        ("保険者の職員(認定・給付管理)", officer),
        (
            "居宅介護支援事業所の介護支援専門員",
            office(ServiceClass::CarePlanning, Job::CareManager, Purpose::CarePlanning, Nature::CarePlanning),
        ),
        (
            "施設の計画作成担当の介護支援専門員",
            office(ServiceClass::Facility, Job::CareManager, Purpose::CarePlanning, Nature::FacilityPlanning),
        ),
        (
            "サービス事業所の職員",
            office(ServiceClass::Care, Job::CareWorker, Purpose::ServiceProvision, Nature::Service),
        ),
        (
            "福祉用具・住宅改修の事業者",
            office(ServiceClass::Equipment, Job::EquipmentConsultant, Purpose::ServiceProvision, Nature::Service),
        ),
        ("意見書を依頼された医師", hospital(Job::Doctor, Purpose::MedicalOpinion, Nature::OpinionOrder)),
        ("関係のある医療機関の看護師", hospital(Job::Nurse, Purpose::Treatment, Nature::Service)),
        ("本人", Facts { by_self: true, ..own }),
    ];
    rows.into_iter().map(|(japanese, facts)| Asker { japanese, facts }).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_kind_field_code_and_rule() {
        let page = page();
        for kind in RecordKind::ALL {
            assert!(page.contains(&format!("<h2>{} ", kind.japanese())), "{kind}");
            for field in form(kind).fields {
                assert!(page.contains(field.japanese) && page.contains(field.name), "{kind} {}", field.name);
            }
            assert!(form(kind).rules.iter().all(|rule| page.contains(rule.name)), "{kind}");
        }
        assert!(!page.contains("<script") && !page.contains("http://") && !page.contains("https://"));
    }

    #[test]
    fn who_sees_what_is_what_the_policy_says() {
        let survey = who_sees(RecordKind::CertificationSurvey);
        let row = |who: &str| survey.lines().find(|line| line.contains(who)).unwrap_or_default().to_owned();
        assert!(row("居宅介護支援").contains("<td>すべて</td><td>券面"), "{survey}");
        assert!(row("サービス事業所").contains("<td>—</td><td>—</td><td>—</td>"), "{survey}");
    }
}
