//! A record submitted to the insurer of a person, and one erased (`tsunagi record submit|erase`): the file is held against
//! its form here, the node signs and sends it, and what the insurer says is told. Keeps nothing itself.

use std::path::Path;

use node::dice::OsDice;
use protocol::code::record_kind::RecordKind;
use protocol::date::Date;
use protocol::record::Record;
use protocol::record::version::{RecordId, Status};
use rand_core::Rng as _;
use serde_json::{Value, json};

use crate::ask::{self, Asker};
use crate::files;
use crate::line::Line;
use crate::message::{Code, Report, Trouble};

/// A version as typed.
#[derive(Clone, Debug)]
pub struct Submission {
    /// What kind of record.
    pub kind: String,
    /// The first day it holds.
    pub from: String,
    /// The last day it holds.
    pub to: Option<String>,
    /// What it is worth.
    pub status: String,
    /// The record; a new one if none.
    pub id: Option<String>,
    /// Which of its versions.
    pub number: u32,
    /// Another record it replaces.
    pub supersedes: Option<String>,
}

/// Submits the record in a file. Good only if it is kept.
///
/// # Errors
/// [`Code::Usage`] for a word that is not taken, [`Code::File`] if the file cannot be read, [`Code::Malformed`] with field
/// and rule if it is no record of the kind, [`Code::Refused`] if the node did not take it at all.
pub fn submit(line: &Line, asker: &Asker, submission: &Submission, file: &Path) -> Result<Report, Trouble> {
    let kind = super::parse_kind(&submission.kind)?;
    let id = submission.id.clone().unwrap_or_else(fresh_id);
    let slip = submission.slip(kind, &id, &files::read_text(file)?, file)?;
    let mut question = asker.to_json()?;
    if let Some(object) = question.as_object_mut() {
        object.insert("submit".to_owned(), json!([slip]));
    }
    // Told before it is known to be kept: whoever is cut off submits the same record again, not another.
    let before = format!("記録の番号 (id): {id} 第 {} 版", submission.number);
    let answer = line.ask(&question).map_err(|why| Trouble::new(Code::Refused, format!("{before}\n{why}")))?;
    let good = answer.get("kept").is_some();
    let text = format!("{before}\n{}{}", ask::tell(&answer)?, flaws(kind, &answer));
    Ok(Report { text, data: answer, good })
}

fn fresh_id() -> String {
    let mut bytes = [0; 16];
    OsDice.fill_bytes(&mut bytes);
    RecordId::from_bytes(bytes).to_string()
}

/// What is to be erased, as typed.
#[derive(Clone, Debug)]
pub struct Erasure {
    /// Everything of the person.
    pub person: bool,
    /// The kind of the record.
    pub kind: Option<String>,
    /// The record.
    pub id: Option<String>,
    /// Which of its versions; all if none.
    pub number: Option<u32>,
}

/// Has a record, or everything of a person, erased for good. Good only if it is.
///
/// # Errors
/// [`Code::Usage`] for a word that is not taken, [`Code::Refused`] if the node did not take it at all.
pub fn erase(line: &Line, asker: &Asker, erasure: &Erasure) -> Result<Report, Trouble> {
    let what = match (erasure.person, &erasure.kind, &erasure.id) {
        (true, None, None) => json!("person"),
        (false, Some(kind), Some(id)) => {
            json!({ "kind": super::parse_kind(kind)?.as_str(), "id": id, "number": erasure.number })
        }
        _ => return Err(Trouble::new(Code::Usage, "--everything-of-person、または --kind と --id")),
    };
    let mut question = asker.to_json()?;
    if let Some(object) = question.as_object_mut() {
        object.insert("erase".to_owned(), what);
    }
    let answer = line.ask(&question).map_err(|why| Trouble::new(Code::Refused, why))?;
    Ok(Report { text: ask::tell(&answer)?, good: answer.get("erased").is_some(), data: answer })
}

impl Submission {
    fn slip(&self, kind: RecordKind, id: &str, text: &str, file: &Path) -> Result<Value, Trouble> {
        let usage = |what: String| Trouble::new(Code::Usage, what);
        let day = |word: &str| Date::parse(word).ok_or_else(|| usage(format!("{word}: YYYY-MM-DD")));
        day(&self.from)?;
        self.to.as_deref().map(day).transpose()?;
        if Status::parse(&self.status).is_none() {
            return Err(usage(format!("--status {}: {}", self.status, Status::ALL.map(Status::as_str).join(", "))));
        }
        for named in [Some(id), self.supersedes.as_deref()].into_iter().flatten() {
            RecordId::parse(named).ok_or_else(|| usage(format!("{named}: 32 桁の 16 進数 / 32 hex digits")))?;
        }
        let record = Record::from_json(kind, text)
            .map_err(|fault| Trouble::new(Code::Malformed, super::told(&file.display().to_string(), kind, &fault)))?;
        Ok(json!({
            "kind": kind.as_str(), "id": id, "number": self.number, "valid_from": self.from, "valid_to": self.to,
            "status": self.status, "supersedes": self.supersedes,
            "content": record.to_json(protocol::code::field_group::FieldGroups::ALL),
        }))
    }
}

/// Why the insurer did not keep it, by the names on the paper.
fn flaws(kind: RecordKind, answer: &Value) -> String {
    let listed = answer.get("flaws").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let told = listed.iter().map(|flaw| {
        let word = |name: &str| flaw.get(name).and_then(Value::as_str).unwrap_or_default();
        let label = super::label(kind, word("path")).map(|label| format!("({label})")).unwrap_or_default();
        let place = if word("path").is_empty() { "記録全体" } else { word("path") };
        format!("\n  {place}{label}: 規則 {} に反します。正しくは: {}", word("rule"), word("expected"))
    });
    told.collect()
}
