//! The directory (所在照会): keeps sealed entries under tags, in the order insurers register them. It knows
//! which insurer registered a tag and when; never a handle, a person or what an entry says.

use minicbor::{Decode, Encode};

use crate::batch::Batch;
use crate::cbor;
use crate::duty::{self, Desk, Finding, Moment};
use crate::gate::Gate;
use crate::id::party::{PartyId, PartyKind};
use crate::ledger::origin::Origin;
use crate::limits;
use crate::machine::{Event, Machine, Outbox};
use crate::message::{Entry, Outcome, Question, Registration, Tag};
use crate::refusal::Refusal;
use crate::store::{Key, StoreError};
use crate::table;
use crate::time::{Steady, Timestamp};
use crate::vault::Label;
use crate::verify::Verified;

/// The machine.
#[derive(Debug)]
pub struct Directory {
    desk: Desk,
}

/// What stands under a tag: at most one entry of each registrant; two of different ones are both kept and
/// both told.
#[derive(Debug, Default, Encode, Decode)]
struct Shelf(#[n(0)] Vec<Slot>);

#[derive(Debug, Encode, Decode)]
struct Slot {
    #[n(0)]
    registrant: PartyId,
    #[n(1)]
    number: u64,
    /// Absent once it is withdrawn.
    #[n(2)]
    sealed: Option<minicbor::bytes::ByteVec>,
    /// The leaf of the registrant's first registration of this tag.
    #[n(3)]
    first: u64,
    /// The leaf of the one that stands.
    #[n(4)]
    since: u64,
}

/// The most registrants of one tag.
const SLOTS_MAX: usize = 8;

impl Directory {
    /// A directory.
    pub const fn new(desk: Desk) -> Self {
        Self { desk }
    }

    fn find(verified: &Verified, moment: Moment, batch: &mut Batch<'_>) -> Result<Finding, StoreError> {
        let refused = |refusal| Ok(Finding::refused(refusal, Label::GENERAL, Vec::new()));
        match &verified.request().question {
            Question::LookUp(tag) => match look_up(tag, moment, batch)? {
                Some(outcome) => Ok(Finding::plain(outcome)),
                None => refused(Refusal::Superseded),
            },
            Question::Register(_) if verified.standing().party().kind() != PartyKind::Insurer => {
                refused(Refusal::NotPermitted)
            }
            Question::Register(list) => {
                if list
                    .iter()
                    .any(|one| one.sealed.as_ref().is_some_and(|sealed| sealed.len() > limits::SEALED_BYTES_MAX))
                {
                    return refused(Refusal::NotAcceptable);
                }
                for one in list {
                    register(verified.standing().party(), one, batch)?;
                }
                Ok(Finding::plain(Outcome::Registered))
            }
            Question::Read(_)
            | Question::History(_)
            | Question::Evaluate(_)
            | Question::Resubmit(_)
            | Question::Submit(_)
            | Question::Erase(_) => refused(Refusal::NotOurs),
        }
    }
}

impl Machine for Directory {
    fn handle(&mut self, event: Event, gate: &Gate, batch: &mut Batch<'_>, out: &mut Outbox) -> Result<(), StoreError> {
        match event {
            Event::Request(verified, route) => {
                let mut find = |verified: &Verified, moment, batch: &mut Batch<'_>, _out: &mut Outbox| {
                    Self::find(verified, moment, batch)
                };
                duty::answer(&self.desk, &verified, route, gate, batch, out, &mut find)
            }
            _ => Ok(()),
        }
    }

    fn deadline(&self) -> Option<(Steady, &'static str)> {
        None
    }

    fn stand(&mut self, origin: &Origin, quorum_at: Option<Timestamp>) {
        self.desk.stand(origin, quorum_at);
    }
}

/// What stood under a tag at that moment. `None` if some of it has been replaced or withdrawn since: it is
/// deleted, and who was told may not be told again.
fn look_up(tag: &Tag, moment: Moment, batch: &Batch<'_>) -> Result<Option<Outcome>, StoreError> {
    let shelf = shelf(tag, batch)?;
    if shelf.0.iter().any(|slot| moment.knows(slot.first) && !moment.knows(slot.since)) {
        return Ok(None);
    }
    let there = shelf.0.into_iter().filter(|slot| moment.knows(slot.since));
    let entries = there.filter_map(|slot| {
        Some(Entry { registrant: slot.registrant, number: slot.number, sealed: slot.sealed?.to_vec() })
    });
    Ok(Some(Outcome::Entries(entries.collect())))
}

/// Keeps a registration unless its number is not above the registrant's last: repeats change nothing.
fn register(registrant: &PartyId, one: &Registration, batch: &mut Batch<'_>) -> Result<(), StoreError> {
    let mut shelf = shelf(&one.tag, batch)?;
    // The leaf that this very question will have.
    let leaf = batch.ledger_size();
    let fresh = Slot {
        registrant: registrant.clone(),
        number: one.number,
        sealed: one.sealed.clone(),
        first: leaf,
        since: leaf,
    };
    let has_room = shelf.0.len() < SLOTS_MAX;
    match shelf.0.iter_mut().find(|slot| slot.registrant == *registrant) {
        Some(slot) if slot.number >= one.number => return Ok(()),
        Some(slot) => *slot = Slot { first: slot.first, ..fresh },
        None if has_room => shelf.0.push(fresh),
        None => return Ok(()),
    }
    shelf.0.sort_by(|a, b| a.registrant.cmp(&b.registrant));
    let key = key(&one.tag, batch);
    batch.put(key, Some(cbor::encode(&shelf)))
}

fn shelf(tag: &Tag, batch: &Batch<'_>) -> Result<Shelf, StoreError> {
    match batch.get(&key(tag, batch))? {
        Some(bytes) => cbor::decode(&bytes).map_err(|_error| StoreError::Unreadable("bindings")),
        None => Ok(Shelf::default()),
    }
}

fn key(tag: &Tag, batch: &Batch<'_>) -> Key {
    batch.key(table::BINDING, &tag.0)
}
