//! The closing of a day (日締め): number and place of each person's last step, counted part by part into a map whose
//! root goes into the day's leaf. Two maps lie on the disk: that of the newest leaf, and the one being made.
//!
//! Counts while the ledger grows: a number in the map is one the person had reached, and every step whose leaf stood
//! when the closing began is counted. Never decides when a day is over.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::access_log::Last;
use crate::access_log::note::{self, Author, Note};
use crate::access_log::proof::{Counted, DayShown};
use crate::batch::Batch;
use crate::cbor;
use crate::date::Date;
use crate::digest::Digest;
use crate::gate::Gate;
use crate::ledger::day::{self, Branch, Item, LABEL_BYTES, PARTS};
use crate::ledger::leaf::Salt;
use crate::limits;
use crate::primitives::{self, Secret};
use crate::store::{Entry, Key, StoreError};
use crate::table;
use crate::time::Timestamp;
use crate::vault::Label;

/// The closing of one day, under way.
#[derive(Debug)]
pub struct Closing {
    date: Date,
    covers: u64,
    begins: u64,
    generation: u8,
    secret: Secret,
    parts: Vec<Branch>,
    /// Up to which leaf it was seen when those that came since were written.
    seen: u64,
    /// The first and the last of those times.
    times: Option<(Timestamp, Timestamp)>,
}

/// The newest daily leaf, and its map.
#[derive(Clone, Debug, Encode, Decode)]
struct Closed {
    /// On which day the closing began.
    #[n(0)]
    date: Date,
    #[n(1)]
    leaf: u64,
    #[n(2)]
    covers: u64,
    #[n(3)]
    root: Digest,
    #[n(4)]
    generation: u8,
    /// What hides the numbers, sealed.
    #[n(5)]
    secret: ByteVec,
    #[n(6)]
    parts: Vec<Branch>,
}

/// One person, and which and where their last step is.
#[derive(Clone, Copy)]
struct Line {
    label: [u8; LABEL_BYTES],
    number: u64,
    leaf: u64,
}

/// The persons of one piece of a map.
const PIECE_ROWS_MAX: usize = 1536;
/// A label, a number and a place.
const LINE_BYTES: usize = LABEL_BYTES + 16;
const _: () = assert!(PIECE_ROWS_MAX * LINE_BYTES < limits::ROW_BYTES_MAX);

/// Whether a day is over that has no leaf yet: `today` is another than that of the newest daily leaf or, before there
/// is one, than that of the first leaf of all; or the newest daily leaf is of an epoch that was left.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub fn is_due(batch: &Batch<'_>, today: Date) -> Result<bool, StoreError> {
    Ok(match closed(batch)? {
        Some(closed) => closed.date != today || closed.leaf < batch.epoch_begins(),
        None => batch.ledger_size() > 0 && Date::from_timestamp_japan(batch.leaf(0)?.0.time()) != today,
    })
}

impl Closing {
    /// Begins to close the days before `today`.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn begin(batch: &mut Batch<'_>, today: Date) -> Result<Self, StoreError> {
        let generation = closed(batch)?.map_or(0, |closed| 1_u8.saturating_sub(closed.generation));
        let (covers, begins) = (batch.ledger_size(), batch.epoch_begins());
        let secret = Secret::random(batch.dice());
        Ok(Self { date: today, covers, begins, generation, secret, parts: Vec::new(), seen: covers, times: None })
    }

    /// Whether what it counts can still be written: the ledger is the open one, and no leaf that it need not have
    /// counted is of a time more than [`limits::DAY_COUNTING_MAX`] from now.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn holds(&mut self, batch: &Batch<'_>) -> Result<bool, StoreError> {
        if self.begins != batch.epoch_begins() {
            return Ok(false);
        }
        while self.seen < batch.ledger_size() {
            let at = batch.leaf(self.seen)?.0.time();
            self.times = Some(self.times.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
            self.seen = self.seen.saturating_add(1);
        }
        let is_near = |at: Timestamp| at.distance(batch.now().wall) <= limits::DAY_COUNTING_MAX;
        Ok(self.times.is_none_or(|(first, last)| is_near(first) && is_near(last)))
    }

    /// Counts some parts more, at least one and not beyond [`limits::DAY_ROWS_PER_STEP`] persons by more than one
    /// part; whether all are counted.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub fn step(&mut self, batch: &mut Batch<'_>) -> Result<bool, StoreError> {
        let mut rows = 0_usize;
        while rows < limits::DAY_ROWS_PER_STEP {
            let Some(part) = u8::try_from(self.parts.len()).ok() else { return Ok(true) };
            let lines = chains(batch, part)?;
            rows = rows.saturating_add(lines.len()).saturating_add(1);
            for (piece, lines) in (0_u16..).zip(lines.chunks(PIECE_ROWS_MAX)) {
                let bytes = lines.iter().copied().flat_map(Line::to_bytes);
                let key = piece_key(batch, self.generation, part, piece);
                batch.put(key, Some(bytes.collect()))?;
            }
            self.parts.push(day::branch(&items(&lines, &self.secret), 8));
        }
        Ok(self.parts.len() >= PARTS)
    }

    /// Writes the day's leaf, once all parts are counted.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub fn finish(self, batch: &mut Batch<'_>, author: &Author, gate: &Gate) -> Result<Entry, StoreError> {
        let root = day::branch_of_parts(&self.parts).digest();
        let entry = note::write(batch, &Note::Day(self.begins, self.covers, root), author, gate)?;
        let general = batch.person_key(Label::GENERAL)?;
        let secret = primitives::seal_stored(&general, SECRET, self.secret.expose(), batch.dice());
        let closed = Closed {
            date: self.date,
            leaf: entry.index(),
            covers: self.covers,
            root,
            generation: self.generation,
            secret: secret.into(),
            parts: self.parts,
        };
        batch.put(batch.key(table::DAY, &[]), Some(cbor::encode(&closed)))?;
        Ok(entry)
    }
}

