//! What authors submit (提出): versions of records from offices, hospitals and the insurer's own officers. All of one
//! submission are kept or none; nothing is overwritten; an author corrects what they wrote themselves, the insurer
//! (職権) whatever it keeps. Shows nothing of what is kept already.

use std::collections::BTreeSet;

use crate::batch::Batch;
use crate::code::record_kind::RecordKind;
use crate::date::Date;
use crate::duty::{Finding, Moment, Shown};
use crate::fact::vector::Facts;
use crate::id::party::PartyId;
use crate::machine::{Action, Count, Examined, Outbox};
use crate::message::{Flaw, Kept, Outcome, Submission};
use crate::municipality::Municipality;
use crate::municipality::contradiction;
use crate::municipality::file::{self, File};
use crate::municipality::import::{VERSIONS_MAX, VERSIONS_WITH_OTHERS_MAX};
use crate::policy::ruling::Denial;
use crate::policy::{self, WritePermit};
use crate::record::paper::{self, Vouched};
use crate::record::version::{RecordId, Version};
use crate::refusal::Refusal;
use crate::store::StoreError;
use crate::vault::Label;
use crate::verify::Verified;

impl Municipality {
    /// Keeps what was submitted, or says why not. Asked once for each exchange: a repeat is told what was told.
    pub(super) fn find_submission(
        &mut self,
        verified: &Verified,
        (submission, examined): (&Submission, &Examined),
        moment: Moment,
        batch: &mut Batch<'_>,
        out: &mut Outbox,
    ) -> Result<Finding, StoreError> {
        let kinds = paper::kinds(&submission.papers);
        let Some(label) = self.label_of(&submission.person, batch)? else {
            return Ok(Finding::refused(Refusal::NotOurs, Label::GENERAL, kinds));
        };
        let refused = |refusal, kinds| Ok(Finding::refused(refusal, label, kinds));
        let today = Date::from_timestamp_japan(moment.at);
        let ties = file::ties(batch, verified.standing().party(), label)?;
        let facts = self.facts(verified, &ties, RecordKind::InsuranceCard, today);
        if facts.is_stranger() {
            return refused(Refusal::Unrelated, kinds);
        }
        let Some(file) = File::read(batch, label)? else { return refused(Refusal::Unrelated, kinds) };
        let permits = match self.may_write(facts, &file, &kinds, today, out) {
            Ok(permits) => permits,
            Err(refusal) => return refused(refusal, kinds),
        };
        let flawed = |flaws, kinds| {
            let shown = Shown { reasons: reasons(&permits), ..Shown::nothing(kinds) };
            Ok(Finding { result: Ok(Outcome::NotKept(flaws)), label, shown })
        };
        let vouched = match examined {
            Ok(vouched) => vouched,
            Err(flaws) => return flawed(flaws.clone(), kinds),
        };
        let is_insurer = *verified.standing().party() == self.desk.party;
        let desk = Files { label, author: verified.standing().party(), is_insurer };
        let mut fresh = Vec::new();
        let (mut kept, mut flaws) = (Vec::new(), Vec::new());
        for (place, one) in (0_u32..).zip(vouched) {
            match desk.place(one, &fresh, batch)? {
                Ok(Some(known)) => kept.push(told(&known)),
                Ok(None) => {
                    let version = one.clone().record(moment.at);
                    let of = (&version, is_insurer);
                    if let Some((path, rule, expected)) = contradiction::find(of, &fresh, label, moment.at, batch)? {
                        flaws.push(Flaw { paper: place, path, rule, expected });
                    }
                    kept.push(told(&version));
                    fresh.push(version);
                }
                Err((path, rule, expected)) => flaws.push(Flaw { paper: place, path, rule, expected }),
            }
        }
        if !flaws.is_empty() {
            return flawed(flaws, kinds);
        }
        let mut shown = Shown { reasons: reasons(&permits), ..Shown::nothing(kinds) };
        for version in &fresh {
            let permit = permits.iter().find(|permit| permit.kind() == version.kind);
            // Every kind of these papers was asked about above.
            let Some(permit) = permit else { return refused(Refusal::NotPermitted, shown.kinds) };
            write(permit, label, version, batch)?;
            shown.versions.push(*version.id.as_bytes());
        }
        Ok(Finding { result: Ok(Outcome::Kept(kept)), label, shown })
    }

    /// A permit for each of `kinds`, or why not.
    fn may_write(
        &mut self,
        facts: Facts,
        file: &File,
        kinds: &[RecordKind],
        today: Date,
        out: &mut Outbox,
    ) -> Result<Vec<WritePermit>, Refusal> {
        let mut permits = Vec::new();
        for kind in kinds {
            let facts = Self::facts_of(facts, file, *kind, today);
            let before = self.judge.remembered();
            let permit = policy::authorise_writing(&mut self.judge, &facts, &file.person, *kind);
            let is_new = self.judge.remembered() == before;
            out.count(if is_new { Count::RulingMade } else { Count::RulingRemembered });
            permits.push(permit.map_err(|denial| match denial {
                Denial::PolicyBroken => {
                    out.act(Action::Alarm("a policy could not be evaluated"));
                    Refusal::PolicyBroken
                }
                Denial::Unrelated => Refusal::Unrelated,
                Denial::NotPermitted => Refusal::NotPermitted,
            })?);
        }
        Ok(permits)
    }
}

/// The files a submission is held against.
struct Files<'a> {
    label: Label,
    author: &'a PartyId,
    /// Whether the insurer itself submits.
    is_insurer: bool,
}

