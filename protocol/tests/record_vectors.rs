//! Every kind of record against its vectors: the good one in JSON and in CBOR, and the spoiled ones
//! with the field that has to be named. `vectors/records/README.md` says what the files hold.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "the helpers of tests fail as tests do, and read files"
)]

use std::path::PathBuf;

use proptest::prelude::*;
use proptest::sample::Index;
use protocol::code::field_group::{FieldGroup, FieldGroups};
use protocol::code::record_kind::RecordKind;
use protocol::record::Record;
use protocol::record::form::{Field, FieldType};
use protocol::record::forms::form;
use protocol::record::value::Value;
use serde_json::Value as Json;

fn vector(kind: RecordKind, file: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/records").join(kind.as_str());
    std::fs::read_to_string(folder.join(file)).unwrap()
}

fn good(kind: RecordKind) -> Record {
    Record::from_json(kind, form(kind).example).unwrap()
}

/// Every set of groups.
fn all_groups() -> impl Iterator<Item = FieldGroups> {
    let holds = |bits: u8, n: usize| bits & (1 << n) != 0;
    (0..32_u8).map(move |bits| {
        let chosen = FieldGroup::ALL.into_iter().enumerate().filter(|(n, _)| holds(bits, *n));
        chosen.map(|(_, group)| group).collect()
    })
}

#[test]
fn the_good_record_has_the_bytes_of_its_vector() {
    for kind in RecordKind::ALL {
        let record = good(kind);
        assert_eq!(hex::encode(record.encode()), vector(kind, "good.cbor.hex").trim(), "{kind:?}");
        assert_eq!(Record::decode(kind, &record.encode()), Ok(record.clone()), "{kind:?}");
        let json: Json = serde_json::from_str(&vector(kind, "good.json")).unwrap();
        assert_eq!(record.to_json(FieldGroups::ALL), json, "{kind:?}");
    }
}

#[test]
fn a_spoiled_record_is_refused_at_the_spoiled_field() {
    for kind in RecordKind::ALL {
        let changes: Vec<Json> = serde_json::from_str(&vector(kind, "spoiled.json")).unwrap();
        assert!(changes.len() >= 2, "{kind:?}");
        for change in changes {
            let mut json: Json = serde_json::from_str(&vector(kind, "good.json")).unwrap();
            let (parent, name) = change["at"].as_str().unwrap().rsplit_once('/').unwrap();
            let object = json.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            match change.get("to") {
                Some(to) => object.insert(name.to_owned(), to.clone()),
                None => object.remove(name),
            };
            let fault = Record::from_json(kind, &json.to_string()).expect_err(&change.to_string());
            let expected = (change["path"].as_str().unwrap(), change["rule"].as_str().unwrap());
            assert_eq!((fault.path.as_str(), fault.rule), expected, "{kind:?} {change}");
        }
    }
}

#[test]
fn a_fault_never_quotes_the_value() {
    for kind in RecordKind::ALL {
        let names: Vec<String> =
            good(kind).to_json(FieldGroups::ALL).as_object().unwrap().keys().map(String::from).collect();
        for name in names {
            let mut json: Json = serde_json::from_str(form(kind).example).unwrap();
            json[&name] = Json::from("canary\u{1}".repeat(600));
            let fault = Record::from_json(kind, &json.to_string()).unwrap_err();
            assert!(!format!("{fault:?} {fault}").contains("canary"), "{kind:?} {name}");
        }
    }
}

/// A letter that stands for a group.
fn letter(group: FieldGroup) -> char {
    match group {
        FieldGroup::Card => 'A',
        FieldGroup::Content => 'B',
        FieldGroup::Contact => 'C',
        FieldGroup::Place => 'D',
        FieldGroup::Narrative => 'E',
    }
}

/// Puts the letters of its group and of those around it into every free text, and counts them.
fn plant(of: &[Field], object: &mut serde_json::Map<String, Json>, outer: FieldGroups, planted: &mut usize) {
    for field in of {
        let groups = outer.with(field.group);
        match (&field.what, object.get_mut(field.name)) {
            (FieldType::Text { .. }, Some(held)) => {
                *planted += 1;
                *held = Json::from(format!("<{}>", groups.iter().map(letter).collect::<String>()));
            }
            (FieldType::List { of, .. }, Some(Json::Array(items))) => {
                for item in items {
                    plant(of, item.as_object_mut().unwrap(), groups, planted);
                }
            }
            (FieldType::Group(of), Some(Json::Object(inner))) => plant(of, inner, groups, planted),
            _ => {}
        }
    }
}

