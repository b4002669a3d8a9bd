//! Fields to bytes and back, along a form: deterministic CBOR, maps with sorted keys (RFC 8949
//! §4.2.1). A day is the number YYYYMMDD, a month YYYYMM, a decimal its tenths; what an unknown field
//! holds is a byte string of JSON under tag 262.

use std::collections::BTreeSet;

use minicbor::data::Tag;
use minicbor::{Decoder, Encoder};

use crate::code::field_group::FieldGroups;
use crate::date::{Date, Month};
use crate::record::fault::FieldFault;
use crate::record::form::{Field, FieldType, Form};
use crate::record::json::{NESTING_MAX, is_foreign};
use crate::record::value::{Fields, Value};

/// The longest encoding of a record, in bytes.
pub const RECORD_BYTES_MAX: usize = 256 << 10;

/// Embedded JSON (IANA registry of CBOR tags).
const JSON_TAG: Tag = Tag::new(262);

/// Nothing that says more than that the bytes are wrong: a minicbor error could quote them.
struct Wrong;

type Written = Result<(), minicbor::encode::Error<core::convert::Infallible>>;

/// The one encoding of `fields`.
pub(super) fn write(fields: &Fields) -> Vec<u8> {
    let mut out = Encoder::new(Vec::new());
    // Writing to a Vec is infallible.
    let written = write_group(&mut out, fields);
    assert!(written.is_ok(), "a record failed to encode");
    out.into_writer()
}

/// Reads the fields of a form; types are right afterwards, values unchecked.
pub(super) fn read(form: &Form, bytes: &[u8]) -> Result<Fields, FieldFault> {
    let fault = || FieldFault::at("", "encoding", "the deterministic encoding of a record of this kind");
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(fault());
    }
    let mut decoder = Decoder::new(bytes);
    let fields = group(&mut decoder, form.fields, 1).map_err(|Wrong| fault())?;
    // One value has one byte string: no second order, no name twice, no long form of a number, no rest.
    if write(&fields) == bytes { Ok(fields) } else { Err(fault()) }
}

/// The encoding of what is left of an encoded record when only the groups `shown` are: the same bytes as
/// reading it, masking it and writing it again, without reading a value. What the form does not describe is
/// kept only if nothing at all is hidden. `bytes` were written by [`write`].
pub(super) fn mask(form: &Form, bytes: &[u8], shown: FieldGroups) -> Result<Vec<u8>, FieldFault> {
    let fault = || FieldFault::at("", "encoding", "the deterministic encoding of a record of this kind");
    let mut out = Encoder::new(Vec::with_capacity(bytes.len()));
    let end = keep(&mut out, bytes, 0, form.fields, shown).map_err(|Wrong| fault())?;
    if end == bytes.len() { Ok(out.into_writer()) } else { Err(fault()) }
}

/// Copies what is shown of the group that begins at `at`, and says where it ends.
fn keep(out: &mut Encoder<Vec<u8>>, bytes: &[u8], at: usize, of: &[Field], shown: FieldGroups) -> Result<usize, Wrong> {
    let mut decoder = Decoder::new(bytes);
    decoder.set_position(at);
    let mut kept = Vec::with_capacity(of.len());
    for _ in 0..decoder.map()?.ok_or(Wrong)? {
        let from = decoder.position();
        let name = decoder.str()?;
        let value = decoder.position();
        decoder.skip()?;
        let field = of.iter().find(|field| field.name == name);
        if field.map_or(shown == FieldGroups::ALL, |field| shown.contains(field.group)) {
            kept.push((field, from, value, decoder.position()));
        }
    }
    out.map(count(kept.len()))?;
    for (field, from, value, to) in kept {
        let piece = |from: usize, to: usize| bytes.get(from..to).ok_or(Wrong);
        match field {
            Some(Field { what: FieldType::Group(inner), .. }) if shown != FieldGroups::ALL => {
                out.writer_mut().extend_from_slice(piece(from, value)?);
                keep(out, bytes, value, inner, shown)?;
            }
            Some(Field { what: FieldType::List { of: inner, .. }, .. }) if shown != FieldGroups::ALL => {
                out.writer_mut().extend_from_slice(piece(from, value)?);
                keep_items(out, bytes, value, inner, shown)?;
            }
            _ => out.writer_mut().extend_from_slice(piece(from, to)?),
        }
    }
    Ok(decoder.position())
}

