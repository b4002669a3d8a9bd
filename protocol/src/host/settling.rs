//! What a host sees to before a seat may write: whether its ledger is settled to be the newest, and what is
//! withheld until it is.

use rand_core::CryptoRng;

use crate::access_log::note::Author;
use crate::batch::Batch;
use crate::frame::Frame;
use crate::gate::Gate;
use crate::id::party::PartyId;
use crate::key::KeyUse;
use crate::ledger::checkpoint::SignedCheckpoint;
use crate::machine::{Action, Ending, Event, Failure, Outbox};
use crate::store::staged::Staged;
use crate::store::{Seat, Store, StoreError};
use crate::time::{Now, Span};

use super::{BUSY_MS, Effect, Host, Office};

/// What an import is told while the ledger is unsettled.
const UNSETTLED: &str =
    "台帳が最新であることを確かめています。しばらくしてからやり直してください / the ledger is not settled yet";

impl Host {
    /// What keeps this process from answering, if anything does: a word for operators.
    pub fn unsettled(&self) -> Option<&'static str> {
        self.offices.values().find_map(|office| office.cosigning.as_ref()?.unsettled())
    }

    /// Each seat's machine is told which ledger it keeps; whoever has to begins a new epoch, before anything else is
    /// staged.
    pub(super) fn settle(
        &mut self,
        gate: &Gate,
        store: &Store,
        staged: &mut Staged,
        now: Now,
        dice: &mut dyn CryptoRng,
        out: &mut Outbox,
    ) -> Result<(), StoreError> {
        for (seat, office) in &mut self.offices {
            let quorum_at = office.cosigning.as_ref().and_then(|cosigning| cosigning.quorum_at());
            if let (Some(machine), Some(origin)) = (&mut office.machine, store.origin(*seat)) {
                machine.stand(origin, quorum_at);
            }
            let Some(cosigning) = office.cosigning.as_mut().filter(|cosigning| !cosigning.is_settled()) else {
                continue;
            };
            let mut batch = Batch::new(now, *seat, store, staged, dice)?;
            cosigning.begin(&batch)?;
            if cosigning.wants_to_begin(gate, now.steady) {
                cosigning.begin_epoch(gate, &mut batch, out)?;
            } else if cosigning.concludes_alone(gate) {
                cosigning.conclude(&store.note_at(*seat, 1)?, gate, &mut batch, out)?;
            }
        }
        Ok(())
    }

    /// Whether a seat may write.
    pub(super) fn is_settled(&self, seat: Seat) -> bool {
        self.offices.get(&seat).is_none_or(Office::is_settled)
    }

    /// Whose heads an admitted peer may show: the seat that keeps that ledger.
    pub(super) fn shown(&self, connection: u64, note: &[u8]) -> Option<(Seat, Event)> {
        self.links.get(&connection).filter(|link| !link.standings.is_empty())?;
        let claimed = SignedCheckpoint::parse(note).ok()?.claim().ok()?;
        let seat = self.seats.get(claimed.origin.party())?;
        Some((*seat, Event::Shown(note.to_vec())))
    }

    /// Shows whoever is at the other end of a connection the newest of its heads that this seat verified: if it was
    /// restored from a backup, it finds out before it is asked anything.
    pub(super) fn show_heads(&self, connection: u64, seat: Seat, now: Now, out: &mut Vec<Effect>) {
        let (Some(link), Some(office)) = (self.links.get(&connection), self.offices.get(&seat)) else { return };
        for (party, note) in office.requester.heads() {
            let is_there = |party: &PartyId| {
                self.gate.statement(party, now.wall).is_some_and(|said| said.transport.contains(&link.peer))
            };
            if is_there(party) {
                super::send(out, connection, &Frame::Shown(note.to_vec().into()));
            }
        }
    }
}

impl Host {
    /// Each seat that may write notes the roster it acts under from now on.
    pub(super) fn note_rosters(
        &mut self,
        gate: &Gate,
        store: &Store,
        staged: &mut Staged,
        now: Now,
        dice: &mut dyn CryptoRng,
    ) -> Result<(), StoreError> {
        for (seat, office) in &mut self.offices {
            if office.is_settled() && office.noting.lags(gate, store.epoch_begins(*seat)) {
                let author = office.author();
                let mut batch = Batch::new(now, *seat, store, staged, dice)?;
                office.noting.note_roster(&author, gate, &mut batch)?;
            }
        }
        Ok(())
    }
}

impl Office {
    /// Who notes in its ledger.
    pub(super) fn author(&self) -> Author {
        let identity = self.requester.identity();
        Author { party: identity.party.clone(), key: identity.signing_public.id(KeyUse::Signing) }
    }

    /// Whether it may write.
    pub(super) fn is_settled(&self) -> bool {
        self.cosigning.as_ref().is_none_or(|cosigning| cosigning.is_settled())
    }
}

/// Sends away what would be written while the ledger is unsettled; hands back what would not.
pub(super) fn withhold(event: Event, out: &mut Outbox) -> Option<Event> {
    match event {
        Event::Request(_, route) | Event::Evaluated(_, route, _) | Event::Examined(_, route, _) => {
            out.act(Action::Reply(route, Frame::Busy(route.id, BUSY_MS)));
        }
        Event::Ask(id, _ask) => {
            let failure = Failure::NotReady("the ledger is not settled yet");
            out.act(Action::Tell(id, Box::new(Ending::Failed(failure))));
        }
        // Its leaf would stand in a tree that is about to be left. The exchange stays open and is sent again.
        Event::Answered(exchange, Ok(_accepted)) => {
            return Some(Event::Busy(exchange, Span::from_ms(BUSY_MS)));
        }
        Event::Import(id, _) | Event::Fed(id, _) | Event::Issued(id, _) => {
            out.act(Action::Imported(id, Err(UNSETTLED.to_owned())));
        }
        other => return Some(other),
    }
    None
}
