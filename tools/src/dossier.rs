//! The auditors' report (検証報告書) of many plays: what was tried, what held, what was never tried. Adds up what the crate
//! `simulations` says of each play; judges nothing itself.

mod json;
mod page;
mod picture;
mod words;

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use serde::Deserialize;
use simulations::play::{Cryptography, play};
use simulations::played::{Course, End, Played};
use simulations::scenario::Scenario;
use simulations::storm::Injected;

use crate::files;
use crate::message::{Code, Report, Trouble};
use crate::simulate::said;

/// All that the report tells.
struct Dossier {
    /// In the order in which they were played.
    acts: Vec<Act>,
    /// The planted defects and who noticed them; none if nobody handed them in.
    mutants: Option<Vec<Mutant>>,
    cryptography: Cryptography,
}

/// One scenario under some seeds.
struct Act {
    scenario: Scenario,
    plays: Vec<(u64, Played)>,
    /// Seeds that could not be played, and why.
    broken: Vec<(u64, String)>,
}

/// A planted defect, as the program `mutants` tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Mutant {
    name: String,
    /// The guarantee that noticed; none if it did not.
    caught_by: Option<String>,
    /// How many seeds it took.
    seeds_needed: Option<u64>,
}

/// A guarantee over all plays.
struct Sum {
    evaluated: u64,
    violations: Vec<Violation>,
}

/// A case in which a guarantee did not hold.
struct Violation {
    scenario: String,
    seed: u64,
    what: String,
}

/// How long askers waited, in simulated milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Waits {
    p50: u64,
    p90: u64,
    p99: u64,
    max: u64,
}

/// The most seeds of one scenario: the page stays one that can be read.
pub const SEEDS_MAX: u64 = 100;

/// Plays the scenarios and writes `report.html`, `report.json` and its `report.schema.json` into a folder.
///
/// # Errors
/// [`Code::Usage`] for too many seeds, [`Code::Malformed`] if the table of mutants is none, [`Code::File`] if the folder
/// or a file cannot be written.
pub fn write(
    scenarios: Vec<Scenario>,
    seeds: &Range<u64>,
    cryptography: Cryptography,
    mutants: Option<&Path>,
    folder: &Path,
    tick: &dyn Fn(),
) -> Result<Report, Trouble> {
    if seeds.end.saturating_sub(seeds.start) > SEEDS_MAX {
        return Err(Trouble::new(Code::Usage, format!("報告書の種は {SEEDS_MAX} 個まで")));
    }
    let mutants = mutants.map(read_mutants).transpose()?;
    let acts = scenarios.into_iter().map(|scenario| Act::play(scenario, seeds, cryptography, tick)).collect();
    let dossier = Dossier { acts, mutants, cryptography };
    files::make_folder(folder)?;
    let (page, data) = (folder.join("report.html"), folder.join("report.json"));
    let json = json::of(&dossier);
    files::replace(&page, page::of(&dossier).as_bytes(), 0o644)?;
    files::replace(&data, format!("{json:#}\n").as_bytes(), 0o644)?;
    files::replace(&folder.join("report.schema.json"), json::SCHEMA.as_bytes(), 0o644)?;
    let verdict = if dossier.is_good() {
        "すべての保証が保たれました"
    } else {
        "破られた保証か、起きなかったことがあります"
    };
    Ok(Report {
        text: format!("{verdict}\n{}\n{}", page.display(), data.display()),
        data: json,
        good: dossier.is_good(),
    })
}

fn read_mutants(path: &Path) -> Result<Vec<Mutant>, Trouble> {
    serde_json::from_str(&files::read_text(path)?)
        .map_err(|error| Trouble::new(Code::Malformed, format!("{}: {error}", path.display())))
}

impl Act {
    fn play(scenario: Scenario, seeds: &Range<u64>, cryptography: Cryptography, tick: &dyn Fn()) -> Self {
        let mut act = Self { scenario, plays: Vec::new(), broken: Vec::new() };
        for seed in seeds.clone() {
            match catch_unwind(AssertUnwindSafe(|| play(&act.scenario, seed, cryptography))) {
                Ok(Ok(played)) => act.plays.push((seed, played)),
                Ok(Err(error)) => act.broken.push((seed, error.to_string())),
                Err(panic) => act.broken.push((seed, format!("panic: {}", said(panic.as_ref())))),
            }
            tick();
        }
        act
    }

    fn is_good(&self) -> bool {
        self.broken.is_empty() && self.plays.iter().all(|(_seed, played)| played.is_good())
    }

    fn courses(&self) -> impl Iterator<Item = &Course> {
        self.plays.iter().flat_map(|(_seed, played)| &played.courses)
    }

    fn waits(&self) -> Waits {
        let waited = |course: &Course| Some(course.ended_at?.ms().saturating_sub(course.asked_at.ms()));
        let mut all: Vec<u64> = self.courses().filter_map(waited).collect();
        all.sort_unstable();
        let at = |hundredths: usize| {
            let place = all.len().saturating_mul(hundredths).div_ceil(100).saturating_sub(1);
            all.get(place).copied().unwrap_or_default()
        };
        Waits { p50: at(50), p90: at(90), p99: at(99), max: at(100) }
    }
}

impl Dossier {
    fn is_good(&self) -> bool {
        let is_caught = |mutants: &Vec<Mutant>| mutants.iter().all(|mutant| mutant.seeds_needed.is_some());
        self.acts.iter().all(Act::is_good) && self.mutants.as_ref().is_none_or(is_caught)
    }

    fn plays(&self) -> impl Iterator<Item = (&Act, u64, &Played)> {
        self.acts.iter().flat_map(|act| act.plays.iter().map(move |(seed, played)| (act, *seed, played)))
    }

