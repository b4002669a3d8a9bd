//! The wire (回線): who reaches whom, what becomes of a frame on its way, and what both ends hear when it breaks.
//! Looks into no frame.

use std::collections::BTreeSet;

use protocol::host::Input;
use protocol::id::party::PartyId;
use protocol::key::PublicKey;
use protocol::time::Span;

use super::{WIRE_MS, World};
use crate::passage::{self, Delivery, Passage, Tamper};

/// Some hosts that the others cannot reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parting {
    /// Those hosts; they reach each other.
    pub some: BTreeSet<PartyId>,
    /// Whether what the others say does reach them.
    pub hears: bool,
}

/// How long whoever dials waits for a host that does not answer.
const DIAL_MS: u64 = 5_000;

impl World {
    /// Lets frames be held up, changed, repeated or lost.
    pub fn tamper(&mut self, tamper: Option<Tamper>) {
        self.tamper = tamper;
    }

    /// From now on these hosts do not reach each other, and no others.
    pub fn part_hosts(&mut self, partings: Vec<Parting>) {
        self.partings = partings;
    }

    /// Whoever ever dialled a host.
    pub fn dialled(&self, party: &PartyId) -> impl Iterator<Item = &PartyId> {
        self.dialled.get(party).into_iter().flatten()
    }

    /// Frames so far that were lost as one host could not reach the other.
    pub const fn cut_off(&self) -> u64 {
        self.cut_off
    }

    /// The other end hears that a wire is gone, or, if it was not open there yet, that nobody is there: what was
    /// never opened is not closed.
    pub(super) fn part(&mut self, wire: u64, other: &PartyId) {
        let is_opening = |to: &PartyId, input: &Input| {
            to == other && matches!(input, Input::Opened { connection, .. } if *connection == wire)
        };
        let opening = self.queue.iter().find(|(_at, (to, input))| is_opening(to, input)).map(|(at, _input)| *at);
        match opening.and_then(|at| self.queue.remove(&at)) {
            Some((_to, Input::Opened { peer, outbound: true, .. })) => {
                self.push(WIRE_MS, other, Input::Unreachable { peer });
            }
            Some(_) => {}
            None => self.push(WIRE_MS, other, Input::Closed { connection: wire }),
        }
    }

    pub(super) fn send(&mut self, from: &PartyId, connection: u64, bytes: Vec<u8>, after_ms: u64) {
        let Some((a, b)) = self.wires.get(&connection).cloned() else { return };
        let to = if a == *from { b } else { a };
        self.record("send", from, &bytes);
        if !self.reaches(from, &to) {
            self.happen(from, Some(&to), || format!("{}, cut off", passage::described(&bytes)));
            self.cut_off = self.cut_off.saturating_add(1);
            return;
        }
        let passage = Passage { from: from.clone(), to: to.clone(), bytes };
        let deliveries = match &mut self.tamper {
            Some(tamper) => tamper(&passage),
            None => vec![Delivery { delay: Span::ZERO, bytes: passage.bytes.clone() }],
        };
        self.happen(from, Some(&to), || passage::fate(&passage.bytes, &deliveries));
        for delivery in deliveries {
            let after = after_ms.saturating_add(WIRE_MS).saturating_add(delivery.delay.ms());
            self.push(after, &to, Input::Frame { connection, bytes: delivery.bytes });
        }
    }

    pub(super) fn dial(&mut self, from: &PartyId, peer: PublicKey, after_ms: u64) {
        let own = self.founding.keys(from).and_then(|keys| keys.transport.first()).copied();
        let (Some(to), Some(own)) = (self.by_peer.get(&peer).cloned(), own) else {
            self.push(after_ms, from, Input::Unreachable { peer });
            return;
        };
        if !self.hosts.contains_key(&to) {
            self.push(after_ms.saturating_add(WIRE_MS), from, Input::Unreachable { peer });
            return;
        }
        if !self.reaches(from, &to) || !self.reaches(&to, from) {
            self.push(after_ms.saturating_add(DIAL_MS), from, Input::Unreachable { peer });
            return;
        }
        let wire = self.next_wire;
        self.next_wire = wire.saturating_add(1);
        self.wires.insert(wire, (from.clone(), to.clone()));
        self.dialled.entry(to.clone()).or_default().insert(from.clone());
        let after = after_ms.saturating_add(WIRE_MS);
        self.push(after, &to, Input::Opened { connection: wire, peer: own, outbound: false });
        self.push(after, from, Input::Opened { connection: wire, peer, outbound: true });
    }

    pub(super) fn reaches(&self, from: &PartyId, to: &PartyId) -> bool {
        self.partings.iter().all(|parting| match (parting.some.contains(from), parting.some.contains(to)) {
            (true, false) => false,
            (false, true) => parting.hears,
            (true, true) | (false, false) => true,
        })
    }

    /// Cuts a wire.
    pub fn cut(&mut self, wire: u64) {
        self.close(wire);
        self.run();
    }

    pub(super) fn close(&mut self, connection: u64) {
        if let Some((a, b)) = self.wires.remove(&connection) {
            self.push(0, &a, Input::Closed { connection });
            self.push(0, &b, Input::Closed { connection });
        }
    }

    /// The wire between two hosts, if there is one.
    pub fn wire(&self, a: &PartyId, b: &PartyId) -> Option<u64> {
        let joins = |ends: &(PartyId, PartyId)| (ends.0 == *a && ends.1 == *b) || (ends.0 == *b && ends.1 == *a);
        self.wires.iter().find(|(_wire, ends)| joins(ends)).map(|(wire, _ends)| *wire)
    }
}