/// Field, rule, and what would be right.
pub(super) type Wrong = (String, String, String);

impl Files<'_> {
    /// Whether a version fits behind what is kept and what comes with it: none if it does, and the very version if it
    /// is kept already.
    fn place(
        &self,
        one: &Vouched,
        fresh: &[Version],
        batch: &Batch<'_>,
    ) -> Result<Result<Option<Version>, Wrong>, StoreError> {
        let head = one.head();
        let Some(mut all) = file::versions_of(batch, self.label, one.kind(), head.id)? else {
            return Ok(wrong("id", "erased", "a record that is kept"));
        };
        all.extend(fresh.iter().filter(|version| version.kind == one.kind() && version.id == head.id).cloned());
        if let Some(known) = all.iter().find(|version| version.number == head.number) {
            let is_same = one.says_the_same(known);
            return Ok(if is_same {
                Ok(Some(known.clone()))
            } else {
                wrong("number", "taken", "a number not used yet")
            });
        }
        let last = all.iter().max_by_key(|version| version.number);
        if last.is_some_and(|last| !self.may_amend(last)) {
            return Ok(wrong("id", "author", "a record of your own"));
        }
        let next = last.map_or(0, |last| last.number).saturating_add(1);
        if head.number != next {
            return Ok(wrong("number", "sequence", &next.to_string()));
        }
        if !head.status.may_follow(last.map(|last| last.status)) {
            return Ok(wrong(
                "status",
                "sequence",
                "what may follow the version before: 訂正 or 取消 of what is in force",
            ));
        }
        if let Some(other) = head.supersedes
            && let Some(flaw) = self.replaces(one.kind(), (head.id, other), fresh, batch)?
        {
            return Ok(Err(flaw));
        }
        let places = file::places(batch, self.label, one.kind())?;
        let readable = places.iter().filter(|place| place.salt.is_some()).count().saturating_add(fresh.len());
        let is_full = places.len().saturating_add(fresh.len()) >= VERSIONS_MAX
            || (!self.is_insurer && readable >= VERSIONS_WITH_OTHERS_MAX);
        Ok(if is_full { wrong("", "versions", "fewer versions of one kind") } else { Ok(None) })
    }

    /// What is wrong with replacing `other`, if something is.
    fn replaces(
        &self,
        kind: RecordKind,
        (own, other): (RecordId, RecordId),
        fresh: &[Version],
        batch: &Batch<'_>,
    ) -> Result<Option<Wrong>, StoreError> {
        let rule = |rule: &str, expected: &str| Some(("supersedes".to_owned(), rule.to_owned(), expected.to_owned()));
        if own == other {
            return Ok(rule("other", "another record than its own"));
        }
        let Some(kept) = file::versions_of(batch, self.label, kind, other)? else {
            return Ok(rule("erased", "a record that is kept"));
        };
        let all = kept.iter().chain(fresh.iter().filter(|version| version.kind == kind && version.id == other));
        Ok(match all.max_by_key(|version| version.number) {
            None => rule("known", "a record of this person and kind that is kept"),
            Some(last) if !self.may_amend(last) => rule("author", "a record of your own"),
            Some(_) if self.is_behind(kind, (own, other), fresh, batch)? => {
                rule("circle", "a record that does not itself replace this one: neither would be in force")
            }
            Some(_) => None,
        })
    }

    /// Whether `other` replaces `own`, or one that does, or one that replaces one that does.
    fn is_behind(
        &self,
        kind: RecordKind,
        (own, other): (RecordId, RecordId),
        fresh: &[Version],
        batch: &Batch<'_>,
    ) -> Result<bool, StoreError> {
        let kept =
            file::places(batch, self.label, kind)?.into_iter().map(|place| (place.head.id, place.head.supersedes));
        let fresh = fresh.iter().filter(|version| version.kind == kind).map(|version| (version.id, version.supersedes));
        let replaces: Vec<_> = kept.chain(fresh).filter_map(|(id, replaced)| Some((id, replaced?))).collect();
        let (mut seen, mut next) = (BTreeSet::from([other]), vec![other]);
        while let Some(at) = next.pop() {
            let replaced = replaces.iter().filter(|(id, _replaced)| *id == at).map(|(_id, replaced)| *replaced);
            next.extend(replaced.filter(|replaced| seen.insert(*replaced)));
        }
        Ok(seen.contains(&own))
    }

    fn may_amend(&self, version: &Version) -> bool {
        self.is_insurer || version.author == *self.author
    }
}

fn wrong<T>(path: &str, rule: &str, expected: &str) -> Result<T, Wrong> {
    Err((path.to_owned(), rule.to_owned(), expected.to_owned()))
}

/// The ids of the policies that decided, sorted.
fn reasons(permits: &[WritePermit]) -> Vec<String> {
    let all: BTreeSet<_> = permits.iter().flat_map(|permit| permit.reasons().iter().cloned()).collect();
    all.into_iter().collect()
}

fn told(version: &Version) -> Kept {
    let Version { id, number, recorded_at, .. } = version;
    Kept { id: (*id.as_bytes()).into(), number: *number, recorded_at: *recorded_at }
}

/// Adds a version of a kind that may be written.
fn write(permit: &WritePermit, label: Label, version: &Version, batch: &mut Batch<'_>) -> Result<(), StoreError> {
    assert_eq!(permit.kind(), version.kind, "a permit is for one kind");
    file::add(batch, label, version.kind, core::slice::from_ref(version))
}
