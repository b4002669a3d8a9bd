//! One question about one person (`tsunagi ask`), and its answer for people. Judges nothing and adds nothing: what is
//! shown is what the answer's body holds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::cbor;
use protocol::code::act::Act;
use protocol::code::job::Job;
use protocol::code::purpose::Purpose;
use protocol::code::record_kind::RecordKind;
use protocol::date::Date;
use protocol::message::{Access, Body, Outcome};
use protocol::record::disclosure::Content;
use serde_json::{Value, json};

use crate::line::Line;
use crate::message::{Code, Report, Trouble, moment};
use crate::telling::Lines;

/// Who asks about whom, as typed.
#[derive(Clone, Debug)]
pub struct Asker {
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
}

/// What is asked, as typed.
#[derive(Clone, Debug)]
pub struct Question {
    /// Who asks about whom.
    pub asker: Asker,
    /// Which kinds of records.
    pub kinds: Vec<String>,
    /// In force on which day.
    pub valid_on: Option<String>,
    /// As known by the end of which day.
    pub known_on: Option<String>,
    /// Every version instead of those in force.
    pub every_version: bool,
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

impl Asker {
    /// What every body of `POST /v1/ask` says.
    ///
    /// # Errors
    /// [`Code::Usage`] naming the words that are taken, for a word that is not.
    pub fn to_json(&self) -> Result<Value, Trouble> {
        if Job::parse(&self.job).is_none() {
            return Err(usage("--job", Job::ALL.iter().map(|job| job.as_str()).collect()));
        }
        if Purpose::parse(&self.purpose).is_none() {
            return Err(usage("--purpose", Purpose::ALL.iter().map(|purpose| purpose.as_str()).collect()));
        }
        let person = match &self.person {
            Person::Care(insurer, insured) => json!({ "insurer": insurer, "insured": insured }),
            Person::Medical(handle) => json!({ "medical": handle }),
        };
        Ok(json!({ "seat": self.seat, "staff": { "id": self.staff, "job": self.job }, "purpose": self.purpose,
            "person": person }))
    }
}

impl Question {
    /// The body of `POST /v1/ask`.
    ///
    /// # Errors
    /// As [`Asker::to_json`].
    pub fn to_json(&self) -> Result<Value, Trouble> {
        let mut question = self.asker.to_json()?;
        let kinds = || RecordKind::ALL.iter().map(|kind| kind.as_str()).collect();
        let has_unknown = self.kinds.iter().any(|kind| RecordKind::parse(kind).is_none());
        if has_unknown || self.kinds.is_empty() != self.history {
            return Err(usage("--kind (または --history)", kinds()));
        }
        if self.valid_on.as_ref().is_some_and(|day| Date::parse(day).is_none()) {
            return Err(usage("--valid-on", vec!["YYYY-MM-DD"]));
        }
        let known_at = match self.known_on.as_deref().map(Date::parse) {
            None => None,
            Some(day) => {
                let last = day.and_then(Date::last_instant_japan);
                Some(last.ok_or_else(|| usage("--known-on", vec!["YYYY-MM-DD"]))?.unix_ms())
            }
        };
        if let Some(object) = question.as_object_mut() {
            object.insert("kinds".to_owned(), json!(self.kinds));
            object.insert("valid_on".to_owned(), json!(self.valid_on));
            object.insert("known_at_ms".to_owned(), json!(known_at));
            object.insert("every_version".to_owned(), json!(self.every_version));
            object.insert("history".to_owned(), json!(self.history));
        }
        Ok(question)
    }
}

fn usage(word: &str, known: Vec<&str>) -> Trouble {
    Trouble::new(Code::Usage, format!("{word}: {}", known.join(", ")))
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
    let mut lines = Lines::default();
    match &body.outcome {
        Outcome::Refused(told) => lines.add(0, &format!("結果: 拒否 ({})", told.as_str())),
        Outcome::Records(_) | Outcome::History(..) => lines.add(0, "結果: 答え"),
        Outcome::Kept(_) => lines.add(0, "結果: 保管"),
        Outcome::Erased(versions) => lines.add(0, &format!("結果: 消去 {versions} 版")),
        Outcome::NotKept(_) => lines.add(0, "結果: 保管しません。誤りを直して、もう一度提出してください"),
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
    Ok(lines.text())
}

fn look_text(look: &Access) -> String {
    let kinds: Vec<_> = look.kinds.iter().map(|kind| kind.japanese()).collect();
    let ended = match (look.refused, look.act) {
        (true, _) => "拒否",
        (false, Some(Act::Write)) => "登録",
        (false, Some(Act::Erase)) => "消去",
        (false, None) => "答え",
    };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_word_is_answered_with_those_that_are_taken() {
        let asker = Asker {
            seat: None,
            staff: "s".to_owned(),
            job: "care-manager".to_owned(),
            purpose: "care-planning".to_owned(),
            person: Person::Medical("x".to_owned()),
        };
        let mut question = Question {
            asker,
            kinds: vec!["insurance-card".to_owned()],
            valid_on: None,
            known_on: None,
            every_version: false,
            history: false,
        };
        assert!(question.to_json().is_ok());
        question.asker.job = "spy".to_owned();
        assert!(question.to_json().unwrap_err().detail.contains("care-manager"));
        question.asker.job = "care-manager".to_owned();
        question.known_on = Some("2026-04-01".to_owned());
        // The last millisecond of that day in Japan.
        assert_eq!(question.to_json().unwrap()["known_at_ms"], json!(1_775_055_599_999_u64));
        question.known_on = Some("yesterday".to_owned());
        assert!(question.to_json().unwrap_err().detail.contains("--known-on"));
        question.known_on = None;
        question.kinds.clear();
        assert!(question.to_json().unwrap_err().detail.contains("insurance-card"));
    }
}
