//! Invented persons for whoever tries software out (`tsunagi population`): import lines of one insurer, from a seed. The
//! same words give the same bytes on every machine. No person in them is real.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use protocol::date::Date;
use protocol::id::hospital::HospitalCode;
use protocol::id::insurer::InsurerNumber;
use protocol::id::office::{CheckDigit, OfficeNumber};
use protocol::id::party::PartyId;
use serde_json::json;
use simulations::population::{self, MONTHS_MAX, Plan};

use crate::files;
use crate::message::{Code, Report, Trouble};
use crate::plan;

/// What is wanted, as typed.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The insurer.
    pub insurer: String,
    /// How many insured persons; about one in five is certified.
    pub persons: u64,
    /// Another seed, other persons.
    pub seed: u64,
    /// The day they are of; nothing is recorded after it.
    pub today: Date,
    /// How many months of what is written each month.
    pub months: u32,
    /// The folder to be made.
    pub out: PathBuf,
}

/// Insured persons for each office that plans care, each that gives services, and each hospital.
const PERSONS_PER_OFFICE: (u64, u64, u64) = (300, 150, 500);
/// The most persons: more than any insurer has.
const PERSONS_MAX: u64 = 4_000_000;
/// The days they may be of: from then on all that is recorded of them lies in the time of the insurance.
const TODAY: (&str, &str) = ("2015-01-01", "2199-03-31");
/// The most offices of a kind, so that their serial numbers have four digits.
const OFFICES_MAX: u64 = 4_000;

/// Writes them. `told` hears after each person.
///
/// # Errors
/// [`Code::Usage`] for a number that is no insurer's, [`Code::Exists`] and [`Code::File`].
pub fn write(wanted: &Wanted, told: &mut dyn FnMut()) -> Result<Report, Trouble> {
    let plan = plan(wanted)?;
    files::require_absent(&wanted.out)?;
    files::make_folder(&wanted.out)?;
    let (lines, about) = (wanted.out.join("persons.ndjson"), wanted.out.join("about.json"));
    // What is cut off in the middle does not bear the name of what is whole.
    let draft = wanted.out.join("draft.ndjson");
    let failed = |error: std::io::Error| Trouble::new(Code::File, format!("{}: {error}", lines.display()));
    let mut file = BufWriter::new(std::fs::File::create_new(&draft).map_err(failed)?);
    let (mut certified, mut versions) = (0_u64, BTreeMap::<&str, u64>::new());
    for person in population::persons(&plan) {
        certified = certified.saturating_add(u64::from(person.care_level().is_some()));
        let records = person.records();
        for record in &records {
            let count = versions.entry(record.kind.as_str()).or_default();
            *count = count.saturating_add(1);
        }
        writeln!(file, "{}", person.line_with(&records)).map_err(failed)?;
        told();
    }
    file.flush().map_err(failed)?;
    std::fs::rename(&draft, &lines).map_err(failed)?;
    let names = |parties: &[PartyId]| parties.iter().map(ToString::to_string).collect::<Vec<_>>();
    let data = json!({ "insurer": wanted.insurer, "persons": wanted.persons, "certified": certified, "seed": wanted.seed,
        "today": wanted.today.to_string(), "months": wanted.months, "versions": versions, "care_planning_offices": names(&plan.offices),
        "service_offices": names(&plan.services), "hospitals": names(&plan.hospitals) });
    files::write_new(&about, format!("{data:#}\n").as_bytes(), 0o644)?;
    let all: u64 = versions.values().sum();
    let text = format!(
        "架空の {} 人(うち認定 {certified} 人)と記録 {all} 版を {} に書きました。ノードの POST /v1/import に千行ずつ渡せます",
        wanted.persons,
        lines.display()
    );
    Ok(Report::good(text, data))
}

