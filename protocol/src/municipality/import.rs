//! Keeping what an insurer's own systems fed. All lines of one import are kept, under one leaf, or none.

use std::collections::{BTreeMap, BTreeSet};

use crate::access_log::{self, Decision};
use crate::batch::Batch;
use crate::code::field_group::FieldGroups;
use crate::code::job::Job;
use crate::code::purpose::Purpose;
use crate::code::record_kind::RecordKind;
use crate::digest::Digest;
use crate::duty::Desk;
use crate::feed::{Fed, Line};
use crate::id::handle::Handle;
use crate::id::party::PartyId;
use crate::key::KeyId;
use crate::ledger::leaf::LeafKind;
use crate::municipality::contradiction;
use crate::municipality::file::{self, File};
use crate::primitives::Secret;
use crate::record::version::Version;
use crate::store::StoreError;
use crate::vault::Label;

/// The most versions of one kind a person may have, erased ones counted: their places share one row of the index.
pub const VERSIONS_MAX: usize = 500;
/// The most that are not erased once others than the insurer have handed one in: so many that the insurer always has room
/// to put something right.
pub const VERSIONS_WITH_OTHERS_MAX: usize = 300;

/// The most organisations that are or ever were tied to a person: an erasure takes them all in one row.
pub const TIED_MAX: usize = 2000;

/// Keeps what was fed: `Ok` with how many versions were new, or what is wrong where, never with the value.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub fn import(
    desk: &Desk,
    label_key: &Secret,
    fed: Fed,
    batch: &mut Batch<'_>,
) -> Result<Result<u64, String>, StoreError> {
    let lines = match fed.lines {
        Ok(lines) => lines,
        Err(message) => return Ok(Err(message)),
    };
    let (mut persons, mut medical) = (BTreeSet::new(), BTreeSet::new());
    let mut fitting = Vec::new();
    for (number, line) in (1_u64..).zip(&lines) {
        let label = access_log::label(label_key, &Handle::Care(line.person.clone()));
        let handle = line.medical.clone().map(|medical| access_log::label(label_key, &Handle::Medical(medical)));
        let fits = if !persons.insert(label) {
            Err("a person twice")
        } else if handle.is_some_and(|handle| !medical.insert(handle)) {
            Err(ANOTHERS)
        } else {
            Fitting::find(line, label, handle, batch)?
        };
        match fits {
            Ok(fits) => fitting.push(fits),
            Err(what) => return Ok(Err(format!("line {number}: {what}"))),
        }
    }
    let mut records: u64 = 0;
    for fits in &fitting {
        records = records.saturating_add(fits.keep(batch)?);
    }
    let decision = Decision {
        refusal: None,
        party: desk.party.clone(),
        signing_key: KeyId::from_bytes([0; 16]),
        staff: String::new(),
        job: Job::MunicipalOfficer,
        purpose: Purpose::BenefitAdministration,
        kinds: Vec::new(),
        policy: desk.policy,
        roster: 0,
        list: 0,
        emergency: false,
        versions: Vec::new(),
        groups: FieldGroups::EMPTY,
        reasons: vec![format!("import of {} persons, {records} records", lines.len())],
        act: None,
    };
    access_log::enter(batch, LeafKind::Local, Label::GENERAL, fed.digest, Digest::of(&[]), decision)?;
    Ok(Ok(records))
}

const ANOTHERS: &str = "medical: another person's";

/// A line that can be kept beside what is there.
struct Fitting<'a> {
    line: &'a Line,
    label: Label,
    medical: Option<Label>,
    /// The versions that are not there yet.
    fresh: BTreeMap<RecordKind, Vec<&'a Version>>,
}

