//! The JSON Schema (draft 2020-12) of a form, for those who write software. Says what one field may hold by itself; the
//! rules between fields it can only name.

use protocol::code::care_level::CareLevel;
use protocol::code::service::ServiceKind;
use protocol::record::form::{Field, FieldType, Form};
use serde_json::{Map, Value, json};

/// The schema of a form.
pub fn of(form: &Form) -> Value {
    let mut schema = object(form.fields);
    let rules: Vec<_> = form.rules.iter().map(|rule| json!({ "rule": rule.name, "expected": rule.expected })).collect();
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("$id".to_owned(), json!(format!("urn:tsunagi:record:{}", form.kind.as_str())));
    schema.insert("title".to_owned(), json!(form.kind.japanese()));
    schema.insert("x-rules".to_owned(), json!(rules));
    Value::Object(schema)
}

/// Fields of a later edition are taken and handed on, so that others than these may be there.
fn object(fields: &[Field]) -> Map<String, Value> {
    let properties: Map<_, _> = fields.iter().map(|field| (field.name.to_owned(), property(field))).collect();
    let required: Vec<_> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    let mut object = Map::new();
    object.insert("type".to_owned(), json!("object"));
    object.insert("properties".to_owned(), Value::Object(properties));
    object.insert("required".to_owned(), json!(required));
    object
}

fn property(field: &Field) -> Value {
    let mut property = held(&field.what);
    property.insert("title".to_owned(), json!(field.japanese));
    property.insert("x-group".to_owned(), json!(field.group.as_str()));
    Value::Object(property)
}

fn held(what: &FieldType) -> Map<String, Value> {
    let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    let one_of = |values: Vec<(&'static str, &'static str)>| {
        let values = values.into_iter().map(|(code, japanese)| json!({ "const": code, "title": japanese }));
        json!({ "type": "string", "oneOf": values.collect::<Vec<_>>() })
    };
    // Tenths are written with one place.
    let tenths = |tenths: &i64| json!(format!("{}.{}", tenths / 10, tenths % 10).parse::<f64>().unwrap_or_default());
    let schema = match what {
        FieldType::Text { characters_max } => json!({ "type": "string", "minLength": 1, "maxLength": characters_max }),
        FieldType::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        FieldType::Tenths { min, max } => {
            json!({ "type": "number", "minimum": tenths(min), "maximum": tenths(max) })
        }
        FieldType::Flag => json!({ "type": "boolean" }),
        FieldType::Date => json!({ "type": "string", "format": "date" }),
        FieldType::Month => text("^[0-9]{4}-(0[1-9]|1[0-2])$"),
        FieldType::TimeOfDay => text("^(([01][0-9]|2[0-3])[0-5][0-9]|9999)$"),
        FieldType::Code(set) => one_of(set.values.to_vec()),
        FieldType::Codes(set) => {
            json!({ "type": "array", "uniqueItems": true, "items": one_of(set.values.to_vec()) })
        }
        FieldType::CareLevel => one_of(CareLevel::ALL.iter().map(|level| (level.as_str(), level.japanese())).collect()),
        FieldType::ServiceKind => {
            one_of(ServiceKind::ALL.iter().map(|service| (service.as_str(), service.japanese())).collect())
        }
        FieldType::OfficeNumber => text("^[0-9A-Z]{10}$"),
        FieldType::HospitalCode => text("^[0-9]{10}$"),
        FieldType::InsurerNumber => text("^[0-9]{6}$"),
        FieldType::InsuredNumber => text("^([0-9]{10}|H[0-9]{9})$"),
        FieldType::PayerNumber => text("^[0-9]{8}$"),
        FieldType::PostalCode => text("^[0-9]{7}$"),
        FieldType::Digest => text("^[0-9a-f]{64}$"),
        FieldType::List { of, items_max } => {
            json!({ "type": "array", "maxItems": items_max, "items": Value::Object(object(of)) })
        }
        FieldType::Group(of) => Value::Object(object(of)),
    };
    match schema {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::code::record_kind::RecordKind;
    use protocol::record::forms::form;

    #[test]
    fn every_form_has_a_schema_that_takes_its_example_and_not_a_spoiled_one() {
        for kind in RecordKind::ALL {
            let schema = of(form(kind));
            let validator = jsonschema::validator_for(&schema).unwrap();
            let example: Value = serde_json::from_str(form(kind).example).unwrap();
            let faults: Vec<_> = validator.iter_errors(&example).map(|error| error.to_string()).collect();
            assert!(faults.is_empty(), "{kind:?}: {faults:?}");
            for field in form(kind).fields.iter().filter(|field| field.required) {
                let mut spoiled = example.clone();
                spoiled[field.name] = json!({ "of": "another type" });
                assert!(!validator.is_valid(&spoiled), "{kind:?} {}", field.name);
            }
        }
    }
}
