//! Books of buckets, merged generation after generation, held against a plain map that was told the same.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stderr,
    reason = "all of this file is a test, and one of them measures"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chacha20::ChaCha20Rng;
use proptest::prelude::*;
use protocol::bucket::book::{Book, Buckets, Registrants, remove_all_but};
use protocol::bucket::delta::Delta;
use protocol::bucket::holding::{Changes, Holding};
use protocol::bucket::merge::{Merge, MergeError};
use protocol::bucket::prefix::{Bits, Prefix};
use protocol::bucket::shown::Shown;
use protocol::bucket::tree::leaf;
use protocol::bucket::{Bucket, SealedEntry};
use protocol::disk::{Disk, DiskError, FileName};
use protocol::id::party::PartyId;
use protocol::message::Tag;
use protocol::primitives::Secret;
use protocol::store::{Seat, StoreError};
use rand_core::SeedableRng as _;

const SEAT: Seat = Seat::new(3);

/// One registration: which tag, whose, and what it says.
type Word = (u8, u8, u64, Option<u8>);

/// Of each tag and registrant the word with the highest number that came first: what must stand.
#[derive(Clone, Default)]
struct Model(BTreeMap<(Tag, PartyId), Holding>);

impl Model {
    fn take(&mut self, word: Word) {
        let (key, holding) = told(word);
        let stands = self.0.get(&key);
        if stands.is_none_or(|stands| stands.number < holding.number) {
            self.0.insert(key, holding);
        }
    }

    fn entries(&self) -> BTreeSet<SealedEntry> {
        let entry = |((tag, _party), word): (&(Tag, PartyId), &Holding)| {
            Some(SealedEntry { tag: *tag, number: word.number, sealed: word.sealed.clone()? })
        };
        self.0.iter().filter_map(entry).collect()
    }
}

fn told((tag, party, number, sealed): Word) -> ((Tag, PartyId), Holding) {
    let sealed = sealed.map(|n| format!("the sealed value {n}").into_bytes());
    ((place(tag), insurer(party)), Holding { number, sealed })
}

/// Sixteen tags that lie under both halves, some of them with long beginnings in common.
fn place(n: u8) -> Tag {
    let mut tag = [n; 32];
    tag[0] = (n % 4).wrapping_mul(0x55);
    tag[1] = n / 8;
    Tag(tag)
}

fn insurer(n: u8) -> PartyId {
    PartyId::parse(&format!("insurer:13{n:04}")).unwrap()
}

fn words(most: usize) -> impl Strategy<Value = Vec<Word>> {
    prop::collection::vec((0..16_u8, 0..5_u8, 0..6_u64, prop::option::of(0..3_u8)), 0..most)
}

fn bits(n: u8) -> Bits {
    Bits::new(n).unwrap()
}

fn cover() -> Secret {
    Secret::from_bytes([5; 32])
}

fn changes(words: &[Word]) -> Changes {
    let mut model = Model::default();
    words.iter().for_each(|word| model.take(*word));
    model.0
}

fn merged(disk: &mut Files, previous: Option<Book>, changes: Changes, bits: Bits, pages: usize) -> Book {
    try_merge(disk, previous, changes, bits, pages).unwrap()
}

fn try_merge(
    disk: &mut Files,
    previous: Option<Book>,
    changes: Changes,
    bits: Bits,
    pages: usize,
) -> Result<Book, MergeError> {
    let mut dice = ChaCha20Rng::from_seed([7; 32]);
    let mut merge = Merge::new(SEAT, previous, changes, bits, cover(), &mut dice)?;
    while !merge.step(disk, pages)? {}
    merge.finish(disk)
}

fn opened(disk: &Files, book: &Book) -> Result<Book, StoreError> {
    let len = |file: &FileName| disk.0.get(file).map_or(0, |bytes| u64::try_from(bytes.len()).unwrap());
    let (public, own) = (book.buckets().file(), book.registrants().file());
    Book::new(Buckets::open(disk, public, len(public))?, Registrants::open(disk, own, len(own), cover())?)
}

