//! What local software wants of the heart, and how the heart sees to it. Each wish is answered once, or its
//! sender is dropped, which tells the same.

use protocol::access_log::note::{self, Noted};
use protocol::access_log::{self, Touched};
use protocol::batch::Batch;
use protocol::cosigning::{cosigned_key, opening_key};
use protocol::credential::Credential;
use protocol::gate::Condition;
use protocol::gate::Notice;
use protocol::host::Input;
use protocol::id::party::{PartyId, PartyKind};
use protocol::ledger::checkpoint::Checkpoint;
use protocol::machine::{Ask, AskId, Ending, Event};
use protocol::primitives::Real;
use protocol::receipts;
use protocol::store::staged::Staged;
use protocol::store::{Seat, StoreError};
use protocol::time::{Now, Timestamp};
use tokio::sync::oneshot::Sender;

use super::Beat;
use crate::dice::OsDice;

/// The most leaves of one wish.
pub const LEAVES_PER_WISH_MAX: u64 = 256;
/// The most exchanges of one wish; each is opened.
pub const EXCHANGES_PER_WISH_MAX: usize = 64;
/// The most notes of one wish; each is opened.
pub const NOTES_PER_WISH_MAX: usize = 64;
/// In how many epochs before the open one a receipt is looked for that is not in it.
const EPOCHS_BACK_MAX: u32 = 64;

/// A wish of local software.
#[derive(Debug)]
pub enum Local {
    /// To ask a member.
    Ask(Seat, Box<Ask>, Sender<Ending>),
    /// To feed a seat.
    Import(Seat, Vec<u8>, Sender<Result<u64, String>>),
    /// To make something known; answered with whether it was believed.
    Notice(Box<Notice>, Sender<Result<(), String>>),
    /// To renew a seat's credential; answered with what is wrong with it.
    Credential(Seat, Vec<u8>, Sender<Result<(), String>>),
    /// To read leaves: from which on, and how many.
    Leaves(Seat, u64, u64, Sender<Vec<u8>>),
    /// To read the signed head.
    Checkpoint(Seat, Sender<String>),
    /// To read the heads that witnesses cosigned.
    Cosigned(Seat, Sender<Vec<String>>),
    /// To read how the seat's open epoch began; nothing while it is the first.
    Opening(Seat, Sender<Option<Vec<u8>>>),
    /// To read what the seat noted in its ledger of its own accord, from that leaf of the open epoch on; leaves are
    /// counted within it.
    Notes(Seat, u64, Sender<Vec<Noted>>),
    /// To have a credential that the seat, an issuer, issued stand in its ledger; answered with its leaf.
    Issued(Seat, Vec<u8>, Sender<Result<u64, String>>),
    /// To read a receipt: whose ledger, which epoch (the open one if none is named), which leaf.
    Receipt(Seat, PartyId, Option<u32>, u64, Sender<Result<Found, Missing>>),
    /// To read which exchanges an organisation had with the seat, from that instant and leaf on.
    Affected(Seat, PartyId, (Timestamp, u64), Sender<Vec<Touched>>),
    /// To know whether something can be sealed to a member.
    Knows(PartyId, Sender<bool>),
    /// To make new sealing keys of a member at once; answered with whether it did.
    Rotate(Seat, Sender<bool>),
    /// To see how the node is.
    Status(Sender<Status>),
}

/// A receipt of ours, as it is kept.
#[derive(Clone, Debug)]
pub struct Found {
    /// Where it stands, and what became of it.
    pub kept: receipts::Kept,
    /// Its bytes.
    pub receipt: Vec<u8>,
    /// The head it was proven under.
    pub head: Checkpoint,
    /// Whether no quorum of witnesses has cosigned a head yet that follows from that one.
    pub is_unwitnessed: bool,
    /// The newest head of that member a quorum cosigned, as a signed note.
    pub cosigned: Option<String>,
}

/// Why there is no such receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The epoch of that ledger that was looked at; none if whose ledger it is stands in no roster and no epoch was
    /// named.
    pub epoch: Option<u32>,
    /// Whether that is the open one, taken because none was named.
    pub is_open: bool,
    /// Other epochs in which there is a receipt of that leaf, the newest first.
    pub elsewhere: Vec<u32>,
}

/// How the node is.
#[derive(Clone, Debug)]
pub struct Status {
    /// Whether roster and pulse are current.
    pub condition: Condition,
    /// The newest roster.
    pub roster: u32,
    /// The network, as hex digits.
    pub network: String,
    /// Open connections.
    pub connections: usize,
    /// Connections on which somebody was admitted.
    pub admitted: usize,
    /// Each seat's party and the size of its ledger.
    pub ledgers: Vec<(String, u64)>,
    /// Rows of the index.
    pub rows: u64,
    /// Room on the disk in bytes.
    pub room: u64,
    /// Commits no snapshot covers.
    pub uncovered: u64,
    /// Pieces of work that panicked.
    pub panics: u64,
}