/// What the newest daily leaf of the open epoch says of a person, if `knows` its leaf.
///
/// # Errors
/// [`StoreError`] if the store cannot be read or what it holds is not what the leaf commits to.
pub(super) fn shown(
    batch: &Batch<'_>,
    label: Label,
    knows: impl Fn(u64) -> bool,
) -> Result<Option<DayShown>, StoreError> {
    let Some(closed) = closed(batch)?.filter(|closed| closed.leaf >= batch.epoch_begins() && knows(closed.leaf)) else {
        return Ok(None);
    };
    let broken = || StoreError::Unreadable("map of a day");
    let general = batch.known_person_key(Label::GENERAL)?.ok_or_else(broken)?;
    let secret = primitives::open_stored(&general, SECRET, &closed.secret).map_err(|_broken| broken())?;
    let secret = Secret::from_bytes(secret.try_into().map_err(|_length| broken())?);
    let mut own = None;
    let way = day::way(&closed.parts, label.as_bytes(), |part| {
        let lines = map_lines(batch, closed.generation, u8::try_from(part).map_err(|_beyond| broken())?)?;
        own = lines.iter().find(|line| line.label == *label.as_bytes()).copied();
        Ok::<_, StoreError>(items(&lines, &secret))
    })?;
    let found = way.follow(closed.root, label.as_bytes()).ok_or_else(broken)?;
    let counted = own.map(|own| Counted { number: own.number, salt: salt(&secret, label.as_bytes()), leaf: own.leaf });
    if found != counted.as_ref().map(Counted::hidden) {
        return Err(broken());
    }
    let detail = super::detail(batch, closed.leaf, Label::GENERAL)?.ok_or_else(broken)?;
    Ok(Some(DayShown {
        leaf: closed.leaf,
        salt: detail.salts.request,
        covers: closed.covers,
        root: closed.root,
        way,
        counted,
    }))
}

fn closed(batch: &Batch<'_>) -> Result<Option<Closed>, StoreError> {
    let row = batch.get(&batch.key(table::DAY, &[]))?;
    row.map(|bytes| cbor::decode_own(&bytes).map_err(|_malformed| StoreError::Unreadable("day"))).transpose()
}

/// The persons whose label begins with `part`, in order.
fn chains(batch: &Batch<'_>, part: u8) -> Result<Vec<Line>, StoreError> {
    let broken = || StoreError::Unreadable("chain");
    let end = part
        .checked_add(1)
        .map_or_else(|| batch.key(table::CHAIN.saturating_add(1), &[]), |next| batch.key(table::CHAIN, &[next]));
    let mut from = batch.key(table::CHAIN, &[part]);
    let mut lines = Vec::new();
    loop {
        let rows = batch.range(&from, &end, PIECE_ROWS_MAX)?;
        for (key, value) in &rows {
            let label = key.rest().try_into().map_err(|_length| broken())?;
            let last: Last = cbor::decode_own(value).map_err(|_malformed| broken())?;
            lines.push(Line { label, number: last.number, leaf: last.leaf });
        }
        match rows.last() {
            Some((last, _value)) if rows.len() >= PIECE_ROWS_MAX => {
                from = batch.key(table::CHAIN, &[last.rest(), &[0]].concat());
            }
            _ => return Ok(lines),
        }
    }
}

/// The same as they stand in a map.
fn map_lines(batch: &Batch<'_>, generation: u8, part: u8) -> Result<Vec<Line>, StoreError> {
    let broken = || StoreError::Unreadable("map of a day");
    let (from, to) = (piece_key(batch, generation, part, 0), piece_key(batch, generation, part, u16::MAX));
    let mut lines = Vec::new();
    for (_key, bytes) in batch.range(&from, &to, usize::from(u16::MAX))? {
        let (pieces, []) = bytes.as_chunks::<LINE_BYTES>() else { return Err(broken()) };
        for line in pieces {
            lines.push(Line::from_bytes(line).ok_or_else(broken)?);
        }
    }
    Ok(lines)
}

impl Line {
    fn to_bytes(self) -> [u8; LINE_BYTES] {
        let mut bytes = [0; LINE_BYTES];
        let all = self.label.iter().copied().chain(self.number.to_be_bytes()).chain(self.leaf.to_be_bytes());
        for (slot, byte) in bytes.iter_mut().zip(all) {
            *slot = byte;
        }
        bytes
    }

    fn from_bytes(bytes: &[u8; LINE_BYTES]) -> Option<Self> {
        let (label, rest) = bytes.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let leaf = u64::from_be_bytes(*rest.first_chunk()?);
        Some(Self { label: *label, number: u64::from_be_bytes(*number), leaf })
    }
}

fn items(lines: &[Line], secret: &Secret) -> Vec<Item> {
    let item =
        |line: &Line| Item { label: line.label, hidden: day::hide(&salt(secret, &line.label), line.number, line.leaf) };
    lines.iter().map(item).collect()
}

/// What hides one person's number on that day.
fn salt(secret: &Secret, label: &[u8; LABEL_BYTES]) -> Salt {
    Salt::from_bytes(*primitives::derive(secret.expose(), label, b"tsunagi day").expose())
}

fn piece_key(batch: &Batch<'_>, generation: u8, part: u8, piece: u16) -> Key {
    let [high, low] = piece.to_be_bytes();
    batch.key(table::DAY_MAP, &[generation, part, high, low])
}

const SECRET: &[u8] = b"day";
