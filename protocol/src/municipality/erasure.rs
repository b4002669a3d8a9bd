//! Erasure (消去) and retention (保存期間): what is erased can never be read again, and every ledger and proof stays as
//! it was. The insurer's own officers erase, if the policy permits it; what has been over for as long as its kind is
//! to be kept goes by itself. Never says of whom something was erased.

use crate::access_log::{self, Decision};
use crate::batch::Batch;
use crate::code::act::Act;
use crate::code::field_group::FieldGroups;
use crate::code::job::Job;
use crate::code::purpose::Purpose;
use crate::code::record_kind::RecordKind;
use crate::code::retention;
use crate::date::Date;
use crate::digest::Digest;
use crate::duty::{Desk, Finding, Moment, Shown};
use crate::fact::vector::Facts;
use crate::key::KeyId;
use crate::ledger::leaf::LeafKind;
use crate::machine::{Action, Outbox};
use crate::message::{Erasure, Named, Outcome};
use crate::municipality::Municipality;
use crate::municipality::file::{self, File, Place};
use crate::open_ask;
use crate::policy;
use crate::policy::ruling::Denial;
use crate::record::version::{Head, RecordId};
use crate::refusal::Refusal;
use crate::store::{Key, StoreError};
use crate::table;
use crate::vault::Label;
use crate::verify::Verified;

/// How many rows of records are looked at for their age at once.
pub const ROWS_PER_STEP: usize = 2048;

impl Municipality {
    /// Erases what is named, or says why not. Asked once for each exchange: a repeat is told what was told.
    pub(super) fn find_erasure(
        &mut self,
        verified: &Verified,
        erasure: &Erasure,
        moment: Moment,
        batch: &mut Batch<'_>,
        out: &mut Outbox,
    ) -> Result<Finding, StoreError> {
        let kinds = erasure.record.map_or_else(|| RecordKind::ALL.to_vec(), |named| vec![named.kind]);
        let refused = |refusal, kinds| Ok(Finding::refused(refusal, Label::GENERAL, kinds));
        let Some(label) = self.label_of(&erasure.person, batch)? else { return refused(Refusal::NotOurs, kinds) };
        let today = Date::from_timestamp_japan(moment.at);
        let ties = file::ties(batch, verified.standing().party(), label)?;
        let facts = self.facts(verified, &ties, RecordKind::InsuranceCard, today);
        if facts.is_stranger() {
            return refused(Refusal::Unrelated, kinds);
        }
        let Some(file) = File::read(batch, label)? else { return refused(Refusal::Unrelated, kinds) };
        let reasons = match self.may_erase(facts, &file, &kinds, today, out) {
            Ok(reasons) => reasons,
            Err(refusal) => return refused(refusal, kinds),
        };
        let mut shown = Shown { reasons, ..Shown::nothing(kinds) };
        let erased = match erasure.record {
            None => file::erase(batch, label, &file)?,
            Some(Named { kind, id, number }) => {
                let id = RecordId::from_bytes(*id);
                let is_meant = |head: &Head| head.id == id && number.is_none_or(|number| number == head.number);
                let erased = file::erase_versions(batch, label, kind, is_meant)?;
                if erased.is_empty() {
                    return refused(Refusal::NotAcceptable, shown.kinds);
                }
                shown.versions.push(*id.as_bytes());
                u64::try_from(erased.len()).unwrap_or(u64::MAX)
            }
        };
        // An officer may have submitted it through this very seat.
        open_ask::renew_key(batch)?;
        // The leaf of an erasure is in nobody's chain: what it says must outlive the person's key.
        Ok(Finding { result: Ok(Outcome::Erased(erased)), label: Label::GENERAL, shown })
    }

    /// The policies that permit erasing all of `kinds`, or why not.
    fn may_erase(
        &mut self,
        facts: Facts,
        file: &File,
        kinds: &[RecordKind],
        today: Date,
        out: &mut Outbox,
    ) -> Result<Vec<String>, Refusal> {
        let mut reasons = Vec::new();
        for kind in kinds {
            let facts = Facts { kind: *kind, ..Self::facts_of(facts, file, *kind, today) };
            match policy::authorise_erasing(&mut self.judge, &facts) {
                Ok(decided) => reasons.extend(decided),
                Err(Denial::PolicyBroken) => {
                    out.act(Action::Alarm("a policy could not be evaluated"));
                    return Err(Refusal::PolicyBroken);
                }
                Err(Denial::Unrelated) => return Err(Refusal::Unrelated),
                Err(Denial::NotPermitted) => return Err(Refusal::NotPermitted),
            }
        }
        reasons.sort();
        reasons.dedup();
        Ok(reasons)
    }
}

