//! Holdings (登録簿): who registered what under one prefix. A directory's own knowledge, from which the public bucket
//! follows; mirrors never get it. Decides which word of a registrant stands, and not who may speak.

use std::collections::BTreeMap;
use std::sync::Arc;

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use super::prefix::Prefix;
use super::{Bucket, BucketError, SealedEntry};
use crate::cbor;
use crate::id::party::PartyId;
use crate::limits::HOLDINGS_PER_BUCKET_MAX;
use crate::message::Tag;

/// The last word of a registrant about a tag (登録). A withdrawal stays, without a value, so that no older word can
/// come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The registrant's number for it; the higher replaces the lower.
    pub number: u64,
    /// The sealed value; none if it is withdrawn.
    pub sealed: Option<Vec<u8>>,
}

/// What changed since a book was made: the newest word of each registrant about a tag.
pub type Changes = BTreeMap<(Tag, PartyId), Holding>;

/// All registrants of a book, ascending; a page names one by its place here.
pub(super) type Table = Vec<Arc<PartyId>>;

/// Every holding under one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holdings {
    prefix: Prefix,
    rows: Rows,
}

/// Holdings by tag and registrant.
pub(super) type Rows = BTreeMap<(Tag, Arc<PartyId>), Holding>;

/// What a page says besides the bucket it belongs to.
#[derive(Encode, Decode)]
struct Page {
    /// For each entry of the bucket the place of its registrant in the table, in two bytes, big-endian.
    #[n(0)]
    holders: ByteVec,
    /// Other registrants of an entry, if somebody registered the very bytes of somebody else.
    #[n(1)]
    copies: Vec<Copied>,
    #[n(2)]
    withdrawn: Vec<Withdrawn>,
}

#[derive(Encode, Decode)]
struct Copied {
    /// Which entry of the bucket.
    #[n(0)]
    entry: u16,
    #[n(1)]
    registrant: u16,
}

/// An entry of the bucket with one of its registrants.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Value<'a> {
    tag: Tag,
    number: u64,
    sealed: &'a [u8],
    registrant: &'a Arc<PartyId>,
}

#[derive(Encode, Decode)]
struct Withdrawn {
    #[n(0)]
    tag: Tag,
    #[n(1)]
    registrant: u16,
    #[n(2)]
    number: u64,
}

impl Holdings {
    /// Those of nobody.
    pub const fn none(prefix: Prefix) -> Self {
        Self { prefix, rows: Rows::new() }
    }

    /// Puts rows together. All must lie under `prefix`.
    pub(super) const fn of(prefix: Prefix, rows: Rows) -> Self {
        Self { prefix, rows }
    }

    /// Under which prefix.
    pub const fn prefix(&self) -> Prefix {
        self.prefix
    }

    /// The last word of a registrant about a tag.
    pub fn get(&self, tag: &Tag, registrant: &PartyId) -> Option<&Holding> {
        self.rows.get(&(*tag, Arc::new(registrant.clone())))
    }

    /// Takes a registrant's word about a tag; false, and nothing is changed, unless its number is above the one there.
    ///
    /// # Errors
    /// [`BucketError::Foreign`] if the tag has another prefix, [`BucketError::TooMany`] if there is no room for one more
    /// registrant of a tag. Whoever has a holding can always replace or withdraw it.
    pub fn take(&mut self, tag: Tag, registrant: Arc<PartyId>, word: Holding) -> Result<bool, BucketError> {
        if !self.prefix.holds(&tag) {
            return Err(BucketError::Foreign);
        }
        let len = self.rows.len();
        match self.rows.get_mut(&(tag, Arc::clone(&registrant))) {
            Some(stands) if stands.number >= word.number => return Ok(false),
            Some(stands) => *stands = word,
            None if len >= HOLDINGS_PER_BUCKET_MAX => return Err(BucketError::TooMany),
            None => {
                self.rows.insert((tag, registrant), word);
            }
        }
        Ok(true)
    }

    /// What everybody may see of it.
    ///
    /// # Errors
    /// [`BucketError::TooMany`] or [`BucketError::TooLong`] if it is above the bounds of a bucket.
    pub fn bucket(&self) -> Result<Bucket, BucketError> {
        let mut entries: Vec<SealedEntry> = self.standing().into_iter().map(Value::entry).collect();
        entries.dedup();
        Bucket::new(self.prefix, entries)
    }

    /// The page of a book, whose bucket is [`Holdings::bucket`]. `None` if a registrant is not in `table`.
    pub(super) fn page(&self, table: &Table) -> Option<Vec<u8>> {
        let place = |registrant: &Arc<PartyId>| u16::try_from(table.binary_search(registrant).ok()?).ok();
        let (mut holders, mut copies, mut withdrawn) = (Vec::<[u8; 2]>::new(), Vec::new(), Vec::new());
        let mut before = None;
        for standing in self.standing() {
            let registrant = place(standing.registrant)?;
            if before == Some(standing.what()) {
                let entry = u16::try_from(holders.len().checked_sub(1)?).ok()?;
                copies.push(Copied { entry, registrant });
            } else {
                holders.push(registrant.to_be_bytes());
            }
            before = Some(standing.what());
        }
        for ((tag, registrant), word) in self.rows.iter().filter(|(_key, word)| word.sealed.is_none()) {
            withdrawn.push(Withdrawn { tag: *tag, registrant: place(registrant)?, number: word.number });
        }
        Some(cbor::encode(&Page { holders: holders.concat().into(), copies, withdrawn }))
    }

