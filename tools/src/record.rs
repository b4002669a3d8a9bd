//! Records (`tsunagi record`): which kinds there are, whether a file is a good record, what stands in
//! it in Japanese, and the pages and schemas for whoever writes software. Judges by the forms of `protocol` alone.

pub mod catalogue;
pub mod schema;
pub mod submission;

use std::path::Path;

use protocol::code::field_group::FieldGroups;
use protocol::code::record_kind::RecordKind;
use protocol::record::Record;
use protocol::record::fault::FieldFault;
use protocol::record::forms::form;
use serde_json::{Value, json};

use crate::files;
use crate::message::{Code, Report, Trouble};
use crate::telling::Lines;

/// Every kind of record.
pub fn kinds() -> Report {
    let line = |kind: &RecordKind| format!("{:<24} {}", kind.as_str(), kind.japanese());
    let data = |kind: &RecordKind| json!({ "kind": kind.as_str(), "japanese": kind.japanese() });
    Report::good(
        RecordKind::ALL.iter().map(line).collect::<Vec<_>>().join("\n"),
        RecordKind::ALL.iter().map(data).collect(),
    )
}

/// Holds files against the form of a kind; good only if all of them are records.
///
/// # Errors
/// [`Code::Usage`] for a word that is no kind.
pub fn validate(kind: &str, paths: &[impl AsRef<Path>]) -> Result<Report, Trouble> {
    let kind = parse_kind(kind)?;
    let (mut text, mut data, mut good) = (Vec::new(), Vec::new(), true);
    for path in paths {
        let name = path.as_ref().display().to_string();
        // What cannot be read is told like a fault, so that the others are still looked at.
        let fault = match files::read_text(path.as_ref()) {
            Ok(text) => Record::from_json(kind, &text).err(),
            Err(trouble) => Some(FieldFault::at("", "readable", &trouble.detail)),
        };
        good &= fault.is_none();
        text.push(fault.as_ref().map_or_else(|| format!("{name}: 正しい記録です"), |fault| told(&name, kind, fault)));
        let fault = fault.map(|fault| json!({ "path": fault.path, "rule": fault.rule, "expected": fault.expected }));
        data.push(json!({ "file": name, "ok": fault.is_none(), "fault": fault }));
    }
    Ok(Report { text: text.join("\n"), data: json!({ "kind": kind.as_str(), "files": data }), good })
}

/// Tells what stands in a file, by the names on the paper.
///
/// # Errors
/// [`Code::Usage`] for a word that is no kind, [`Code::File`] if the file cannot be read, [`Code::Malformed`] with field
/// and rule if it is no record of the kind.
pub fn show(kind: &str, path: &Path) -> Result<Report, Trouble> {
    let kind = parse_kind(kind)?;
    let record = Record::from_json(kind, &files::read_text(path)?)
        .map_err(|fault| Trouble::new(Code::Malformed, told(&path.display().to_string(), kind, &fault)))?;
    let mut lines = Lines::default();
    lines.add(0, &format!("■ {}", kind.japanese()));
    lines.add_fields(1, form(kind).fields, record.fields(), FieldGroups::ALL);
    Ok(Report::good(lines.text(), record.to_json(FieldGroups::ALL)))
}

/// The schema of a kind.
///
/// # Errors
/// [`Code::Usage`] for a word that is no kind.
pub fn schema(kind: &str) -> Result<Report, Trouble> {
    let schema = schema::of(form(parse_kind(kind)?));
    Ok(Report::good(pretty(&schema), schema))
}

/// Writes the schemas of all kinds, and the page that shows them to people, into a folder.
///
/// # Errors
/// [`Code::File`] if a file cannot be written.
pub fn publish(out: &Path) -> Result<Report, Trouble> {
    let published = published();
    if !out.exists() {
        files::make_folder(out)?;
    }
    for (name, text) in &published {
        files::replace(&out.join(name), text.as_bytes(), 0o644)?;
    }
    let names: Vec<_> = published.into_iter().map(|(name, _text)| name).collect();
    Ok(Report::good(format!("{} に {} 個のファイルを書きました", out.display(), names.len()), json!(names)))
}

