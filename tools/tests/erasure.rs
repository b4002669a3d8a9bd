//! What is erased is nowhere on a real disk any more: neither what opens it, nor what would open that.

#![expect(clippy::unwrap_used, reason = "all of this file is a test")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use node::clock::Clock;
use node::dice::OsDice;
use node::disk::FolderDisk;
use node::index::SledIndex;
use protocol::access_log;
use protocol::batch::Batch;
use protocol::code::record_kind::RecordKind;
use protocol::date::Date;
use protocol::digest::Digest;
use protocol::duty::Desk;
use protocol::feed::Feed;
use protocol::id::handle::Handle;
use protocol::id::insurer::InsurerNumber;
use protocol::id::party::PartyId;
use protocol::id::person::PersonId;
use protocol::ledger::origin::Origin;
use protocol::municipality::file::{self, File};
use protocol::municipality::import;
use protocol::policy::judge::Judge;
use protocol::primitives::{Real, Secret};
use protocol::store::staged::Staged;
use protocol::store::{Seat, Signer, Store, StoreError, StoreSecret};
use protocol::vault::Label;
use simulations::population::{self, Invented, Plan};

const SEAT: Seat = Seat::new(1);
const INSURER: &str = "131235";
/// Seat, label, commit, sealed key with salt and tag, checksum: an entry of the file of keys.
const ENTRY_BYTES: usize = 1 + 16 + 8 + KEY_AND_CHECK_BYTES;
const KEY_AND_CHECK_BYTES: usize = (32 + 16 + 16) + 8;

/// A municipality's store on a real disk, which can be closed and opened again.
struct Shelf {
    folder: tempfile::TempDir,
    store: Option<Store>,
    secret: Secret,
    log: Secret,
    label: Secret,
}

impl Shelf {
    fn new() -> Self {
        let random = || Secret::random(&mut OsDice);
        let folder = tempfile::tempdir().unwrap();
        let mut shelf = Self { folder, store: None, secret: random(), log: random(), label: random() };
        shelf.open();
        shelf
    }

    fn open(&mut self) {
        self.store = None;
        let disk = FolderDisk::open(&self.folder.path().join("store")).unwrap();
        let index = SledIndex::open(&self.folder.path().join("index"), 16 << 20).unwrap();
        let signer = Signer { seat: SEAT, origin: origin(), log_secret: self.log.clone() };
        let secret = StoreSecret::derive(&self.secret);
        let opened = Store::open(Box::new(disk), Box::new(index), &secret, vec![signer], Arc::new(Real));
        self.store = Some(opened.unwrap().0);
    }

    /// Does something in a batch and makes it durable, in the index too.
    fn act<T>(&mut self, act: impl FnOnce(&mut Batch<'_>) -> Result<T, StoreError>) -> T {
        let store = self.store.as_mut().unwrap();
        let (mut staged, mut dice) = (Staged::new(), OsDice);
        let mut batch = Batch::new(Clock::start().now(), SEAT, store, &mut staged, &mut dice).unwrap();
        let done = act(&mut batch).unwrap();
        store.commit(staged).unwrap();
        store.settle().unwrap();
        done
    }

    fn label(&self, person: &Invented) -> Label {
        let insurer = InsurerNumber::parse(INSURER).unwrap();
        access_log::label(&self.label, &Handle::Care(PersonId::new(insurer, person.insured().clone())))
    }

    /// The places of each kind of a person.
    fn places(&mut self, label: Label) -> Vec<file::Place> {
        let places = |batch: &mut Batch<'_>| {
            RecordKind::ALL.into_iter().map(|kind| file::places(batch, label, kind)).collect::<Result<Vec<_>, _>>()
        };
        self.act(places).into_iter().flatten().collect()
    }

    /// The entries of the file of keys.
    fn keys(&self) -> BTreeSet<Vec<u8>> {
        let bytes = std::fs::read(self.folder.path().join("store").join("vault.keys")).unwrap();
        assert_eq!(bytes.len() % ENTRY_BYTES, 0);
        bytes.chunks(ENTRY_BYTES).map(<[u8]>::to_vec).collect()
    }

