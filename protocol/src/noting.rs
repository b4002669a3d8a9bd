//! Noting (書き留め): when the keeper of a ledger writes into it of its own accord: once a day the map of everybody's
//! last step, piece by piece so that nobody waits for it, and each roster it begins to act under.
//!
//! Writes nothing while it is not settled that the ledger is the newest; the host sees to that.

use crate::access_log::day::{self, Closing};
use crate::access_log::note::{self, Author, Note};
use crate::batch::Batch;
use crate::cbor;
use crate::credential::Credential;
use crate::date::Date;
use crate::digest::Digest;
use crate::gate::Gate;
use crate::primitives::Primitives;
use crate::store::StoreError;
use crate::table;
use crate::time::{Span, Steady};
use crate::wall::Reliance;

/// What the keeper of one ledger notes.
#[derive(Debug)]
pub struct Noting {
    next: Steady,
    closing: Option<Closing>,
    /// The roster noted last and the epoch's first leaf then; none before the first look.
    roster: Option<(u32, u64)>,
}

/// How soon after the start it is first looked whether a day is over.
const LOOK_FIRST: Span = Span::from_s(60);
/// It is looked again at midnight; and this often, for a wall clock may be set and an epoch begun.
const LOOK_EVERY: Span = Span::from_h(1);
/// How soon the next part of a day is counted.
const STEP_EVERY: Span = Span::from_ms(100);
/// The roster that names the network; nobody notes it.
const FIRST_ROSTER: u32 = 1;

impl Noting {
    /// Looks for the first time a minute from `now`.
    pub const fn new(now: Steady) -> Self {
        Self { next: now.plus(LOOK_FIRST), closing: None, roster: None }
    }

    /// When to look again whether a day is over, or go on counting it.
    pub const fn deadline(&self) -> Steady {
        self.next
    }

    /// Counts a day that is over, a piece at a time, and writes its leaf.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub fn go(&mut self, author: &Author, gate: &Gate, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let now = batch.now();
        if now.steady < self.next {
            return Ok(());
        }
        self.next = now.steady.plus(LOOK_EVERY.min(Date::until_midnight_japan(now.wall)));
        // A clock that was set far tells no day.
        if batch.reliance() == Reliance::Uncertain {
            self.closing = None;
            return Ok(());
        }
        let counting = match self.closing.take() {
            Some(mut closing) => closing.holds(batch)?.then_some(closing),
            None => None,
        };
        let mut closing = match counting {
            Some(closing) => closing,
            None => {
                let today = Date::from_timestamp_japan(now.wall);
                if !day::is_due(batch, today)? {
                    return Ok(());
                }
                Closing::begin(batch, today)?
            }
        };
        if closing.step(batch)? {
            closing.finish(batch, author, gate)?;
        } else {
            self.next = now.steady.plus(STEP_EVERY);
            self.closing = Some(closing);
        }
        Ok(())
    }

    /// Whether the gate may have another roster than the one noted last in the epoch that begins with leaf `begins`.
    pub fn lags(&self, gate: &Gate, begins: u64) -> bool {
        self.roster != Some((gate.roster().version, begins))
    }

    /// Notes the roster of the gate, unless it is the one noted last in this epoch or the one that names the network.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub fn note_roster(&mut self, author: &Author, gate: &Gate, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let acts_under = (gate.roster().version, batch.epoch_begins());
        let key = batch.key(table::NOTED_ROSTER, &[]);
        let noted = match batch.get(&key)? {
            Some(bytes) => cbor::decode_own(&bytes).map_err(|_malformed| StoreError::Unreadable("noted roster"))?,
            None => (FIRST_ROSTER, batch.epoch_begins()),
        };
        if noted != acts_under && acts_under.0 != FIRST_ROSTER {
            note::write(batch, &Note::Roster(acts_under.0, gate.roster_digest()), author, gate)?;
            batch.put(key, Some(cbor::encode(&acts_under)))?;
        }
        self.roster = Some(acts_under);
        Ok(())
    }
}

/// Notes a credential that the keeper issued; the number of its leaf, or what is wrong with it.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub fn note_credential(
    bytes: &[u8],
    author: &Author,
    gate: &Gate,
    primitives: &dyn Primitives,
    batch: &mut Batch<'_>,
) -> Result<Result<u64, String>, StoreError> {
    let credential = match Credential::verify(bytes, &gate.network(), gate.roster(), batch.now().wall, primitives) {
        Ok(credential) => credential,
        Err(error) => return Ok(Err(error.to_string())),
    };
    if credential.issuer != author.party {
        return Ok(Err("他の発行者の資格証です / another issuer's credential".to_owned()));
    }
    let note = Note::Credential(credential.party, credential.serial, Digest::of(bytes));
    Ok(Ok(note::write(batch, &note, author, gate)?.index()))
}
