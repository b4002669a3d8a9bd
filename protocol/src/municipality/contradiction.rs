//! Whether what is submitted contradicts (矛盾) what is kept. The level that a plan, a slip or an assessment names must be one
//! that was certified for its time: what is not decided yet contradicts nothing, and the insurer itself may say what it
//! finds right. Of what the insurer decides, one certification and one share hold on a day. Changes nothing.

use std::collections::BTreeSet;

use crate::batch::Batch;
use crate::code::record_kind::RecordKind;
use crate::date::Date;
use crate::municipality::file;
use crate::municipality::submission::Wrong;
use crate::record::timeline::{self, AsOf};
use crate::record::version::{Head, Status, Version};
use crate::store::StoreError;
use crate::time::Timestamp;
use crate::vault::Label;

/// What in `version`, handed in by the insurer itself or by another, contradicts what is kept as far as is known at `now`,
/// and what comes before it in `fresh`: field, rule, and what would be right.
///
/// # Errors
/// [`StoreError`] if the store cannot be read or what it holds does not open.
pub(super) fn find(
    (version, is_insurers): (&Version, bool),
    fresh: &[Version],
    label: Label,
    now: Timestamp,
    batch: &Batch<'_>,
) -> Result<Option<Wrong>, StoreError> {
    let wrong =
        |path: &str, rule: &str, expected: &str| Ok(Some((path.to_owned(), rule.to_owned(), expected.to_owned())));
    if !is_insurers && is_of_another_level(version, label, now, batch)? {
        let right = "the level that was certified for that time (認定結果の要介護状態区分)";
        return wrong("care_level", "level_of_certification", right);
    }
    if overlaps(version, fresh, label, now, batch)? {
        let right = "a period in which no other of its kind holds; amend or replace that one";
        return wrong("valid_from", "overlap", right);
    }
    Ok(None)
}

/// Whether the level in `version` is none of those certified for its time: for its first day, its last, and each on which a
/// certification begins in between.
fn is_of_another_level(version: &Version, label: Label, now: Timestamp, batch: &Batch<'_>) -> Result<bool, StoreError> {
    // What is being written says nothing yet, and what is cancelled says nothing any more.
    let says = matches!(version.status, Status::Final | Status::Amended) && names_the_certified_level(version);
    let Some(told) = level(version).filter(|_level| says) else { return Ok(false) };
    let mut certified = Vec::new();
    let last = version.valid_to.unwrap_or(Date::MAX);
    let places = file::places(batch, label, RecordKind::CertificationResult)?;
    let begins =
        places.iter().map(|place| place.head.valid_from).filter(|day| version.valid_from < *day && *day < last);
    for valid_on in begins.chain([version.valid_from, last]).collect::<BTreeSet<_>>() {
        let as_of = AsOf { valid_on, recorded_by: now };
        let results = file::in_force(batch, label, RecordKind::CertificationResult, as_of)?;
        certified.extend(results.iter().filter_map(level));
    }
    Ok(!certified.is_empty() && !certified.contains(&told))
}

/// Whether another record of its kind, of which one only holds at a time, holds on a day on which `version` does, once that
/// is kept behind `fresh`.
fn overlaps(
    version: &Version,
    fresh: &[Version],
    label: Label,
    now: Timestamp,
    batch: &Batch<'_>,
) -> Result<bool, StoreError> {
    if !holds_alone(version.kind) {
        return Ok(false);
    }
    // What is erased holds no more, and nobody could amend or replace it.
    let places = file::places(batch, label, version.kind)?;
    let readable = places.iter().filter(|place| place.salt.is_some());
    let mut heads: Vec<Head> = readable.map(|place| place.head).collect();
    heads.extend(fresh.iter().filter(|other| other.kind == version.kind).map(Version::head));
    heads.push(version.head());
    // Two periods that meet do so on the first day of one of them.
    let mut days = heads.iter().map(|head| head.valid_from).filter(|day| *day >= version.valid_from);
    Ok(days.any(|valid_on| {
        let held = timeline::in_force(&heads, AsOf { valid_on, recorded_by: now });
        held.len() > 1 && held.contains(&version.head())
    }))
}

/// Whether some day has two of these that hold, of a kind of which one only does, once all of them are kept.
pub(super) fn is_crowded(kind: RecordKind, heads: &[Head]) -> bool {
    // As of the end of time: all that is kept is known.
    let recorded_by = Timestamp::from_unix_ms(u64::MAX);
    let mut days = heads.iter().map(|head| head.valid_from);
    holds_alone(kind) && days.any(|valid_on| timeline::in_force(heads, AsOf { valid_on, recorded_by }).len() > 1)
}

/// Whether one record of the kind holds on a day and no other.
const fn holds_alone(kind: RecordKind) -> bool {
    matches!(kind, RecordKind::CertificationResult | RecordKind::BurdenRatioCard)
}

/// A plan made while an application waits (暫定) names the level that is expected.
fn names_the_certified_level(version: &Version) -> bool {
    match version.kind {
        RecordKind::CarePlan => text(version, "certification_state").is_some_and(|state| state == "1"),
        RecordKind::PreventionPlan
        | RecordKind::ServiceUsePlan
        | RecordKind::BenefitManagement
        | RecordKind::LifeAssessment => true,
        _ => false,
    }
}

fn level(version: &Version) -> Option<String> {
    text(version, "care_level")
}

fn text(version: &Version, name: &str) -> Option<String> {
    version.record().ok()?.fields().text(name).map(str::to_owned)
}