impl Beat {
    pub(super) fn wish(&mut self, wish: Local, now: Now, events: &mut Vec<(Seat, Event)>) -> Result<(), StoreError> {
        match wish {
            Local::Ask(seat, ask, waits) => {
                let id = self.number();
                self.asks.insert(id, waits);
                self.receive(Input::Ask(seat, id, *ask), now, events);
            }
            Local::Import(seat, bytes, waits) => {
                let id = self.number();
                self.imports.insert(id, waits);
                self.receive(Input::Import(seat, id, bytes), now, events);
            }
            Local::Notice(notice, waits) => {
                let told = self.heart.host.gate().learn(&notice, now.wall, &Real);
                if told.is_ok() {
                    self.receive(Input::Notice(*notice), now, events);
                }
                tell(waits, told.map(drop).map_err(|error| error.to_string()));
            }
            Local::Credential(seat, bytes, waits) => {
                let named = Credential::own(&bytes).map(|credential| credential.signing);
                if named.is_some_and(|signing| !self.heart.host.can_sign_with(seat, &signing)) {
                    // Its key may have been made since this process began.
                    self.follow(seat, now, events);
                }
                let checked = self.check_credential(seat, &bytes, now);
                if checked.is_ok() {
                    self.receive(Input::Credential(seat, bytes), now, events);
                }
                tell(waits, checked);
            }
            Local::Leaves(seat, from, count, waits) => {
                let leaves = self.leaves(seat, from, count.min(LEAVES_PER_WISH_MAX), now)?;
                tell(waits, leaves);
            }
            Local::Checkpoint(seat, waits) => {
                if let Some(head) = self.heart.store.head(seat) {
                    tell(waits, head.note.as_str().to_owned());
                }
            }
            Local::Cosigned(seat, waits) => tell(waits, self.cosigned(seat, now)?),
            Local::Opening(seat, waits) => tell(waits, self.opening(seat, now)?),
            Local::Notes(seat, from, waits) => tell(waits, self.notes(seat, from, now)?),
            Local::Issued(seat, bytes, waits) => {
                let id = self.number();
                self.imports.insert(id, waits);
                self.receive(Input::Issued(seat, id, bytes), now, events);
            }
            Local::Receipt(seat, party, epoch, leaf, waits) => {
                tell(waits, self.receipt(seat, &party, epoch, leaf, now)?);
            }
            Local::Affected(seat, party, from, waits) => tell(waits, self.affected(seat, &party, from, now)?),
            Local::Knows(party, waits) => {
                tell(waits, self.heart.host.gate().statement(&party, now.wall).is_some());
            }
            Local::Rotate(seat, waits) => {
                let gate = std::sync::Arc::clone(self.heart.host.gate());
                let renewal = self.heart.statements.rotate_now(seat, &gate, now.wall);
                let is_made = renewal.as_ref().is_some_and(|renewal| !renewal.fresh.is_empty());
                if let Some(renewal) = renewal {
                    self.say(renewal, now, events);
                }
                tell(waits, is_made);
            }
            Local::Status(waits) => tell(waits, self.status(now)),
        }
        Ok(())
    }

    fn number(&mut self) -> AskId {
        let number = self.next_ask;
        self.next_ask = number.saturating_add(1);
        AskId(number)
    }

    fn check_credential(&self, seat: Seat, bytes: &[u8], now: Now) -> Result<(), String> {
        let gate = self.heart.host.gate();
        let credential = Credential::verify(bytes, &gate.network(), gate.roster(), now.wall, &Real);
        let credential = credential.map_err(|error| error.to_string())?;
        if self.heart.seats.get(&seat) != Some(&credential.party) {
            return Err("他の組織の資格証です / it is another organisation's".to_owned());
        }
        let own = self.heart.network.peer_key();
        let is_for_our_keys = self.heart.host.can_sign_with(seat, &credential.signing)
            && credential.transport.iter().any(|key| *key.as_bytes() == own.0);
        if is_for_our_keys {
            Ok(())
        } else {
            Err("この資格証の鍵は、このノードの鍵と一致しません / it is for other keys than this node's".to_owned())
        }
    }

    fn leaves(&self, seat: Seat, from: u64, count: u64, now: Now) -> Result<Vec<u8>, StoreError> {
        let size = self.heart.store.head(seat).map_or(0, |head| head.size);
        let mut staged = Staged::new();
        let mut dice = OsDice;
        let batch = Batch::new(now, seat, &self.heart.store, &mut staged, &mut dice)?;
        let mut bytes = Vec::new();
        for index in from..from.saturating_add(count).min(size) {
            bytes.extend(batch.leaf(batch.epoch_begins().saturating_add(index))?.0.to_bytes());
        }
        Ok(bytes)
    }

