//! The links of a host: connections that open and close, who is dialled, what waits for whom, and what a fault
//! costs the connection it came on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::frame::Frame;
use crate::gate::{NotAdmitted, Notice, Standing};
use crate::id::exchange::ExchangeId;
use crate::id::party::PartyId;
use crate::key::PublicKey;
use crate::ledger::checkpoint::SignedCheckpoint;
use crate::limits;
use crate::machine::Event;
use crate::news::News;
use crate::store::Seat;
use crate::time::{Now, Steady};

use super::allowance::Allowance;
use super::{Admitted, Drop, Effect, Host, Link, Parcel, Waiting, present, send};

impl Host {
    pub(super) fn opened(&mut self, connection: u64, peer: PublicKey, outbound: bool, now: Now, out: &mut Vec<Effect>) {
        let wants_statements = self.is_astray || self.gate.lacks_statements(&peer, now.wall);
        let now = now.steady;
        let mut link = Link {
            peer,
            outbound,
            standings: BTreeMap::new(),
            news: News::default(),
            hellos: BTreeMap::new(),
            welcomed: BTreeSet::new(),
            failures: VecDeque::new(),
            asked: Allowance::default(),
            shown: Allowance::default(),
        };
        if outbound {
            let version = self.gate.roster().version;
            if link.news.fetch(version, now) {
                self.peers.fetch(&peer, now);
                send(out, connection, &Frame::Fetch(version, wants_statements));
                self.is_astray = false;
            }
            for (seat, office) in &self.offices {
                if let Some(statement) = &office.statement {
                    send(out, connection, &Frame::Notice(Notice::Statement(statement.clone().into())));
                }
                let number = self.next_frame;
                self.next_frame = number.saturating_add(1);
                link.hellos.insert(number, (*seat, now));
                send(out, connection, &Frame::Hello(number, present(&self.gate, office).into()));
            }
            self.dialled.entry(peer).or_default().connection = Some(connection);
            self.unreached.remove(&peer);
        } else {
            self.strangers.push_back((now.plus(limits::STRANGER_LIMIT), connection));
        }
        self.links.insert(connection, link);
    }

    /// Closes what has spoken for nobody for too long: it holds a place that a member may need.
    pub(super) fn part_with_strangers(&mut self, now: Steady, out: &mut Vec<Effect>) {
        while let Some((at, connection)) = self.strangers.front().copied() {
            if at > now {
                return;
            }
            self.strangers.pop_front();
            let is_stranger = self.links.get(&connection).is_some_and(|link| link.standings.is_empty());
            // Noted again if it was admitted and estranged meanwhile: then the later note counts.
            if is_stranger && self.strangers.iter().all(|(_at, other)| *other != connection) {
                out.push(Effect::Close { connection });
            }
        }
    }

    /// Presents a seat anew on every connection we made: what it showed before runs out.
    pub(super) fn greet_again(&mut self, seat: Seat, now: Steady, out: &mut Vec<Effect>) {
        let Some(office) = self.offices.get(&seat) else { return };
        let shown = present(&self.gate, office);
        for (connection, link) in self.links.iter_mut().filter(|(_connection, link)| link.outbound) {
            let number = self.next_frame;
            self.next_frame = number.saturating_add(1);
            link.hellos.insert(number, (seat, now));
            send(out, *connection, &Frame::Hello(number, shown.clone().into()));
        }
    }

    pub(super) fn closed(&mut self, connection: u64) -> Option<(Seat, Event)> {
        let link = self.links.remove(&connection)?;
        self.handing.remove(&connection);
        if link.outbound
            && let Some(dialled) = self.dialled.get_mut(&link.peer)
            && dialled.connection == Some(connection)
        {
            dialled.connection = None;
            // What waited for a welcome is sent again by its requester, which dials anew.
            dialled.queued.clear();
        }
        let lost: Vec<_> =
            self.waiting.iter().filter(|(_id, waiting)| waiting.connection == connection).map(|(id, _)| *id).collect();
        let mut last = None;
        for id in lost {
            // The requester's own deadline brings up all but the last: a lost connection is rare.
            last = self.waiting.remove(&id).map(|waiting| (waiting.seat, Event::Lost(waiting.exchange)));
        }
        last
    }

    pub(super) fn unreachable(&mut self, peer: &PublicKey) -> Option<(Seat, Event)> {
        let dialled = self.dialled.get_mut(peer)?;
        if dialled.connection.is_some() {
            return None;
        }
        let dialled = self.dialled.remove(peer)?;
        self.is_astray = true;
        if self.unreached.len() < WAITING_MAX {
            self.unreached.insert(*peer);
        }
        dialled.queued.into_iter().next_back().map(|(seat, exchange, _parcel)| (seat, Event::Lost(exchange)))
    }