#[test]
fn masking_leaks_no_group() {
    for kind in RecordKind::ALL {
        let mut json: Json = serde_json::from_str(form(kind).example).unwrap();
        let mut planted = 0;
        plant(form(kind).fields, json.as_object_mut().unwrap(), FieldGroups::EMPTY, &mut planted);
        json["from_a_later_edition"] = Json::from("<unknown>");
        let record = Record::from_json(kind, &json.to_string()).unwrap();
        for shown in all_groups() {
            let masked = record.mask(shown);
            let printed = format!("{} {}", record.to_json(shown), String::from_utf8_lossy(&masked.encode()));
            let canaries = printed.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(inside, _)| inside);
            let mut left = 0;
            for canary in canaries.filter(|inside| *inside != "unknown") {
                left += 1;
                let hidden = FieldGroup::ALL.into_iter().filter(|group| !shown.contains(*group));
                for group in hidden {
                    assert!(!canary.contains(letter(group)), "{kind:?} {shown:?} shows {canary}");
                }
            }
            assert_eq!(printed.contains("<unknown>"), shown == FieldGroups::ALL, "{kind:?} {shown:?}");
            assert!(shown != FieldGroups::ALL || left == 2 * planted, "{kind:?} hides {left} of {planted}");
            assert_eq!(Record::decode_masked(kind, shown, &masked.encode()), Ok(masked.clone()), "{kind:?} {shown:?}");
            assert_eq!(masked.to_json(FieldGroups::ALL), record.to_json(shown));
        }
    }
}

#[test]
fn bytes_that_show_what_should_be_hidden_are_refused() {
    for kind in RecordKind::ALL {
        let record = good(kind);
        for shown in all_groups().filter(|shown| record.mask(*shown).encode() != record.encode()) {
            let fault = Record::decode_masked(kind, shown, &record.encode()).unwrap_err();
            assert_eq!(fault.rule, "hidden", "{kind:?} {shown:?}");
        }
    }
}

#[test]
fn the_reader_is_told_what_is_hidden_whether_there_is_a_value_or_not() {
    let record = good(RecordKind::InsuranceCard);
    let json = record.to_json(FieldGroups::ALL.without(FieldGroup::Place));
    let hidden = ["care_managements.office_number", "care_managements.office_name", "facilities", "*"];
    assert_eq!(json["masked"], Json::from(hidden.to_vec()));
    let mut without: Json = serde_json::from_str(form(RecordKind::InsuranceCard).example).unwrap();
    without.as_object_mut().unwrap().remove("facilities");
    let without = Record::from_json(RecordKind::InsuranceCard, &without.to_string()).unwrap();
    assert_eq!(without.to_json(FieldGroups::ALL.without(FieldGroup::Place)), json);
    assert!(record.to_json(FieldGroups::ALL).get("masked").is_none());
}

#[test]
fn an_unknown_field_is_handed_on_as_it_came() {
    let mut json: Json = serde_json::from_str(form(RecordKind::CarePlan).example).unwrap();
    json["edition"] = serde_json::json!({"b": [1, 2.5, null], "a": "新しい項目"});
    json["needs"][0]["goals"][0]["priority"] = Json::from(3);
    let record = Record::from_json(RecordKind::CarePlan, &json.to_string()).unwrap();
    let again = Record::decode(RecordKind::CarePlan, &record.encode()).unwrap();
    assert_eq!(again, record);
    assert_eq!(again.to_json(FieldGroups::ALL), json);
    assert!(matches!(again.fields().value("edition"), Some(Value::Foreign(_))));
}

#[test]
fn an_unknown_field_is_refused_if_too_deep_or_if_it_identifies_the_person_to_the_state() {
    let with = |held: Json| {
        let mut json: Json = serde_json::from_str(form(RecordKind::CarePlan).example).unwrap();
        json["later"] = held;
        Record::from_json(RecordKind::CarePlan, &json.to_string()).map_err(|fault| (fault.path, fault.rule))
    };
    let unknown = || "(unknown field)".to_owned();
    assert!(with(serde_json::json!([[[[[1]]]]])).is_ok());
    assert_eq!(with(serde_json::json!([[[[[[1]]]]]])), Err((unknown(), "nesting")));
    assert_eq!(with(serde_json::json!(123_456_789_018_u64)), Err((unknown(), "individual_number")));
    assert_eq!(with(serde_json::json!({"123456789018": 1})), Err((unknown(), "individual_number")));
    assert_eq!(
        with(serde_json::json!(["1234\n5678\n9018"])),
        Err((unknown(), "individual_number")),
        "as JSON writes it"
    );
    assert_eq!(with(serde_json::json!({"1234\t5678\t9018": 1})), Err((unknown(), "individual_number")));
}