/// Every file of [`publish`], with its name.
pub fn published() -> Vec<(String, String)> {
    let schemas = RecordKind::ALL
        .into_iter()
        .map(|kind| (format!("{}.schema.json", kind.as_str()), format!("{}\n", pretty(&schema::of(form(kind))))));
    schemas.chain([("index.html".to_owned(), catalogue::page())]).collect()
}

fn parse_kind(word: &str) -> Result<RecordKind, Trouble> {
    let known = || RecordKind::ALL.map(RecordKind::as_str).join(", ");
    let unknown = || format!("--kind {word}: 次のいずれかにしてください / one of: {}", known());
    RecordKind::parse(word).ok_or_else(|| Trouble::new(Code::Usage, unknown()))
}

/// The fault, with the name of the field on the paper. Never the value.
fn told(name: &str, kind: RecordKind, fault: &FieldFault) -> String {
    let label = label(kind, &fault.path).map(|label| format!("({label})")).unwrap_or_default();
    let place = if fault.path.is_empty() { "記録全体" } else { &fault.path };
    format!("{name}: {place}{label}: 規則 {} に反します。正しくは: {}", fault.rule, fault.expected)
}

/// What the paper calls the field at a path.
fn label(kind: RecordKind, path: &str) -> Option<&'static str> {
    let mut fields = form(kind).fields;
    let mut label = None;
    for step in path.split('.') {
        let name = step.split('[').next()?;
        let field = fields.iter().find(|field| field.name == name)?;
        (fields, label) = (field.inner(), Some(field.japanese));
    }
    label
}

fn pretty(json: &Value) -> String {
    format!("{json:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_pages_are_what_the_forms_and_the_policy_say() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/records");
        for (name, text) in published() {
            let committed = std::fs::read_to_string(folder.join(&name)).unwrap_or_default();
            assert!(committed == text, "{name}: run `tsunagi record publish --out docs/records`");
        }
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), published().len(), "nothing else lies there");
    }

    #[test]
    fn a_fault_is_told_by_field_rule_and_name_and_without_the_value() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("card.json");
        let example = form(RecordKind::BurdenRatioCard).example;
        std::fs::write(&file, example).unwrap();
        let good = validate("burden-ratio-card", std::slice::from_ref(&file)).unwrap();
        assert!(good.good && good.text.contains("正しい記録"), "{}", good.text);
        assert!(show("burden-ratio-card", &file).unwrap().text.contains("適用期間"));

        let mut spoiled: Value = serde_json::from_str(example).unwrap();
        spoiled["ratios"][0]["tenths"] = json!(7);
        std::fs::write(&file, spoiled.to_string()).unwrap();
        let bad = validate("burden-ratio-card", std::slice::from_ref(&file)).unwrap();
        let said = bad.text.replace(&file.display().to_string(), "");
        assert!(!bad.good && said.contains("ratios[0].tenths(割合)") && !said.contains('7'), "{said}");
        assert_eq!(bad.data["files"][0]["fault"]["path"], "ratios[0].tenths");
        assert_eq!(show("burden-ratio-card", &file).unwrap_err().code, Code::Malformed);

        std::fs::write(&file, example.replacen('{', "{\"issued_on\": \"2020-01-01\",", 1)).unwrap();
        let missing = folder.path().join("missing.json");
        let several = validate("burden-ratio-card", &[missing, file]).unwrap();
        let rules = ["/files/0/fault/rule", "/files/1/fault/rule"].map(|at| several.data.pointer(at).unwrap().clone());
        assert_eq!(rules, ["readable", "json"], "the others are looked at, and no name stands twice");
        assert_eq!(schema("ratio").unwrap_err().code, Code::Usage);
    }
}