fn keep_items(
    out: &mut Encoder<Vec<u8>>,
    bytes: &[u8],
    at: usize,
    of: &[Field],
    shown: FieldGroups,
) -> Result<(), Wrong> {
    let mut decoder = Decoder::new(bytes);
    decoder.set_position(at);
    let items = decoder.array()?.ok_or(Wrong)?;
    out.array(items)?;
    let mut at = decoder.position();
    for _ in 0..items {
        at = keep(out, bytes, at, of, shown)?;
    }
    Ok(())
}

fn write_group(out: &mut Encoder<Vec<u8>>, fields: &Fields) -> Written {
    let mut sorted: Vec<_> = fields.iter().collect();
    // The order of the encoded keys: a text begins with its length.
    sorted.sort_by_key(|(name, _)| (name.len(), *name));
    out.map(count(sorted.len()))?;
    for (name, held) in sorted {
        out.str(name)?;
        write_value(out, held)?;
    }
    Ok(())
}

fn write_value(out: &mut Encoder<Vec<u8>>, held: &Value) -> Written {
    match held {
        Value::Text(text) => out.str(text)?.ok(),
        Value::Integer(number) => out.i64(*number)?.ok(),
        Value::Flag(flag) => out.bool(*flag)?.ok(),
        Value::Date(date) => out.encode(date)?.ok(),
        Value::Month(month) => out.encode(month)?.ok(),
        Value::Codes(codes) => {
            out.array(count(codes.len()))?;
            codes.iter().try_for_each(|code| out.str(code)?.ok())
        }
        Value::List(items) => {
            out.array(count(items.len()))?;
            items.iter().try_for_each(|item| write_group(out, item))
        }
        Value::Group(fields) => write_group(out, fields),
        Value::Foreign(text) => out.tag(JSON_TAG)?.bytes(text.as_bytes())?.ok(),
    }
}

fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

fn group(decoder: &mut Decoder<'_>, of: &[Field], depth: usize) -> Result<Fields, Wrong> {
    if depth > NESTING_MAX {
        return Err(Wrong);
    }
    let mut fields = Fields::default();
    for _ in 0..decoder.map()?.ok_or(Wrong)? {
        let name = decoder.str()?;
        let held = match of.iter().find(|field| field.name == name) {
            Some(field) => value(decoder, field, depth)?,
            None => foreign(decoder, depth)?,
        };
        fields.insert(name, held);
    }
    Ok(fields)
}

fn value(decoder: &mut Decoder<'_>, field: &Field, depth: usize) -> Result<Value, Wrong> {
    Ok(match &field.what {
        FieldType::Integer { .. } | FieldType::Tenths { .. } => Value::Integer(decoder.i64()?),
        FieldType::Flag => Value::Flag(decoder.bool()?),
        FieldType::Date => Value::Date(decoder.decode::<Date>()?),
        FieldType::Month => Value::Month(decoder.decode::<Month>()?),
        FieldType::Codes(_) => {
            let mut codes = BTreeSet::new();
            for _ in 0..decoder.array()?.ok_or(Wrong)? {
                codes.insert(decoder.str()?.to_owned());
            }
            Value::Codes(codes)
        }
        FieldType::List { of, .. } => {
            let mut items = Vec::new();
            for _ in 0..decoder.array()?.ok_or(Wrong)? {
                items.push(group(decoder, of, depth.saturating_add(1))?);
            }
            Value::List(items)
        }
        FieldType::Group(of) => Value::Group(group(decoder, of, depth.saturating_add(1))?),
        _ => Value::Text(decoder.str()?.to_owned()),
    })
}

fn foreign(decoder: &mut Decoder<'_>, depth: usize) -> Result<Value, Wrong> {
    if decoder.tag()? != JSON_TAG {
        return Err(Wrong);
    }
    let text = core::str::from_utf8(decoder.bytes()?).map_err(|_error| Wrong)?;
    if is_foreign(text, depth) { Ok(Value::Foreign(text.to_owned())) } else { Err(Wrong) }
}

impl From<minicbor::encode::Error<core::convert::Infallible>> for Wrong {
    fn from(_error: minicbor::encode::Error<core::convert::Infallible>) -> Self {
        Self
    }
}

impl From<minicbor::decode::Error> for Wrong {
    fn from(_error: minicbor::decode::Error) -> Self {
        Self
    }
}