#[test]
fn a_second_spelling_of_a_record_is_refused() {
    let kind = RecordKind::BurdenRatioCard;
    let bytes = good(kind).encode();
    let key = [&[0x69][..], b"issued_on"].concat();
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap();
    // The keys `ratios` and `issued_on` change places with what they hold.
    let first = &bytes[1..at];
    let end = at + key.len() + 5;
    let swapped = [&bytes[..1], &bytes[at..end], first, &bytes[end..]].concat();
    let twice = [&[0xa3][..], first, &bytes[1..]].concat();
    let longer = [&[0xb8, 0x02][..], &bytes[1..]].concat();
    let endless = [&[0xbf][..], &bytes[1..], &[0xff]].concat();
    let rest = [&bytes[..], &[0]].concat();
    for spoiled in [swapped, twice, longer, endless, rest] {
        assert_eq!(Record::decode(kind, &spoiled).unwrap_err().rule, "encoding", "{spoiled:02x?}");
    }
    assert!(Record::decode(kind, &bytes).is_ok());
}

#[test]
fn a_record_prints_names_and_no_values() {
    let printed = format!("{:?}", good(RecordKind::InsuranceCard));
    assert!(printed.contains("InsuranceCard") && printed.contains("care_managements"), "{printed}");
    for value in ["繋", "0000012345", "1941", "19705", "1370101238"] {
        assert!(!printed.contains(value), "{value}");
    }
}

fn any_kind() -> impl Strategy<Value = RecordKind> {
    proptest::sample::select(RecordKind::ALL.to_vec())
}

#[test]
fn a_number_with_many_digits_comes_back_to_the_last_bit() {
    let kind = RecordKind::DoctorsOpinion;
    let mut json: Json = serde_json::from_str(form(kind).example).unwrap();
    json["body"] = serde_json::json!({"needs": -1.318_820_658_768_819_3e-264});
    let record = Record::from_json(kind, &json.to_string()).unwrap();
    let again = Record::from_json(kind, &record.to_json(FieldGroups::ALL).to_string()).map(|again| again.encode());
    assert_eq!(again, Ok(record.encode()));
}

/// JSON objects of names that the forms know and of others.
fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        "\\PC{0,12}|2026-0[1-9]-[0-3][0-9]|[0-9]{2,10}".prop_map(Json::from),
    ];
    leaf.prop_recursive(8, 64, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            proptest::collection::vec(("needs|goals|ratios|from|to|housing|works|body|[a-z]{1,8}", inner), 0..6)
                .prop_map(|rows| Json::Object(rows.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn reading_anything_panics_never(kind in any_kind(), text in "\\PC{0,80}", bytes in any::<Vec<u8>>()) {
        prop_assert!(Record::from_json(kind, &text).is_err());
        prop_assert!(Record::decode(kind, &bytes).is_err());
    }

    #[test]
    fn a_record_with_anything_in_a_field_is_refused_or_comes_back(
        kind in any_kind(),
        at in any::<Index>(),
        held in any_json(),
    ) {
        let mut json: Json = serde_json::from_str(form(kind).example).unwrap();
        let name = at.get(form(kind).fields).name;
        json[name] = held;
        if let Ok(record) = Record::from_json(kind, &json.to_string()) {
            let bytes = record.encode();
            prop_assert_eq!(Record::decode(kind, &bytes), Ok(record.clone()));
            let written = record.to_json(FieldGroups::ALL).to_string();
            prop_assert_eq!(Record::from_json(kind, &written).map(|again| again.encode()), Ok(bytes));
        }
    }

    #[test]
    fn an_unknown_field_of_any_shape_is_refused_or_comes_back(kind in any_kind(), held in any_json()) {
        let mut json: Json = serde_json::from_str(form(kind).example).unwrap();
        json["later"] = held;
        if let Ok(record) = Record::from_json(kind, &json.to_string()) {
            prop_assert_eq!(Record::decode(kind, &record.encode()), Ok(record));
        }
    }

    #[test]
    fn a_flipped_byte_is_refused_or_another_record(
        kind in any_kind(),
        at in any::<Index>(),
        bit in 0..8_u8,
    ) {
        let mut bytes = good(kind).encode();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(record) = Record::decode(kind, &bytes) {
            prop_assert_eq!(record.encode(), bytes);
            prop_assert_ne!(record, good(kind));
        }
    }

    #[test]
    fn masking_twice_is_masking_to_what_both_show(kind in any_kind(), first in 0..32_usize, second in 0..32_usize) {
        let groups: Vec<FieldGroups> = all_groups().collect();
        let twice = good(kind).mask(groups[first]).mask(groups[second]);
        prop_assert_eq!(twice, good(kind).mask(groups[first].intersection(groups[second])));
    }
}