/// Everything a book says.
fn contents(disk: &Files, book: &Book) -> Result<BTreeMap<(Tag, PartyId), Holding>, StoreError> {
    let mut found = BTreeMap::new();
    let everybody: Vec<PartyId> = (0..5).map(insurer).collect();
    for prefix in book.buckets().bits().prefixes() {
        let holdings = book.read(disk, prefix)?;
        for tag in (0..16).map(place).filter(|tag| prefix.holds(tag)) {
            for party in &everybody {
                if let Some(word) = holdings.get(&tag, party) {
                    found.insert((tag, party.clone()), word.clone());
                }
            }
        }
    }
    Ok(found)
}

fn public(disk: &Files, buckets: &Buckets) -> BTreeSet<SealedEntry> {
    buckets.bits().prefixes().flat_map(|prefix| buckets.read(disk, prefix).unwrap().into_entries()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn generation_after_generation_a_book_says_what_a_plain_map_says(
        generations in prop::collection::vec((words(40), 0..=10_u8, 1..9_usize), 1..5),
    ) {
        let (mut disk, mut model, mut book) = (Files::default(), Model::default(), None);
        for (words, n, pages) in generations {
            words.iter().for_each(|word| model.take(*word));
            let made = merged(&mut disk, book.take(), changes(&words), bits(n), pages);
            let made = opened(&disk, &made).unwrap();
            prop_assert_eq!(&contents(&disk, &made).unwrap(), &model.0);
            prop_assert_eq!(public(&disk, made.buckets()), model.entries());
            prop_assert_eq!(made.buckets().entries(), u64::try_from(model.entries().len()).unwrap());
            book = Some(made);
        }
    }

    #[test]
    fn registrations_in_any_order_and_in_any_portions_make_the_same_files(
        words in words(60).prop_shuffle(), cut in 0..60_usize, n in 0..=6_u8,
    ) {
        // A registrant uses a number once for a tag: of two words of one number only one is ever said.
        let mut said = BTreeSet::new();
        let mut words: Vec<Word> = words.into_iter().filter(|word| said.insert((word.0, word.1, word.2))).collect();
        let (early, late) = words.split_at(cut.min(words.len()));
        let (mut disk, mut other) = (Files::default(), Files::default());
        let first = merged(&mut disk, None, changes(early), bits(n), 3);
        let two = merged(&mut disk, Some(first), changes(late), bits(n), 3);
        words.sort();
        let one = merged(&mut other, None, changes(&words), bits(n), 100);
        prop_assert_eq!(two.buckets().file(), one.buckets().file());
        for file in [one.buckets().file(), one.registrants().file()] {
            prop_assert_eq!(&disk.0[file], &other.0[file]);
        }
    }

    #[test]
    fn what_changed_since_the_book_is_shown_and_proven_under_every_tag(
        old in words(40), new in words(20), n in 0..=8_u8,
    ) {
        let (mut disk, mut model) = (Files::default(), Model::default());
        old.iter().chain(&new).for_each(|word| model.take(*word));
        let book = merged(&mut disk, None, changes(&old), bits(n), 50);
        let mut tree = book.buckets().tree().unwrap();
        let mut deltas = BTreeMap::new();
        for ((tag, party), word) in changes(&new) {
            let prefix = Prefix::of(&tag, bits(n));
            let (holdings, _delta) =
                deltas.entry(prefix).or_insert_with(|| (book.read(&disk, prefix).unwrap(), Delta::none(prefix)));
            holdings.take(tag, Arc::new(party), word).unwrap();
        }
        for (prefix, (holdings, delta)) in &mut deltas {
            let (base, now) = (book.buckets().read(&disk, *prefix).unwrap(), holdings.bucket().unwrap());
            *delta = Delta::between(&base, &now).unwrap();
            let leaf = leaf(book.buckets().page_digest(*prefix).unwrap(), delta.digest());
            prop_assert!(tree.set(*prefix, leaf, u16::try_from(now.entries().len()).unwrap()));
        }
        let root = tree.root();
        prop_assert_eq!(root.entries, u64::try_from(model.entries().len()).unwrap());
        for tag in (0..20).map(place) {
            let prefix = Prefix::of(&tag, bits(n));
            let delta = deltas.get(&prefix).map_or_else(|| Delta::none(prefix), |(_holdings, delta)| delta.clone());
            let shown = Shown::new(book.buckets().page(&disk, prefix).unwrap(), &delta, &tree);
            let stands: Vec<SealedEntry> = model.entries().into_iter().filter(|entry| entry.tag == tag).collect();
            prop_assert_eq!(shown.verify(&root, &tag), Ok(stands));
        }
        // The next book, merged from the same changes, has what was shown and no delta.
        let next = merged(&mut disk, Some(book), changes(&new), bits(n), 50);
        prop_assert_eq!(public(&disk, next.buckets()), model.entries());
    }
}

#[test]
fn every_flipped_bit_of_either_file_is_found_when_it_is_opened_or_read() {
    let mut disk = Files::default();
    let words = [(1, 1, 1, Some(1)), (1, 2, 4, Some(2)), (2, 1, 1, None), (9, 3, 1, Some(0)), (14, 4, 300, Some(1))];
    let book = merged(&mut disk, None, changes(&words), bits(2), 1);
    let whole = contents(&disk, &book).unwrap();
    for file in [book.buckets().file(), book.registrants().file()] {
        for bit in 0..disk.0[file].len() * 8 {
            disk.0.get_mut(file).unwrap()[bit / 8] ^= 1 << (bit % 8);
            let read = opened(&disk, &book).and_then(|book| contents(&disk, &book));
            assert!(matches!(read, Err(StoreError::Damaged { .. })), "bit {bit} of {file}: {read:?}");
            disk.0.get_mut(file).unwrap()[bit / 8] ^= 1 << (bit % 8);
        }
        for len in 0..disk.0[file].len() {
            let cut = disk.0[file][len..].to_vec();
            disk.0.get_mut(file).unwrap().truncate(len);
            assert!(matches!(opened(&disk, &book), Err(StoreError::Damaged { .. })), "{file} cut to {len}");
            disk.0.get_mut(file).unwrap().extend(cut);
        }
    }
    assert_eq!(contents(&disk, &opened(&disk, &book).unwrap()), Ok(whole));
}

#[test]
fn a_damaged_page_is_told_when_it_is_asked_for_and_stops_a_merge_but_no_other_page() {
    let mut disk = Files::default();
    let all: Vec<Word> = (0..16).map(|n| (n, 1, 1, Some(1))).collect();
    let book = merged(&mut disk, None, changes(&all), bits(2), 1);
    disk.0.get_mut(book.buckets().file()).unwrap()[10] ^= 1;
    let book = opened(&disk, &book).unwrap();
    let prefixes: Vec<Prefix> = bits(2).prefixes().collect();
    let damaged = StoreError::Damaged { file: book.buckets().file().clone(), at: 0 };
    assert_eq!(book.buckets().page(&disk, prefixes[0]), Err(damaged));
    assert!(prefixes[1..].iter().all(|prefix| book.read(&disk, *prefix).is_ok()));
    let before = disk.0.len();
    let merge = try_merge(&mut disk, Some(book), Changes::new(), bits(2), 1);
    assert!(matches!(merge, Err(MergeError::Store(StoreError::Damaged { .. }))));
    assert_eq!(disk.0.len(), before, "nothing was published, nothing was written");
}

#[test]
fn a_value_that_was_replaced_or_withdrawn_is_in_no_new_file_and_the_old_files_go() {
    let mut disk = Files::default();
    let book =
        merged(&mut disk, None, changes(&[(1, 1, 1, Some(1)), (2, 1, 1, Some(2)), (3, 1, 1, Some(0))]), bits(1), 9);
    let holds = |disk: &Files, n: u8| {
        let value = format!("the sealed value {n}").into_bytes();
        disk.0.values().any(|bytes| bytes.windows(value.len()).any(|window| window == value))
    };
    assert!(holds(&disk, 0) && holds(&disk, 1) && holds(&disk, 2));
    let next = merged(&mut disk, Some(book), changes(&[(1, 1, 2, None), (2, 1, 2, Some(0))]), bits(1), 9);
    remove_all_but(&mut disk, &BTreeSet::from([next.buckets().file().clone(), next.registrants().file().clone()]))
        .unwrap();
    assert!(holds(&disk, 0) && !holds(&disk, 1) && !holds(&disk, 2));
    assert_eq!(disk.0.len(), 2);
}

#[test]
fn the_public_file_names_no_registrant_and_the_other_names_no_tag_in_clear() {
    let mut disk = Files::default();
    let book = merged(&mut disk, None, changes(&[(1, 1, 1, Some(1)), (2, 2, 1, None)]), bits(1), 9);
    let has = |file: &FileName, value: &[u8]| disk.0[file].windows(value.len()).any(|window| window == value);
    assert!(!has(book.buckets().file(), b"insurer") && has(book.buckets().file(), &place(1).0));
    assert!(!has(book.buckets().file(), &place(2).0), "nobody sees that there was an entry");
    assert!(!has(book.registrants().file(), &place(2).0));
}

#[test]
fn files_of_two_generations_are_no_book() {
    let mut disk = Files::default();
    let one = merged(&mut disk, None, changes(&[(1, 1, 1, Some(1))]), bits(1), 9);
    let two = merged(&mut disk, Some(one.clone()), changes(&[(2, 1, 1, Some(1))]), bits(1), 9);
    assert!(matches!(Book::new(one.buckets().clone(), two.registrants().clone()), Err(StoreError::Damaged { .. })));
}

#[test]
fn too_many_under_one_prefix_are_refused_with_few_bits_and_fit_with_more() {
    let mut dice = ChaCha20Rng::from_seed([1; 32]);
    let many = random(&mut dice, 3_000, 1);
    let mut disk = Files::default();
    let full = try_merge(&mut disk, None, many.clone(), bits(0), 1_000);
    assert!(matches!(full, Err(MergeError::Full(prefix)) if prefix.bits() == bits(0)));
    let book = merged(&mut disk, None, many, Bits::for_entries(3_000), 1_000);
    assert_eq!(book.buckets().entries(), 3_000);
    assert!(matches!(try_merge(&mut disk, Some(book), Changes::new(), bits(0), 1), Err(MergeError::Full(_))));
}

#[test]
#[ignore = "measures what a million entries cost; needs a minute"]
fn a_million_entries_are_merged_and_read() {
    let mut dice = ChaCha20Rng::from_seed([2; 32]);
    let count = 1_000_000;
    let bits = Bits::for_entries(count);
    let mut disk = Files::default();
    let all = random(&mut dice, count, 1);
    let began = std::time::Instant::now();
    let book = merged(&mut disk, None, all, bits, 1_000);
    let first = began.elapsed();
    // One change in a thousand: one bucket in two is touched.
    let some = random(&mut dice, count / 1_000, 2);
    let began = std::time::Instant::now();
    let next = merged(&mut disk, Some(book), some, bits, 1_000);
    let second = began.elapsed();
    // A new registrant and other bits: every page is made anew.
    let mut other = random(&mut dice, 1, 3);
    other.insert((Tag([0; 32]), insurer(99)), Holding { number: 1, sealed: Some(vec![0; 40]) });
    let began = std::time::Instant::now();
    let wider = merged(&mut disk, Some(next.clone()), other, Bits::new(bits.get() + 1).unwrap(), 1_000);
    let third = began.elapsed();
    let began = std::time::Instant::now();
    let opened = opened(&disk, &next).unwrap();
    let tree = opened.buckets().tree().unwrap();
    let opening = began.elapsed();
    let began = std::time::Instant::now();
    let pages: Vec<Vec<u8>> = bits.prefixes().map(|prefix| opened.buckets().page(&disk, prefix).unwrap()).collect();
    let page = began.elapsed() / bits.count();
    let began = std::time::Instant::now();
    let read: u64 =
        pages.iter().map(|page| u64::try_from(Bucket::decode(page).unwrap().entries().len()).unwrap()).sum();
    let decode = began.elapsed() / bits.count();
    let began = std::time::Instant::now();
    bits.prefixes().for_each(|prefix| drop(opened.read(&disk, prefix).unwrap()));
    let own = began.elapsed() / bits.count();
    let root = tree.root();
    let shown: Vec<Shown> =
        bits.prefixes().zip(pages).map(|(prefix, page)| Shown::new(page, &Delta::none(prefix), &tree)).collect();
    let began = std::time::Instant::now();
    bits.prefixes().zip(&shown).for_each(|(prefix, shown)| assert!(shown.verify(&root, &prefix.least()).is_ok()));
    let verify = began.elapsed() / bits.count();
    assert_eq!((read, wider.buckets().entries()), (count + count / 1_000, count + count / 1_000 + 2));
    let len = |file: &FileName| disk.0[file].len();
    eprintln!(
        "{} prefixes; bytes: public {}, own {}\nmerge: of nothing {first:?}, of 1 change in 1,000 {second:?}, with \
         other bits {third:?}\nopening {opening:?}; a bucket: checked {page:?}, decoded {decode:?}, with registrants \
         {own:?}, verified by an asker {verify:?}",
        bits.count(),
        len(next.buckets().file()),
        len(next.registrants().file()),
    );
}

/// So many entries of 1,700 insurers under tags that nobody chose.
fn random(dice: &mut ChaCha20Rng, count: u64, number: u64) -> Changes {
    let parties: Vec<PartyId> = (0..1_700).map(|n| PartyId::parse(&format!("insurer:{n:06}")).unwrap()).collect();
    let mut changes = Changes::new();
    for _ in 0..count {
        let mut tag = [0; 32];
        dice.fill_bytes(&mut tag);
        let mut sealed = vec![0; 29];
        dice.fill_bytes(&mut sealed);
        let party = parties[usize::from(dice.next_u32().to_be_bytes()[0]) * 6].clone();
        changes.insert((Tag(tag), party), Holding { number, sealed: Some(sealed) });
    }
    changes
}

/// A disk in memory.
#[derive(Clone, Default)]
struct Files(BTreeMap<FileName, Vec<u8>>);

impl Disk for Files {
    fn append(&mut self, file: &FileName, bytes: &[u8]) -> Result<u64, DiskError> {
        let kept = self.0.entry(file.clone()).or_default();
        let at = u64::try_from(kept.len()).unwrap();
        kept.extend_from_slice(bytes);
        Ok(at)
    }
    fn sync(&mut self, _file: &FileName) -> Result<(), DiskError> {
        Ok(())
    }
    fn read(&self, file: &FileName, at: u64, len: usize) -> Result<Vec<u8>, DiskError> {
        let missing = || DiskError::Missing(file.as_str().to_owned());
        let at = usize::try_from(at).map_err(|_error| missing())?;
        let bytes = self.0.get(file).and_then(|bytes| bytes.get(at..at.checked_add(len)?));
        bytes.map(<[u8]>::to_vec).ok_or_else(missing)
    }
    fn truncate(&mut self, file: &FileName, len: u64) -> Result<(), DiskError> {
        self.0.get_mut(file).unwrap().truncate(usize::try_from(len).unwrap());
        Ok(())
    }
    fn publish(&mut self, draft: &FileName, name: &FileName) -> Result<(), DiskError> {
        let bytes = self.0.remove(draft).unwrap();
        self.0.insert(name.clone(), bytes);
        Ok(())
    }
    fn list(&self) -> Result<Vec<(FileName, u64)>, DiskError> {
        Ok(self.0.iter().map(|(name, bytes)| (name.clone(), u64::try_from(bytes.len()).unwrap())).collect())
    }
    fn remove(&mut self, file: &FileName) -> Result<(), DiskError> {
        self.0.remove(file);
        Ok(())
    }
    fn room(&self) -> Result<u64, DiskError> {
        Ok(1 << 40)
    }
}