    /// Each guarantee by its name.
    fn guarantees(&self) -> BTreeMap<&'static str, Sum> {
        let mut sums: BTreeMap<&'static str, Sum> = BTreeMap::new();
        for (act, seed, played) in self.plays() {
            for verdict in &played.guarantees {
                let sum = sums.entry(verdict.name).or_insert(Sum { evaluated: 0, violations: Vec::new() });
                sum.evaluated = sum.evaluated.saturating_add(verdict.evaluated);
                let scenario = &act.scenario.name;
                sum.violations.extend(verdict.violations.iter().map(|what| Violation {
                    scenario: scenario.clone(),
                    seed,
                    what: what.clone(),
                }));
            }
        }
        sums
    }

    /// Each fault: its name, its Japanese name, how often it was injected, how many questions of those plays met a
    /// fault, and how many guarantees were broken in them.
    fn faults(&self) -> Vec<(&'static str, &'static str, u64, u64, u64)> {
        let mut faults: Vec<_> =
            Injected::default().named().iter().map(|(name, japanese, _none)| (*name, *japanese, 0, 0, 0)).collect();
        for (_act, _seed, played) in self.plays() {
            let met = count(played.courses.iter().filter(|course| course.met_fault).count());
            let broken = count(played.guarantees.iter().filter(|verdict| !verdict.violations.is_empty()).count());
            for (fault, (_name, _japanese, injected)) in faults.iter_mut().zip(played.injected.named()) {
                if injected > 0 {
                    fault.2 += injected;
                    fault.3 += met;
                    fault.4 += broken;
                }
            }
        }
        faults
    }

    /// Of each prefecture (1 to 47): its insurers, and how the questions about their persons ended.
    fn prefectures(&self) -> BTreeMap<u64, (usize, BTreeMap<End, u64>)> {
        let mut insurers: BTreeMap<u64, std::collections::BTreeSet<String>> = BTreeMap::new();
        let mut ends: BTreeMap<u64, BTreeMap<End, u64>> = BTreeMap::new();
        for course in self.acts.iter().flat_map(Act::courses) {
            let number = course.insurer.to_string();
            let Some(prefecture) = number.get(..2).and_then(|digits| digits.parse().ok()) else { continue };
            insurers.entry(prefecture).or_default().insert(number);
            *ends.entry(prefecture).or_default().entry(course.end).or_default() += 1;
        }
        insurers
            .into_iter()
            .map(|(prefecture, known)| (prefecture, (known.len(), ends.remove(&prefecture).unwrap_or_default())))
            .collect()
    }

    /// Of each kind of organisation: how many there were, what they keep, and in how much of it a card's number stands.
    fn keepers(&self) -> BTreeMap<String, (u64, u64, u64)> {
        let mut keepers: BTreeMap<String, (u64, u64, u64)> = BTreeMap::new();
        for (_act, _seed, played) in self.plays() {
            for (party, kept) in &played.kept {
                let kind = party.to_string().split(':').next().unwrap_or_default().to_owned();
                let sum = keepers.entry(kind).or_default();
                *sum = (sum.0 + 1, sum.1 + kept.rows, sum.2 + kept.readable);
            }
        }
        keepers
    }
}

fn ends(played: &Played) -> BTreeMap<End, u64> {
    let mut ends = BTreeMap::new();
    for course in &played.courses {
        *ends.entry(course.end).or_default() += 1;
    }
    ends
}

fn count(things: usize) -> u64 {
    u64::try_from(things).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Dossier {
        let named = |name: &str| Scenario::shipped().into_iter().find(|scenario| scenario.name == name).unwrap();
        let acts = ["calm", "rogue-insurer"].map(|name| Act::play(named(name), &(1..2), Cryptography::Toy, &|| ()));
        let mutant = Mutant { name: "<b>".into(), caught_by: None, seeds_needed: None };
        Dossier { acts: acts.into(), mutants: Some(vec![mutant]), cryptography: Cryptography::Toy }
    }

    #[test]
    fn the_page_is_small_stands_alone_and_shows_no_foreign_markup() {
        let page = page::of(&small());
        assert!(page.len() < 2_000_000);
        for needed in ["<html lang=\"ja\">", "lang=\"en\"", "<caption>", "role=\"img\"", "&lt;b&gt;"] {
            assert!(page.contains(needed), "{needed}");
        }
        for foreign in ["<script", "http://", "https://", "<link", "url(", "<b>"] {
            assert!(!page.contains(foreign), "{foreign}");
        }
        let tables = page.matches("<table").count();
        assert_eq!((tables, tables), (page.matches("</table>").count(), page.matches("<caption>").count()));
        assert!(page.matches("<svg").count() < tables, "a table for every picture");
    }

    #[test]
    fn the_data_has_what_the_schema_names_and_nothing_else() {
        let schema: serde_json::Value = serde_json::from_str(json::SCHEMA).unwrap();
        json::fits(&schema, &schema, &json::of(&small()), "report");
    }

    #[test]
    fn a_mutant_that_nobody_caught_makes_the_report_bad() {
        let mut dossier = small();
        assert!(!dossier.is_good());
        dossier.mutants = None;
        assert!(dossier.is_good());
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_waits() {
        let mut act = small().acts.remove(0);
        let (seed, mut played) = act.plays.remove(0);
        let course = played.courses.first().unwrap().clone();
        let at = |ms| protocol::time::Span::from_ms(ms);
        played.courses =
            (1..=100).map(|ms| Course { asked_at: at(5), ended_at: Some(at(5 + ms)), ..course.clone() }).collect();
        act.plays.push((seed, played));
        assert_eq!(act.waits(), Waits { p50: 50, p90: 90, p99: 99, max: 100 });
    }
}
