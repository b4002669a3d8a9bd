//! A document that a doctor writes for a municipality (診断書等): what it is, who wrote it for what, and which files it is.
//! DOMAIN §5.6; it comes as the doctor's opinion does (主治医意見書), asked for or brought by the person.
//!
//! The files themselves do not travel in the record: it names each with its size and its digest, so that whoever has them
//! can show that they are the ones.

use crate::code::field_group::FieldGroup::{Card, Content, Narrative, Place};
use crate::code::record_kind::RecordKind;
use crate::record::care::{LINES, NAME};
use crate::record::code_set::CodeSet;
use crate::record::form::FieldType::{Code, Date, HospitalCode, List};
use crate::record::form::{Field, Form, Rule, optional, required};
use crate::record::neighbour::{ATTACHMENT, badly_named};
use crate::record::rules;
use crate::record::value::Fields;

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::CertificateDocument,
    fields: FIELDS,
    days: &[],
    rules: RULES,
    example: include_str!("../../../tests/vectors/records/certificate-document/good.json"),
};

/// What kind of document (文書の種類, M: examples of the source; the codes are ours).
static DOCUMENT: CodeSet = CodeSet {
    name: "document",
    values: &[
        ("01", "小児慢性特定疾病の診断書"),
        ("02", "難病の診断書"),
        ("03", "身体障害者手帳の診断書"),
        ("99", "その他"),
    ],
};

static FIELDS: &[Field] = &[
    required("document", "文書の種類", Code(&DOCUMENT), Card),
    required("title", "文書名", NAME, Card),
    optional("requested_on", "作成依頼日", Date, Card),
    required("written_on", "作成年月日", Date, Card),
    optional("submitted_on", "提出年月日", Date, Card),
    required("addressee", "提出先", NAME, Place),
    optional("hospital_code", "医療機関コード", HospitalCode, Place),
    required("hospital_name", "医療機関名", NAME, Place),
    required("doctor_name", "医師名", NAME, Place),
    optional("disease", "傷病名・障害名", LINES, Content),
    optional("remarks", "備考", LINES, Narrative),
    required("attachments", "添付", List { of: ATTACHMENT, items_max: 20 }, Content),
];

static RULES: &[Rule] = &[
    Rule { name: "days_in_order", expected: "a day not before the step before", broken_at: days_in_order },
    Rule { name: "some_attachment", expected: "at least one file", broken_at: some_attachment },
    Rule { name: "attached_once", expected: "each file once", broken_at: attached_once },
    Rule { name: "plain_name", expected: "a name without folders", broken_at: badly_named },
];

fn days_in_order(document: &Fields) -> Option<String> {
    rules::all_in_order(document, &["requested_on", "written_on", "submitted_on"])
}

fn some_attachment(document: &Fields) -> Option<String> {
    document.list("attachments").is_empty().then(|| "attachments".to_owned())
}

fn attached_once(document: &Fields) -> Option<String> {
    rules::unique(document, "attachments", "digest")
}