    /// Reads a page with the bucket it belongs to. `None` if they do not fit together.
    pub(super) fn read(bucket: Bucket, page: &[u8], table: &Table) -> Option<Self> {
        let Page { holders, copies, withdrawn } = cbor::decode(page).ok()?;
        let party = |place: u16| table.get(usize::from(place)).map(Arc::clone);
        let (prefix, entries) = (bucket.prefix(), bucket.into_entries());
        let (holders, []) = holders.as_chunks::<2>() else { return None };
        if holders.len() != entries.len() {
            return None;
        }
        let mut rows = Vec::with_capacity(entries.len());
        for Copied { entry, registrant } in copies {
            let SealedEntry { tag, number, sealed } = entries.get(usize::from(entry))?.clone();
            rows.push(((tag, party(registrant)?), Holding { number, sealed: Some(sealed) }));
        }
        for (SealedEntry { tag, number, sealed }, holder) in entries.into_iter().zip(holders) {
            rows.push(((tag, party(u16::from_be_bytes(*holder))?), Holding { number, sealed: Some(sealed) }));
        }
        for Withdrawn { tag, registrant, number } in withdrawn {
            rows.push(((tag, party(registrant)?), Holding { number, sealed: None }));
        }
        let len = rows.len();
        let rows: Rows = rows.into_iter().collect();
        let fits = rows.len() == len && rows.keys().all(|(tag, _registrant)| prefix.holds(tag));
        fits.then_some(Self { prefix, rows })
    }

    /// All holdings.
    pub(super) fn into_rows(self) -> Rows {
        self.rows
    }

    /// What stands, in the order of the bucket, then of registrants.
    fn standing(&self) -> Vec<Value<'_>> {
        let standing = self.rows.iter().filter_map(|((tag, registrant), word)| {
            let sealed = word.sealed.as_deref()?;
            Some(Value { tag: *tag, number: word.number, sealed, registrant })
        });
        let mut found: Vec<Value<'_>> = standing.collect();
        // By tag they are in order already.
        found.sort();
        found
    }
}

impl<'a> Value<'a> {
    const fn what(self) -> (Tag, u64, &'a [u8]) {
        (self.tag, self.number, self.sealed)
    }

    fn entry(self) -> SealedEntry {
        SealedEntry { tag: self.tag, number: self.number, sealed: self.sealed.to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::prefix;
    use super::*;

    fn party(number: u32) -> Arc<PartyId> {
        Arc::new(PartyId::parse(&format!("insurer:{number:06}")).unwrap())
    }

    fn tag(n: u8) -> Tag {
        Tag([n; 32])
    }

    fn word(number: u64, sealed: &str) -> Holding {
        Holding { number, sealed: (!sealed.is_empty()).then(|| sealed.as_bytes().to_vec()) }
    }

    fn three() -> Holdings {
        let mut holdings = Holdings::none(prefix(0, 0));
        for (n, registrant, word) in
            [(1, 1, word(5, "a")), (1, 2, word(5, "a")), (2, 1, word(1, "b")), (2, 2, word(9, ""))]
        {
            assert_eq!(holdings.take(tag(n), party(registrant), word), Ok(true));
        }
        holdings
    }

    #[test]
    fn a_number_that_is_not_above_the_one_that_stands_changes_nothing() {
        let mut holdings = three();
        for number in [0, 4, 5] {
            assert_eq!(holdings.take(tag(1), party(1), word(number, "other")), Ok(false));
            assert_eq!(holdings.take(tag(1), party(1), word(number, "")), Ok(false));
        }
        assert_eq!(holdings.take(tag(2), party(2), word(9, "a withdrawn one comes back")), Ok(false));
        assert_eq!(holdings, three());
        assert_eq!(holdings.take(tag(1), party(1), word(6, "")), Ok(true));
        assert_eq!(holdings.get(&tag(1), &party(1)), Some(&word(6, "")));
    }

    #[test]
    fn who_copies_an_entry_and_withdraws_it_takes_nothing_from_its_owner() {
        let mut holdings = three();
        let entries = |holdings: &Holdings| holdings.bucket().unwrap().into_entries().len();
        assert_eq!(entries(&holdings), 2);
        assert_eq!(holdings.take(tag(1), party(2), word(6, "")), Ok(true));
        assert_eq!(entries(&holdings), 2);
        assert_eq!(holdings.take(tag(1), party(1), word(6, "")), Ok(true));
        assert_eq!(entries(&holdings), 1);
    }

    #[test]
    fn a_page_and_its_bucket_say_everything_and_another_bucket_does_not_fit() {
        let (holdings, table) = (three(), vec![party(1), party(2), party(3)]);
        let (bucket, page) = (holdings.bucket().unwrap(), holdings.page(&table).unwrap());
        assert_eq!(Holdings::read(bucket.clone(), &page, &table), Some(holdings.clone()));
        let other = Bucket::new(prefix(0, 0), bucket.entries()[..1].to_vec()).unwrap();
        assert_eq!(Holdings::read(other, &page, &table), None);
        assert_eq!(Holdings::read(bucket, &page, &vec![party(1)]), None);
        assert_eq!(holdings.page(&vec![party(1)]), None);
    }

    #[test]
    fn a_full_prefix_takes_no_new_registrant_but_every_withdrawal() {
        let mut holdings = Holdings::none(prefix(1, 0));
        for n in 0..u32::try_from(HOLDINGS_PER_BUCKET_MAX).unwrap() {
            assert_eq!(holdings.take(tag(1), party(n), word(1, "")), Ok(true));
        }
        assert_eq!(holdings.take(tag(1), party(9_999), word(1, "a")), Err(BucketError::TooMany));
        assert_eq!(holdings.take(tag(1), party(0), word(2, "")), Ok(true));
        assert_eq!(holdings.take(tag(0x80), party(0), word(2, "")), Err(BucketError::Foreign));
    }
}