    fn cosigned(&self, seat: Seat, now: Now) -> Result<Vec<String>, StoreError> {
        let mut staged = Staged::new();
        let mut dice = OsDice;
        let batch = Batch::new(now, seat, &self.heart.store, &mut staged, &mut dice)?;
        let mut notes = Vec::new();
        for member in self.heart.host.gate().roster().of_kind(PartyKind::Witness) {
            let note = batch.get(&cosigned_key(seat, &member.party))?;
            notes.extend(note.and_then(|bytes| String::from_utf8(bytes).ok()));
        }
        Ok(notes)
    }

    fn opening(&self, seat: Seat, now: Now) -> Result<Option<Vec<u8>>, StoreError> {
        let mut staged = Staged::new();
        let mut dice = OsDice;
        Batch::new(now, seat, &self.heart.store, &mut staged, &mut dice)?.get(&opening_key(seat))
    }

    fn notes(&self, seat: Seat, from: u64, now: Now) -> Result<Vec<Noted>, StoreError> {
        let mut staged = Staged::new();
        let mut dice = OsDice;
        let batch = Batch::new(now, seat, &self.heart.store, &mut staged, &mut dice)?;
        let begins = batch.epoch_begins();
        let notes = note::from(&batch, begins.saturating_add(from), NOTES_PER_WISH_MAX)?;
        Ok(notes.into_iter().map(|noted| Noted { leaf: noted.leaf.saturating_sub(begins), ..noted }).collect())
    }

    fn receipt(
        &self,
        seat: Seat,
        party: &PartyId,
        epoch: Option<u32>,
        leaf: u64,
        now: Now,
    ) -> Result<Result<Found, Missing>, StoreError> {
        let mut staged = Staged::new();
        let mut dice = OsDice;
        let batch = Batch::new(now, seat, &self.heart.store, &mut staged, &mut dice)?;
        let gate = self.heart.host.gate();
        let open = gate.roster().member(party).map(|member| gate.origin(member).epoch());
        let looked = epoch.or(open);
        let kept = match looked {
            Some(epoch) => receipts::of_leaf(&batch, party, epoch, leaf)?,
            None => None,
        };
        let Some(kept) = kept else {
            let newest = open.or(epoch).unwrap_or_default();
            let mut elsewhere = Vec::new();
            for other in (newest.saturating_sub(EPOCHS_BACK_MAX)..=newest).rev().filter(|other| Some(*other) != looked)
            {
                elsewhere.extend(receipts::of_leaf(&batch, party, other, leaf)?.map(|_kept| other));
            }
            return Ok(Err(Missing { epoch: looked, is_open: epoch.is_none(), elsewhere }));
        };
        let receipt = receipts::read(&batch, &kept)?;
        let unreadable = StoreError::Unreadable("receipt");
        let (_evidence, (_note, head)) = receipts::read_receipt(&receipt).ok_or(unreadable)?;
        let is_unwitnessed = batch.get(&receipts::unwitnessed_key(&batch, &head.origin, head.size))?.is_some();
        let cosigned = batch.get(&receipts::cosigned_head_key(&batch, party))?;
        let cosigned = cosigned.and_then(|note| String::from_utf8(note).ok());
        Ok(Ok(Found { kept, receipt, head, is_unwitnessed, cosigned }))
    }

    fn affected(
        &self,
        seat: Seat,
        party: &PartyId,
        from: (Timestamp, u64),
        now: Now,
    ) -> Result<Vec<Touched>, StoreError> {
        let mut staged = Staged::new();
        let mut dice = OsDice;
        let batch = Batch::new(now, seat, &self.heart.store, &mut staged, &mut dice)?;
        access_log::of_party(&batch, party, from, EXCHANGES_PER_WISH_MAX)
    }

    fn status(&self, now: Now) -> Status {
        let heart = &self.heart;
        let gate = heart.host.gate();
        let size = |seat: &Seat| heart.store.head(*seat).map_or(0, |head| head.size);
        Status {
            condition: gate.condition(now.wall),
            roster: gate.roster().version,
            network: gate.network().to_string(),
            connections: self.connections.len(),
            admitted: heart.host.admitted(),
            ledgers: heart.seats.iter().map(|(seat, party)| (party.to_string(), size(seat))).collect(),
            rows: heart.store.index_rows(),
            room: heart.vitals.room(),
            uncovered: heart.store.uncovered_commits(),
            panics: heart.workers.panics(),
        }
    }
}

/// Whoever no longer waits needs no answer.
fn tell<T>(waits: Sender<T>, what: T) {
    drop(waits.send(what));
}