/// Looks at the next rows of records behind `cursor` and erases what has been over for longer than its kind is kept.
/// Returns the new cursor; none after the last row.
///
/// # Errors
/// [`StoreError`] if the store refuses it.
pub fn retain(desk: &Desk, cursor: Option<Key>, batch: &mut Batch<'_>) -> Result<Option<Key>, StoreError> {
    let today = Date::from_timestamp_japan(batch.now().wall);
    let from = cursor.unwrap_or_else(|| batch.key(table::RECORD, &[]));
    let rows = batch.range(&from, &batch.key(table::RECORD.saturating_add(1), &[]), ROWS_PER_STEP)?;
    let next = rows.get(ROWS_PER_STEP.saturating_sub(1)).map(|(key, _places)| key.after());
    let mut erased = 0_usize;
    let mut kinds = Vec::new();
    for (key, _sealed) in rows {
        let (label, kind) = file::whose(&key).ok_or(StoreError::Unreadable("records"))?;
        let places = file::places(batch, label, kind)?;
        let is_over = |head: &Head| is_over(&places, head, retention::years(kind), today);
        let gone = file::erase_versions(batch, label, kind, is_over)?;
        if !gone.is_empty() && !kinds.contains(&kind) {
            kinds.push(kind);
        }
        erased = erased.saturating_add(gone.len());
    }
    if erased > 0 {
        open_ask::renew_key(batch)?;
        kinds.sort();
        note(desk, erased, kinds, batch)?;
    }
    Ok(next)
}

/// Whether a record came to its end so many years ago: then all its versions are over. It did when its last version has an
/// end, on the latest day that any of them holds or was recorded: nobody makes a record old by saying that it ended long ago.
fn is_over(places: &[Place], head: &Head, years: u32, today: Date) -> bool {
    let of_record = || places.iter().map(|place| &place.head).filter(|other| other.id == head.id);
    let is_open = of_record().max_by_key(|other| other.number).is_none_or(|last| last.valid_to.is_none());
    let days = of_record().flat_map(|other| [other.valid_to, Some(Date::from_timestamp_japan(other.recorded_at))]);
    let until = days.flatten().max().and_then(|end| end.plus_months(years.saturating_mul(12)));
    !is_open && until.is_some_and(|until| until < today)
}

/// The leaf of what went by itself.
fn note(desk: &Desk, erased: usize, kinds: Vec<RecordKind>, batch: &mut Batch<'_>) -> Result<(), StoreError> {
    let decision = Decision {
        refusal: None,
        party: desk.party.clone(),
        signing_key: KeyId::from_bytes([0; 16]),
        staff: String::new(),
        job: Job::System,
        purpose: Purpose::BenefitAdministration,
        kinds,
        policy: desk.policy,
        roster: 0,
        list: 0,
        emergency: false,
        versions: Vec::new(),
        groups: FieldGroups::EMPTY,
        reasons: vec![format!("retention: {erased} versions were over")],
        act: Some(Act::Erase),
    };
    let nothing = Digest::of(&[]);
    access_log::enter(batch, LeafKind::Local, Label::GENERAL, nothing, nothing, decision)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::version::Status;
    use crate::store::Position;
    use crate::time::Timestamp;

    fn place(id: u8, number: u32, valid_to: Option<&str>) -> Place {
        Place {
            head: Head {
                id: RecordId::from_bytes([id; 16]),
                number,
                valid_from: Date::parse("2019-01-01").unwrap(),
                valid_to: valid_to.map(|day| Date::parse(day).unwrap()),
                recorded_at: Timestamp::from_unix_ms(0),
                status: Status::Final,
                supersedes: None,
            },
            position: Position { offset: 0, len: 0 },
            salt: None,
        }
    }

    #[test]
    fn no_version_makes_a_record_older_than_it_is() {
        // 2025-04-01 and 2026-04-01.
        let recorded = |place: Place, at: u64| {
            let head = Head { recorded_at: Timestamp::from_unix_ms(at), ..place.head };
            Place { head, ..place }
        };
        let ends = recorded(place(1, 1, Some("2030-03-31")), 1_743_433_200_000);
        let backdated = recorded(place(1, 2, Some("2010-03-31")), 1_774_969_200_000);
        let over_in = |places: &[Place]| {
            (2016..2050).find(|year| is_over(places, &places[0].head, 5, Date::new(*year, 6, 1).unwrap()))
        };
        assert_eq!(over_in(&[ends, backdated]), Some(2035));
        assert_eq!(over_in(&[backdated]), Some(2031));
        assert_eq!(over_in(&[ends, place(1, 2, None)]), None);
    }

    #[test]
    fn a_record_is_over_so_many_years_after_the_end_of_its_last_version() {
        let places = [
            place(1, 1, None),
            place(1, 2, Some("2021-03-31")),
            place(2, 1, Some("2021-03-31")),
            place(2, 2, None),
            place(3, 1, Some("2021-04-30")),
        ];
        let over = |day: &str| {
            let today = Date::parse(day).unwrap();
            let heads = places.iter().map(|place| &place.head);
            heads.map(|head| is_over(&places, head, 5, today)).collect::<Vec<_>>()
        };
        assert_eq!(over("2026-03-31"), [false; 5]);
        assert_eq!(over("2026-04-01"), [true, true, false, false, false]);
        assert_eq!(over("2026-05-01"), [true, true, false, false, true]);
    }
}