    /// Whether these bytes stand in any file.
    fn holds(&self, wanted: &[u8]) -> bool {
        fn look(folder: &Path, wanted: &[u8]) -> bool {
            std::fs::read_dir(folder).unwrap().any(|entry| {
                let path = entry.unwrap().path();
                if path.is_dir() { look(&path, wanted) } else { found(&std::fs::read(&path).unwrap(), wanted) }
            })
        }
        look(self.folder.path(), wanted)
    }
}

/// What of an entry is the key.
fn sealed(entry: &[u8]) -> &[u8] {
    entry.split_at(ENTRY_BYTES - KEY_AND_CHECK_BYTES).1
}

fn found(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

fn origin() -> Origin {
    Origin::new(&Digest::of(b"a network"), &city(), 1)
}

fn city() -> PartyId {
    PartyId::parse(&format!("insurer:{INSURER}")).unwrap()
}

/// Two certified persons, fed to the store.
fn fed() -> (Shelf, [Invented; 2]) {
    let plan = Plan {
        insurer: InsurerNumber::parse(INSURER).unwrap(),
        persons: 100,
        seed: 3,
        today: Date::parse("2026-11-25").unwrap(),
        offices: vec![PartyId::parse("office:1370101238").unwrap()],
        services: Vec::new(),
        hospitals: Vec::new(),
        records_per_person_min: 10,
        months: 1,
    };
    let mut certified = population::persons(&plan).filter(|person| person.care_level().is_some());
    let persons = [certified.next().unwrap(), certified.next().unwrap()];
    let mut shelf = Shelf::new();
    let bytes = persons.iter().map(Invented::line).collect::<Vec<_>>().join("\n").into_bytes();
    let feed = Feed { bytes, author: city(), insurers: vec![plan.insurer] };
    let desk = Desk { seat: SEAT, party: city(), origin: origin(), policy: Judge::shipped().digest(), quorum_at: None };
    let label = shelf.label.clone();
    let kept = shelf.act(|batch| import::import(&desk, &label, feed.read(batch.now().wall), batch));
    assert!(kept.unwrap() > 20);
    (shelf, persons)
}

#[test]
fn no_file_holds_what_opens_an_erased_version() {
    let (mut shelf, persons) = fed();
    let [label, other] = persons.each_ref().map(|person| shelf.label(person));
    let (before, others) = (shelf.keys(), shelf.places(other));
    let doomed = shelf.places(label);
    assert!(before.iter().all(|key| shelf.holds(key)), "the search finds what is there");
    for place in &doomed {
        assert!(!shelf.holds(&place.salt.unwrap()[..]), "a salt stands nowhere in clear");
    }
    let kind = RecordKind::CertificationSurvey;
    let id = shelf.act(|batch| file::places(batch, label, kind)).first().unwrap().head.id;
    let erased = shelf.act(|batch| file::erase_versions(batch, label, kind, |head| head.id == id));
    assert_eq!(erased.len(), 1);
    for _again in 0..2 {
        let after = shelf.keys();
        let dead: Vec<_> = before.difference(&after).collect();
        assert_eq!(dead.len(), 1, "the key of this person's places, and no other");
        // What was sealed stays; what opened its places, whose older copies stay too, is in no file.
        assert!(dead.iter().all(|key| !shelf.holds(sealed(key))));
        let kept = shelf.places(label);
        assert_eq!(kept.len(), doomed.len());
        assert_eq!(kept.iter().filter(|place| place.salt.is_none()).count(), 1);
        assert_eq!(shelf.places(other), others);
        shelf.open();
    }
}

#[test]
fn no_file_holds_a_key_of_an_erased_person() {
    let (mut shelf, persons) = fed();
    let [label, other] = persons.each_ref().map(|person| shelf.label(person));
    let (before, others) = (shelf.keys(), shelf.places(other));
    let file = shelf.act(|batch| File::read(batch, label)).unwrap();
    assert!(shelf.act(|batch| file::erase(batch, label, &file)) > 10);
    for _again in 0..2 {
        let after = shelf.keys();
        let dead: Vec<_> = before.difference(&after).collect();
        assert_eq!(dead.len(), 2, "the person's key, and that of their places");
        assert!(dead.iter().all(|key| !shelf.holds(sealed(key))));
        assert_eq!(shelf.places(label), []);
        assert_eq!(shelf.places(other), others);
        shelf.open();
    }
}