impl<'a> Fitting<'a> {
    /// Looks before anything is staged.
    fn find(
        line: &'a Line,
        label: Label,
        medical: Option<Label>,
        batch: &Batch<'_>,
    ) -> Result<Result<Self, &'static str>, StoreError> {
        if let Some(handle) = medical
            && file::by_medical(batch, handle)?.is_some_and(|other| other != label)
        {
            return Ok(Err(ANOTHERS));
        }
        let tied = File::read(batch, label)?.map_or(0, |file| file.tied.len());
        if tied.saturating_add(line.ties.len()) > TIED_MAX {
            return Ok(Err("relationships: too many organisations"));
        }
        let mut of_kind: BTreeMap<RecordKind, Vec<&Version>> = BTreeMap::new();
        for version in &line.versions {
            of_kind.entry(version.kind).or_default().push(version);
        }
        let mut fresh = BTreeMap::new();
        for (kind, versions) in of_kind {
            match new_ones(kind, versions, label, batch)? {
                Ok(versions) => fresh.insert(kind, versions),
                Err(what) => return Ok(Err(what)),
            };
        }
        Ok(Ok(Self { line, label, medical, fresh }))
    }

    /// Keeps it; returns how many versions were new. What says no other instant is recorded now, not when it was read:
    /// nobody was shown it in between.
    fn keep(&self, batch: &mut Batch<'_>) -> Result<u64, StoreError> {
        let Self { line, label, medical, fresh } = self;
        let known = File::read(batch, *label)?;
        let (before, old_handle) = known.map_or_else(Default::default, |file| (file.tied, file.medical));
        // What is said of some organisations says nothing of the others.
        let tied: BTreeSet<PartyId> = before.into_iter().chain(line.ties.keys().cloned()).collect();
        let file = File {
            person: line.person.clone(),
            consents: line.consents.clone(),
            protections: line.protections.clone(),
            tied: tied.into_iter().collect(),
            medical: *medical,
        };
        file.write(batch, *label)?;
        if let Some(old) = old_handle.filter(|old| file.medical != Some(*old)) {
            file::lose_by_medical(batch, old)?;
        }
        if let Some(handle) = file.medical {
            file::find_by_medical(batch, handle, *label)?;
        }
        for (party, ties) in &line.ties {
            file::tie(batch, party, *label, ties)?;
        }
        let mut kept: u64 = 0;
        for (kind, versions) in fresh {
            let now = batch.now().wall;
            let at = |version: &Version| if version.recorded_at == line.read_at { now } else { version.recorded_at };
            let recorded: Vec<_> =
                versions.iter().map(|version| Version { recorded_at: at(version), ..(*version).clone() }).collect();
            file::add(batch, *label, *kind, &recorded)?;
            kept = kept.saturating_add(u64::try_from(versions.len()).unwrap_or(u64::MAX));
        }
        Ok(kept)
    }
}

/// Those of `versions` that are not there yet; none of them contradicts one that is, or another.
fn new_ones<'a>(
    kind: RecordKind,
    versions: Vec<&'a Version>,
    label: Label,
    batch: &Batch<'_>,
) -> Result<Result<Vec<&'a Version>, &'static str>, StoreError> {
    let places = file::places(batch, label, kind)?;
    let there: BTreeSet<_> = places.iter().map(|place| (place.head.id, place.head.number)).collect();
    let mut fresh: BTreeMap<_, &Version> = BTreeMap::new();
    for version in versions {
        let is_same = |known: &Version| Version { recorded_at: version.recorded_at, ..known.clone() } == *version;
        let name = (version.id, version.number);
        let contradicts = if there.contains(&name) {
            file::known(batch, label, version)?.is_some_and(|known| !is_same(&known))
        } else {
            fresh.insert(name, version).is_some_and(|other| !is_same(other))
        };
        if contradicts {
            return Ok(Err("records: this number of the record is there with other content"));
        }
    }
    if places.len().saturating_add(fresh.len()) > VERSIONS_MAX {
        return Ok(Err("records: too many versions of one kind"));
    }
    let readable = places.iter().filter(|place| place.salt.is_some()).map(|place| place.head);
    let before: Vec<_> = readable.collect();
    let after = [before.clone(), fresh.values().map(|version| version.head()).collect()].concat();
    // What is crowded already came before this was looked at, and could not be put right in steps.
    if !fresh.is_empty() && contradiction::is_crowded(kind, &after) && !contradiction::is_crowded(kind, &before) {
        return Ok(Err(
            "records: two that hold on one day, of a kind of which one only does; end, amend or replace one",
        ));
    }
    Ok(Ok(fresh.into_values().collect()))
}