    /// Sends a request over the connection to a member, making one if there is none; to a seat of our own it
    /// goes the same way without a wire.
    pub(super) fn transmit(
        &mut self,
        seat: Seat,
        to: &PartyId,
        exchange: ExchangeId,
        parcel: Parcel,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        if self.seats.contains_key(to) {
            // A witness does not cosign for its own operator.
            let own = crate::machine::Route::OWN;
            match parcel {
                Parcel::Request(bytes) => {
                    let id = self.wait_for(seat, exchange, own, None);
                    self.request(own, id, &bytes, now, out);
                }
                Parcel::Prove { of, sizes } => {
                    let route = crate::machine::Route { connection: own, id: self.wait_for(seat, exchange, own, None) };
                    self.later.extend(self.seats.get(&of).map(|seat| (*seat, Event::Prove { route, sizes })));
                }
                Parcel::Cosign { .. } => {}
            }
            return;
        }
        let Some(statement) = self.gate.statement(to, now.wall) else { return };
        let (transport, addresses) = (statement.transport.clone(), statement.addresses.clone());
        let Some(peer) = self.peer_of(&transport) else { return };
        let dialled = self.dialled.entry(peer).or_default();
        if let Some(connection) = dialled.connection
            && self.links.get(&connection).is_some_and(|link| link.welcomed.contains(&seat))
        {
            self.post(seat, exchange, parcel, connection, out);
            return;
        }
        let connection = dialled.connection;
        let is_first = connection.is_none() && dialled.queued.is_empty();
        if dialled.queued.len() < limits::OPEN_ASKS_MAX {
            dialled.queued.push_back((seat, exchange, parcel));
        }
        match connection {
            Some(connection) => self.hello(connection, seat, now.steady, out),
            None if is_first => out.push(Effect::Dial { peer, addresses }),
            None => {}
        }
    }

    /// Presents a seat on a connection, unless it is waiting for the answer to that already. What was not answered
    /// within an attempt's time was lost on the way or given up over there: it is not waited for.
    fn hello(&mut self, connection: u64, seat: Seat, now: Steady, out: &mut Vec<Effect>) {
        let (Some(link), Some(office)) = (self.links.get_mut(&connection), self.offices.get(&seat)) else { return };
        link.hellos.retain(|_number, (_seat, since)| now < since.plus(limits::ATTEMPT_LIMIT));
        if link.hellos.values().any(|(waiting, _since)| *waiting == seat) {
            return;
        }
        let number = self.next_frame;
        self.next_frame = number.saturating_add(1);
        link.hellos.insert(number, (seat, now));
        send(out, connection, &Frame::Hello(number, present(&self.gate, office).into()));
    }

    fn wait_for(
        &mut self,
        seat: Seat,
        exchange: ExchangeId,
        connection: u64,
        note: Option<Arc<SignedCheckpoint>>,
    ) -> u64 {
        let id = self.next_frame;
        self.next_frame = id.saturating_add(1);
        if self.waiting.len() >= WAITING_MAX {
            self.waiting.pop_first();
        }
        self.waiting.insert(id, Waiting { seat, exchange, connection, note });
        id
    }

    pub(super) fn welcome(&mut self, connection: u64, number: u64, now: Now, out: &mut Vec<Effect>) {
        let Some(link) = self.links.get_mut(&connection) else { return };
        let Some((seat, _since)) = link.hellos.remove(&number) else { return };
        link.welcomed.insert(seat);
        self.show_heads(connection, seat, now, out);
        let Some(link) = self.links.get(&connection) else { return };
        let Some(dialled) = self.dialled.get_mut(&link.peer) else { return };
        let queued = std::mem::take(&mut dialled.queued);
        let (ready, kept): (VecDeque<_>, VecDeque<_>) =
            queued.into_iter().partition(|(waiting, _exchange, _parcel)| *waiting == seat);
        dialled.queued = kept;
        for (seat, exchange, parcel) in ready {
            self.post(seat, exchange, parcel, connection, out);
        }
    }