fn plan(wanted: &Wanted) -> Result<Plan, Trouble> {
    let insurer = InsurerNumber::parse(&wanted.insurer).ok_or_else(|| {
        Trouble::new(Code::Usage, format!("--insurer: {} は保険者番号ではありません", wanted.insurer))
    })?;
    let within = |day: &str| Date::parse(day).ok_or_else(|| Trouble::new(Code::Usage, day));
    if wanted.persons > PERSONS_MAX {
        return Err(Trouble::new(Code::Usage, format!("--persons: {PERSONS_MAX} 人までです")));
    }
    if !(1..=MONTHS_MAX).contains(&wanted.months) {
        return Err(Trouble::new(Code::Usage, format!("--months: 1 から {MONTHS_MAX} までです")));
    }
    if !(within(TODAY.0)?..=within(TODAY.1)?).contains(&wanted.today) {
        return Err(Trouble::new(Code::Usage, format!("--today: {} から {} までです", TODAY.0, TODAY.1)));
    }
    let prefecture = wanted.insurer.get(..2).unwrap_or_default();
    let count = |each: u64| (wanted.persons / each).clamp(1, OFFICES_MAX);
    let numbered =
        |kind: &str, first: u64, each: u64, digits: &dyn Fn(u64, u64) -> String, is_good: &dyn Fn(&str) -> bool| {
            let parties = (first..first.saturating_add(count(each))).filter_map(|serial| {
                let number = (0..10).map(|check| digits(serial, check)).find(|number| is_good(number))?;
                plan::party(&format!("{kind}:{number}")).ok()
            });
            parties.collect::<Vec<_>>()
        };
    let office = |serial: u64, check: u64| format!("{prefecture}799{serial:04}{check}");
    let is_office = |number: &str| OfficeNumber::parse(number).is_some_and(|it| it.check_digit() == CheckDigit::Good);
    let hospital = |serial: u64, check: u64| format!("{prefecture}199{serial:04}{check}");
    let is_hospital = |number: &str| HospitalCode::parse(number).is_some_and(|it| it.check_digit() == CheckDigit::Good);
    let (planning, serving, healing) = PERSONS_PER_OFFICE;
    Ok(Plan {
        insurer,
        persons: wanted.persons,
        seed: wanted.seed,
        today: wanted.today,
        offices: numbered("office", 1, planning, &office, &is_office),
        services: numbered("office", OFFICES_MAX.saturating_add(1), serving, &office, &is_office),
        hospitals: numbered("hospital", 1, healing, &hospital, &is_hospital),
        records_per_person_min: 0,
        months: wanted.months,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::code::record_kind::RecordKind;

    #[test]
    fn the_same_words_give_the_same_bytes_that_an_insurer_takes() {
        let folder = tempfile::tempdir().unwrap();
        let today = Date::parse("2026-11-25").unwrap();
        let wanted = |name: &str, seed| Wanted {
            insurer: "131235".to_owned(),
            persons: 600,
            seed,
            today,
            months: 14,
            out: folder.path().join(name),
        };
        let mut persons = 0;
        let report = write(&wanted("a", 1), &mut || persons += 1).unwrap();
        assert_eq!(persons, 600);
        for kind in RecordKind::ALL {
            assert!(report.data["versions"][kind.as_str()].as_u64() > Some(0), "{kind}: {}", report.data);
        }
        assert_eq!(report.data["service_offices"].as_array().map(Vec::len), Some(4));
        write(&wanted("b", 1), &mut || ()).unwrap();
        write(&wanted("c", 2), &mut || ()).unwrap();
        let bytes = |name: &str| std::fs::read(folder.path().join(name).join("persons.ndjson")).unwrap();
        assert_eq!(bytes("a"), bytes("b"));
        assert_ne!(bytes("a"), bytes("c"));
        assert_eq!(write(&wanted("a", 1), &mut || ()).unwrap_err().code, Code::Exists);
        let odd = [
            Wanted { insurer: "131234".to_owned(), ..wanted("d", 1) },
            Wanted { persons: u64::MAX, ..wanted("d", 1) },
            Wanted { months: 0, ..wanted("d", 1) },
            Wanted { today: Date::parse("1900-01-01").unwrap(), ..wanted("d", 1) },
        ];
        assert!(odd.iter().all(|odd| write(odd, &mut || ()).unwrap_err().code == Code::Usage));
        assert!(!folder.path().join("d").exists(), "nothing is made for what cannot be");
    }
}
