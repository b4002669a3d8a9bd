//! What comes on a host's connections: each frame looked at by its header, given to whom it concerns, or dropped and
//! counted. Opens nothing itself.

use std::sync::Arc;

use crate::digest::Digest;
use crate::envelope::Envelope;
use crate::frame::{self, Frame};
use crate::gate::Standing;
use crate::id::party::{PartyId, PartyKind};
use crate::limits;
use crate::machine::{Done, Event, Work};
use crate::primitives::Channel;
use crate::store::Seat;
use crate::time::{Now, Span, Steady, Timestamp};
use crate::verify::{Opener, Sealed};

use super::allowance::Cost;
use super::{BUSY_MS, Context, Drop, Effect, Host, reply, send};

impl Host {
    pub(super) fn frame(
        &mut self,
        connection: u64,
        bytes: &[u8],
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Option<(Seat, Event)> {
        let link = self.links.get(&connection)?;
        let Ok(frame) = frame::parse(bytes) else {
            self.fault(connection, Drop::MalformedFrame, now.steady, out);
            return None;
        };
        let is_stranger = !link.outbound && link.standings.is_empty();
        let cost = match frame {
            Frame::Hello(..) => Some(Cost::Hello),
            Frame::Fetch(..) => Some(Cost::Fetch),
            Frame::Notice(_) => Some(Cost::Notice),
            _ => None,
        };
        let peer = link.peer;
        if let Some(cost) = cost {
            // Of a peer all connections count together: whoever dials anew has not become another.
            let is_within = self.peers.may(&peer, cost, is_stranger, now.steady);
            let asked = &mut self.links.get_mut(&connection)?.asked;
            if !is_within || is_stranger && !asked.take(now.steady, ALLOWANCE_MAX) {
                self.fault(connection, Drop::TooMuch, now.steady, out);
                return None;
            }
        }
        // Each is read against the ledger, on the one thread that decides.
        let is_read = matches!(frame, Frame::Shown(_) | Frame::Prove(..) | Frame::Cosign(..));
        if is_read && !self.links.get_mut(&connection)?.shown.take(now.steady, SHOWN_MAX) {
            self.fault(connection, Drop::TooMuch, now.steady, out);
            return None;
        }
        match frame {
            Frame::Hello(number, bytes) => {
                let gate = Arc::clone(&self.gate);
                let admit = Work::Admit { connection, number, peer, bytes: bytes.to_vec(), gate };
                out.extend(self.home().map(|seat| Effect::Work(seat, Box::new(admit))));
                None
            }
            Frame::Welcome(number) => {
                self.welcome(connection, number, now, out);
                None
            }
            Frame::Sorry(number) => self.sorry(connection, number, now.steady, out),
            Frame::Request(id, bytes) => {
                self.request(connection, id, &bytes, now, out);
                None
            }
            Frame::Answer(id, bytes) => {
                self.answer(connection, id, bytes.to_vec(), now.steady, out);
                None
            }
            Frame::Busy(id, ms) => {
                let waiting = self.take_waiting(connection, id, now.steady, out)?;
                Some((waiting.seat, Event::Busy(waiting.exchange, Span::from_ms(ms.min(limits::ASK_LIMIT.ms())))))
            }
            Frame::Fetch(version, statements) => {
                self.hand_out(connection, (version, statements), now.steady, out);
                None
            }
            Frame::Notice(notice) => {
                self.learn(&notice, Some(connection), now, out);
                None
            }
            Frame::Cosign(number, note, from, proof, opening) => {
                self.cosign(connection, number, (note.to_vec(), from, proof, opening))
            }
            Frame::Shown(note) => self.shown(connection, &note),
            Frame::Prove(number, of, sizes) => {
                self.links.get(&connection).filter(|link| !link.standings.is_empty())?;
                let route = crate::machine::Route { connection, id: number };
                self.seats.get(&of).map(|seat| (*seat, Event::Prove { route, sizes }))
            }
            Frame::Proven(number, note, proofs) => {
                let waiting = self.take_waiting(connection, number, now.steady, out)?;
                Some((waiting.seat, Event::Proven(waiting.exchange, note.to_vec(), proofs)))
            }
            Frame::Cosigned(number, verdict) => {
                let waiting = self.take_waiting(connection, number, now.steady, out)?;
                Some((waiting.seat, Event::Cosigned(waiting.exchange, verdict, waiting.note)))
            }
        }
    }

    /// Triage of a request: everything that costs no public-key operation.
    pub(super) fn request(&mut self, connection: u64, id: u64, bytes: &[u8], now: Now, out: &mut Vec<Effect>) {
        match self.prepare(connection, bytes, now) {
            Ok((seat, sealed)) => {
                if !self.is_settled(seat) {
                    reply(out, connection, &Frame::Busy(id, BUSY_MS));
                    return;
                }
                let sender = sealed.standing.party().clone();
                let opening = self.opening.entry(sender).or_insert(0);
                if *opening >= OPENING_PER_SENDER_MAX {
                    reply(out, connection, &Frame::Busy(id, BUSY_MS));
                    return;
                }
                *opening = opening.saturating_add(1);
                let route = crate::machine::Route { connection, id };
                out.push(Effect::Work(seat, Box::new(Work::Open { sealed: Box::new(sealed), route })));
            }
            Err(Drop::NotAdmitted) => {
                out.push(Effect::Dropped(Drop::NotAdmitted));
                reply(out, connection, &Frame::Sorry(id));
            }
            Err(reason) => self.fault(connection, reason, now.steady, out),
        }
    }

    fn prepare(&mut self, connection: u64, bytes: &[u8], now: Now) -> Result<(Seat, Sealed), Drop> {
        let envelope = Envelope::parse(bytes).map_err(|_error| Drop::MalformedEnvelope)?;
        let header = envelope.header();
        if header.network != self.gate.network() {
            return Err(Drop::OtherNetwork);
        }
        let seat = *self.seats.get(&header.recipient).ok_or(Drop::NobodyHere)?;
        let (standing, before) = self.standing(connection, &header.sender, now).ok_or(Drop::NotAdmitted)?;
        // A key that was retired, or one we have not heard of yet: the sender presents itself anew.
        let mut generations = std::iter::once(&standing).chain(&before);
        if !generations.any(|standing| standing.signing_key(header.signing_key).is_some()) {
            return Err(Drop::NotAdmitted);
        }
        let office = self.offices.get(&seat).ok_or(Drop::NobodyHere)?;
        let (suite, key) = office.keys.opener(&header.sealing_key, now.wall).ok_or(Drop::UnknownKey)?;
        if suite != header.suite || header.suite < self.gate.roster().suite_min {
            return Err(Drop::UnknownKey);
        }
        let opener = match self.remembered(&header.sender.clone(), header.context(), now.steady)? {
            Some(channel) => Opener::Channel(channel),
            None => Opener::Key(key),
        };
        Ok((seat, Sealed { envelope, standing, before, generation: self.gate.generation(), opener }))
    }

    fn standing(&self, connection: u64, sender: &PartyId, now: Now) -> Option<(Arc<Standing>, Option<Arc<Standing>>)> {
        if connection == crate::machine::Route::OWN {
            let office = self.offices.get(self.seats.get(sender)?)?;
            let credential = office.requester.identity().credential.as_deref();
            let own = self.gate.own(sender, credential, now.wall, self.primitives.as_ref());
            return own.map(|standing| (Arc::new(standing), None));
        }
        let admitted = self.links.get(&connection)?.standings.get(sender)?;
        Some((Arc::clone(&admitted.now), admitted.before.clone()))
    }

    /// The channel of an encapsulation seen before, counted against its bounds.
    fn remembered(&mut self, sender: &PartyId, name: Digest, now: Steady) -> Result<Option<Arc<dyn Channel>>, Drop> {
        let contexts = self.contexts.entry(sender.clone()).or_default();
        if let Some(context) = contexts.iter_mut().find(|context| context.name == name) {
            context.messages = context.messages.saturating_add(1);
            let is_worn = context.messages > limits::ENCAPSULATION_MESSAGES_MAX
                || now.since(context.since) > limits::ENCAPSULATION_LIFE;
            return if is_worn { Err(Drop::EncapsulationWornOut) } else { Ok(context.channel.clone()) };
        }
        if contexts.len() >= limits::CONTEXTS_PER_SENDER_MAX {
            contexts.pop_front();
        }
        contexts.push_back(Context { name, channel: None, since: now, messages: 1 });
        Ok(None)
    }

    fn answer(&mut self, connection: u64, id: u64, bytes: Vec<u8>, now: Steady, out: &mut Vec<Effect>) {
        let Some(waiting) = self.take_waiting(connection, id, now, out) else { return };
        let gate = Arc::clone(&self.gate);
        let pending = self.offices.get_mut(&waiting.seat).and_then(|office| {
            let pending = office.requester.pending(&waiting.exchange, &gate)?;
            Some((waiting.seat, Work::OpenAnswer { pending, bytes }))
        });
        match pending {
            Some((seat, work)) => out.push(Effect::Work(seat, Box::new(work))),
            None => out.push(Effect::Dropped(Drop::Unasked)),
        }
    }

    fn cosign(
        &self,
        connection: u64,
        number: u64,
        (note, from, proof, opening): (Vec<u8>, u64, Vec<Digest>, Option<minicbor::bytes::ByteVec>),
    ) -> Option<(Seat, Event)> {
        let link = self.links.get(&connection)?;
        let standings = link.standings.values().map(|admitted| Arc::clone(&admitted.now)).collect();
        let witness =
            self.offices.iter().find(|(_seat, office)| office.requester.identity().party.kind() == PartyKind::Witness);
        let route = crate::machine::Route { connection, id: number };
        witness.map(|(seat, _office)| (*seat, Event::Cosign { route, standings, note, from, proof, opening }))
    }

    pub(super) fn done(&mut self, done: Done, now: Now, out: &mut Vec<Effect>) -> Option<(Seat, Event)> {
        match done {
            Done::Event(seat, event) => {
                if let Event::Answered(_exchange, Ok(accepted)) = &event {
                    self.hear(&accepted.body.responder, accepted.body.decided, now.steady);
                }
                Some((seat, event))
            }
            Done::Answers(answers) => {
                for (route, bytes) in answers {
                    if route.connection == crate::machine::Route::OWN {
                        self.answer(route.connection, route.id, bytes, now.steady, out);
                    } else {
                        send(out, route.connection, &Frame::Answer(route.id, bytes.into()));
                    }
                }
                None
            }
            Done::Opened(seat, opened, route) => {
                let sender = opened.verified.standing().party().clone();
                self.opened_one(&sender);
                self.hear(&sender, opened.verified.request().issued, now.steady);
                let (name, channel) = opened.channel;
                if let Some(contexts) = self.contexts.get_mut(&sender)
                    && let Some(context) = contexts.iter_mut().find(|context| context.name == name)
                {
                    context.channel = Some(channel);
                }
                if self.waits_for_news(route, opened.verified.request().roster, now.steady, out) {
                    return None;
                }
                Some((seat, Event::Request(Box::new(opened.verified), route)))
            }
            Done::Dropped(route, sender, unfit) => {
                self.opened_one(&sender);
                self.fault(route.connection, Drop::Unfit(unfit), now.steady, out);
                None
            }
            Done::Admitted(connection, number, result) => {
                self.admitted_on(connection, number, result, now, out);
                None
            }
        }
    }

    /// Hears an instant that somebody signed a moment ago. Whoever holds a credential is one of hundreds of
    /// thousands; only members that are no offices or hospitals speak on what the time is, each with one voice.
    pub(super) fn hear(&mut self, party: &PartyId, signed: Timestamp, now: Steady) {
        let is_holder = matches!(party.kind(), PartyKind::Office | PartyKind::Hospital);
        if !is_holder && !self.seats.contains_key(party) && self.gate.roster().member(party).is_some() {
            self.wall.hear(party, signed, now);
        }
    }

    fn opened_one(&mut self, sender: &PartyId) {
        if let Some(opening) = self.opening.get_mut(sender) {
            *opening = opening.saturating_sub(1);
            if *opening == 0 {
                self.opening.remove(sender);
            }
        }
    }
}

/// The most requests of one sender in the hands of workers.
const OPENING_PER_SENDER_MAX: usize = 512;
/// How often a stranger may present itself, fetch or bring news within [`limits::COST_WINDOW`].
const ALLOWANCE_MAX: u32 = 64;
/// How often anybody may show heads, or ask for proofs and cosignatures, within [`limits::COST_WINDOW`].
const SHOWN_MAX: u32 = 1_024;