    /// A presentation of ours is not admitted: what waits for that member ends. A request is not admitted: perhaps
    /// only because something was renewed meanwhile, so the seat presents itself anew before it is sent again.
    pub(super) fn sorry(
        &mut self,
        connection: u64,
        number: u64,
        now: Steady,
        out: &mut Vec<Effect>,
    ) -> Option<(Seat, Event)> {
        let Some((seat, _since)) = self.links.get_mut(&connection)?.hellos.remove(&number) else {
            let waiting = self.take_waiting(connection, number, now, out)?;
            self.links.get_mut(&connection)?.welcomed.remove(&waiting.seat);
            return Some((waiting.seat, Event::Lost(waiting.exchange)));
        };
        out.push(Effect::Alarm("a member did not admit us"));
        let link = self.links.get_mut(&connection)?;
        if link.outbound && link.hellos.is_empty() && link.welcomed.is_empty() {
            // Of no use; the next one may find the member better informed.
            out.push(Effect::Close { connection });
        }
        let dialled = self.dialled.get_mut(&link.peer)?;
        let (declined, kept): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut dialled.queued).into_iter().partition(|(waiting, _exchange, _parcel)| *waiting == seat);
        dialled.queued = kept;
        self.beside.extend(declined.into_iter().map(|(seat, exchange, _parcel)| (seat, Event::Declined(exchange))));
        self.beside.pop()
    }

    /// What waits for frame `id` of this very connection: nobody else may answer it. Whoever dialled us and
    /// answers what was never asked there is at fault.
    pub(super) fn take_waiting(
        &mut self,
        connection: u64,
        id: u64,
        now: Steady,
        out: &mut Vec<Effect>,
    ) -> Option<Waiting> {
        if self.waiting.get(&id).is_some_and(|waiting| waiting.connection == connection) {
            return self.waiting.remove(&id);
        }
        if self.links.get(&connection).is_some_and(|link| !link.outbound) {
            self.fault(connection, Drop::Unasked, now, out);
        } else {
            out.push(Effect::Dropped(Drop::Unasked));
        }
        None
    }

    fn post(&mut self, seat: Seat, exchange: ExchangeId, parcel: Parcel, connection: u64, out: &mut Vec<Effect>) {
        let frame = match parcel {
            Parcel::Request(bytes) => {
                let id = self.wait_for(seat, exchange, connection, None);
                Frame::Request(id, bytes.into())
            }
            Parcel::Cosign { note, from, proof, opening } => {
                let bytes = note.as_bytes().to_vec();
                let id = self.wait_for(seat, exchange, connection, Some(note));
                Frame::Cosign(id, bytes.into(), from, proof, opening.map(Into::into))
            }
            Parcel::Prove { of, sizes } => Frame::Prove(self.wait_for(seat, exchange, connection, None), of, sizes),
        };
        send(out, connection, &frame);
    }

    pub(super) fn admitted_on(
        &mut self,
        connection: u64,
        number: u64,
        result: Result<Arc<Standing>, NotAdmitted>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let result = result.and_then(|standing| self.follows(standing, now.wall));
        if let Ok(standing) = &result {
            self.compare(connection, standing.named(), now.steady, out);
        }
        let Some(link) = self.links.get_mut(&connection) else { return };
        match result {
            Ok(standing) if link.standings.len() < STANDINGS_PER_LINK_MAX => {
                if link.standings.is_empty() && !link.outbound {
                    out.push(Effect::Admitted { connection });
                }
                let party = standing.party().clone();
                // What was signed before a renewal may still be under way.
                let before = link.standings.remove(&party).and_then(|admitted| {
                    let is_other = admitted.now.credential() != standing.credential();
                    if is_other { Some(admitted.now) } else { admitted.before }
                });
                link.standings.insert(party, Admitted { now: standing, before });
                send(out, connection, &Frame::Welcome(number));
            }
            Ok(_standing) => send(out, connection, &Frame::Sorry(number)),
            Err(reason) => {
                out.push(Effect::Dropped(Drop::NotBelieved(reason)));
                send(out, connection, &Frame::Sorry(number));
            }
        }
    }

    /// Counts a fault of the other end; three within a minute end the connection.
    pub(super) fn fault(&mut self, connection: u64, reason: Drop, now: Steady, out: &mut Vec<Effect>) {
        out.push(Effect::Dropped(reason));
        let Some(link) = self.links.get_mut(&connection) else { return };
        link.failures.retain(|at| now.since(*at) < limits::COST_WINDOW);
        link.failures.push_back(now);
        if link.failures.len() >= FAULTS_MAX {
            out.push(Effect::Close { connection });
        }
    }
}

/// The most standings one connection may gather.
const STANDINGS_PER_LINK_MAX: usize = 256;
/// The most frames waiting for an answer.
const WAITING_MAX: usize = 65_536;
/// How many faults within [`limits::COST_WINDOW`] end a connection.
const FAULTS_MAX: usize = 3;
