//! The kinds of record of the services beside long-term care (予防接種, 自治体検診, 母子保健, 公費負担医療・医療費助成, 感染症届出, 診断書),
//! one file each: DOMAIN §5.
//!
//! Their sources say less than those of long-term care. Where a set of codes has no source, its numbers are ours and its
//! definition says M: the words are those of the source, the numbers may have to change.

pub mod certificate_document;
pub mod health_screening;
pub mod infant_checkup;
pub mod infectious_disease_report;
pub mod maternal_checkup;
pub mod medical_subsidy;
pub mod vaccination;

use crate::code::field_group::FieldGroup::Content;
use crate::record::care::NAME;
use crate::record::code_set::CodeSet;
use crate::record::form::FieldType::{Code, Digest, Integer};
use crate::record::form::{Field, required};
use crate::record::rules;
use crate::record::value::Fields;

/// The largest file that may belong to a record, in bytes (M: no source gives a bound).
const ATTACHMENT_BYTES_MAX: i64 = 10 << 20;

/// What a file that belongs to a record may be (media type). The list is ours: files that programs print or photograph.
static MEDIA_TYPE: CodeSet = CodeSet {
    name: "media_type",
    values: &[
        ("application/pdf", "PDF"),
        ("image/jpeg", "JPEG 画像"),
        ("image/png", "PNG 画像"),
        ("application/xml", "XML 文書"),
    ],
};

/// A file that belongs to a record (添付). Its bytes do not travel in the record: who has them can show by the digest that
/// they are the ones.
static ATTACHMENT: &[Field] = &[
    required("name", "ファイル名", NAME, Content),
    required("media_type", "種類", Code(&MEDIA_TYPE), Content),
    required("bytes", "大きさ(バイト)", Integer { min: 1, max: ATTACHMENT_BYTES_MAX }, Content),
    required("digest", "SHA-256", Digest, Content),
];

/// Whether there is something (有無).
static FOUND: CodeSet = CodeSet { name: "found", values: &[("0", "なし"), ("1", "あり")] };

/// What a test strip shows (定性, M).
static STRIP: CodeSet =
    CodeSet { name: "test_strip", values: &[("1", "−"), ("2", "±"), ("3", "+"), ("4", "++"), ("5", "+++")] };

/// What a test for antibodies, antigens or blood groups shows (陰性・陽性, M).
static SIGN: CodeSet = CodeSet { name: "sign", values: &[("1", "陰性"), ("2", "陽性"), ("3", "判定保留")] };

/// The first file whose name leads elsewhere: whoever saves it must not be led out of the folder they save it in.
fn badly_named(fields: &Fields) -> Option<String> {
    rules::each(fields, "attachments", |file| {
        let name = file.text("name")?;
        (name.contains(['/', '\\', ':']) || name.starts_with('.')).then(|| "name".to_owned())
    })
}

/// The first of `names` that may stand only where `with` stands.
fn only_with(fields: &Fields, with: bool, names: &[&str]) -> Option<String> {
    names.iter().find(|name| !with && fields.value(name).is_some()).map(|name| (*name).to_owned())
}
