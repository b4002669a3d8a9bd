//! Merging a book of buckets on a disk that fails and tears at every call: the book before stays whole, nothing half-made
//! has a name, and the next attempt makes the very book. A store beside it keeps the books and removes the drafts.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chacha20::ChaCha20Rng;
use protocol::bucket::book::{Book, Buckets, Registrants, remove_all_but};
use protocol::bucket::holding::{Changes, Holding};
use protocol::bucket::merge::{Merge, MergeError};
use protocol::bucket::prefix::Bits;
use protocol::disk::{Disk as _, FileName};
use protocol::id::party::PartyId;
use protocol::message::Tag;
use protocol::primitives::{Real, Secret};
use protocol::store::name;
use protocol::store::{Seat, Store, StoreSecret};
use rand_core::SeedableRng as _;
use simulations::disk::{FalseDisk, Fault};
use simulations::index::FalseIndex;

const SEAT: Seat = Seat::new(3);

fn bits() -> Bits {
    Bits::new(3).unwrap()
}

fn cover() -> Secret {
    Secret::from_bytes([5; 32])
}

fn changes(number: u64) -> Changes {
    let party = PartyId::parse("insurer:131235").unwrap();
    (0..=255_u8)
        .step_by(usize::try_from(number).unwrap())
        .map(|n| ((Tag([n; 32]), party.clone()), Holding { number, sealed: Some(vec![n; 40]) }))
        .collect()
}

fn merge(disk: &mut FalseDisk, previous: Option<Book>, changes: Changes, seed: u8) -> Result<Book, MergeError> {
    let mut dice = ChaCha20Rng::from_seed([seed; 32]);
    let mut merge = Merge::new(SEAT, previous, changes, bits(), cover(), &mut dice)?;
    while !merge.step(disk, 2)? {}
    merge.finish(disk)
}

/// Opens a generation by the names of its files and reads all of it.
fn read(disk: &FalseDisk, public: &FileName, own: &FileName) -> Book {
    let files: BTreeMap<FileName, u64> = disk.list().unwrap().into_iter().collect();
    let buckets = Buckets::open(disk, public, files[public]).unwrap();
    let book = Book::new(buckets, Registrants::open(disk, own, files[own], cover()).unwrap()).unwrap();
    bits().prefixes().for_each(|prefix| drop(book.read(disk, prefix).unwrap()));
    book
}

fn drafts(disk: &FalseDisk) -> usize {
    disk.list().unwrap().into_iter().filter(|(file, _len)| name::is_draft(file)).count()
}

#[test]
fn a_merge_that_dies_at_any_call_leaves_the_book_before_and_is_begun_anew() {
    let mut disk = FalseDisk::new(1 << 24);
    let before = merge(&mut disk, None, changes(1), 1).unwrap();
    let mut whole = disk.copy();
    let expected = merge(&mut whole, Some(before.clone()), changes(3), 2).unwrap();
    let (first, last) = (disk.calls(), whole.calls());
    let mut left_drafts = 0;
    for call in first..last {
        for fault in [Fault::Fail, Fault::DieBefore, Fault::DieAmid] {
            let mut torn = disk.copy();
            torn.set_fault(call, fault);
            assert!(merge(&mut torn, Some(before.clone()), changes(3), 2).is_err(), "call {call}, {fault:?}");
            torn.clear_fault();
            torn.crash(&mut ChaCha20Rng::from_seed([u8::try_from(call % 251).unwrap(); 32]));
            left_drafts += drafts(&torn);
            let again = read(&torn, before.buckets().file(), before.registrants().file());
            // What has a name is whole.
            for (file, len) in torn.list().unwrap() {
                if file.as_str().starts_with("buckets-") {
                    Buckets::open(&torn, &file, len).unwrap();
                } else if file.as_str().starts_with("registrants-") {
                    Registrants::open(&torn, &file, len, cover()).unwrap();
                }
            }
            let made = merge(&mut torn, Some(again), changes(3), 3).unwrap();
            assert_eq!(made.buckets().digest(), expected.buckets().digest());
            read(&torn, made.buckets().file(), made.registrants().file());
            assert_eq!(drafts(&torn), 0, "call {call}, {fault:?}");
        }
    }
    assert!(last - first > 20 && left_drafts > 20, "{first} {last} {left_drafts}");
}

#[test]
fn a_full_disk_ends_a_merge_and_not_the_book() {
    let mut disk = FalseDisk::new(1 << 24);
    let before = merge(&mut disk, None, changes(1), 1).unwrap();
    disk.fill_up(5_000);
    assert!(matches!(merge(&mut disk, Some(before.clone()), changes(3), 2), Err(MergeError::Store(_))));
    read(&disk, before.buckets().file(), before.registrants().file());
}

#[test]
fn a_store_that_is_opened_keeps_the_books_of_buckets_and_removes_their_drafts() {
    let mut disk = FalseDisk::new(1 << 24);
    let book = merge(&mut disk, None, changes(1), 1).unwrap();
    let mut dice = ChaCha20Rng::from_seed([2; 32]);
    let mut begun = Merge::new(SEAT, Some(book.clone()), changes(3), bits(), cover(), &mut dice).unwrap();
    assert!(!begun.step(&mut disk, 3).unwrap());
    assert_eq!(drafts(&disk), 2);
    let secret = StoreSecret::derive(&Secret::from_bytes([9; 32]));
    let index = Box::new(FalseIndex::new());
    let opened = Store::open(Box::new(disk.clone()), index, &secret, Vec::new(), Arc::new(Real));
    assert!(opened.is_ok());
    assert_eq!(drafts(&disk), 0);
    read(&disk, book.buckets().file(), book.registrants().file());
}

#[test]
fn what_is_not_kept_goes_with_the_drafts_and_nothing_else_does() {
    let mut disk = FalseDisk::new(1 << 24);
    let book = merge(&mut disk, None, changes(1), 1).unwrap();
    let next = merge(&mut disk, Some(book), changes(3), 2).unwrap();
    let mut dice = ChaCha20Rng::from_seed([2; 32]);
    let mut begun = Merge::new(SEAT, Some(next.clone()), changes(5), bits(), cover(), &mut dice).unwrap();
    assert!(!begun.step(&mut disk, 3).unwrap());
    let others = ["draft-book", "book-1", "journal-000001.log"].map(|name| FileName::parse(name).unwrap());
    for file in &others {
        disk.append(file, b"another's").unwrap();
    }
    let kept = BTreeSet::from([next.buckets().file().clone(), next.registrants().file().clone()]);
    remove_all_but(&mut disk, &kept).unwrap();
    let left: BTreeSet<FileName> = disk.list().unwrap().into_iter().map(|(file, _len)| file).collect();
    assert_eq!(left, kept.into_iter().chain(others).collect());
}
