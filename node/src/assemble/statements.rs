//! What the members of this process say of themselves: signed at start and again long before it runs out, as soon
//! as a roster names a seat that was not a member before or another signing key, and with new sealing keys
//! each week, so that what was sealed to old ones cannot be opened for ever.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::gate::Gate;
use protocol::id::party::PartyId;
use protocol::key::{KeyId, PublicKey};
use protocol::keyring::Pair;
use protocol::limits;
use protocol::primitives::{Real, SealingKey, Suite};
use protocol::statement::{SealingPublic, Statement};
use protocol::store::Seat;
use protocol::time::{Span, Timestamp};

use super::keeper::{Keeper, SEALING_AGE, rotated_at};
use super::seat::{SeatKeys, signing_pairs};

/// After how long a statement is made anew.
const RENEW_AFTER: Span = Span::from_h(7 * 24);
/// The most addresses a statement may name.
const ADDRESSES_MAX: usize = 16;
/// The longest address, in bytes.
const ADDRESS_BYTES_MAX: usize = 256;

/// The speakers of this process.
#[derive(Debug)]
pub struct Statements {
    keeper: Keeper,
    speakers: Vec<Speaker>,
    transport: Option<PublicKey>,
    addresses: Vec<String>,
    signed: BTreeMap<Seat, Said>,
}

/// What one seat says anew.
#[derive(Debug)]
pub struct Renewal {
    /// Which seat.
    pub seat: Seat,
    /// Sealing keys that the host is to hold before the statement names them.
    pub fresh: Vec<(Suite, Arc<dyn SealingKey>)>,
    /// The statement.
    pub signed: Vec<u8>,
}

#[derive(Debug)]
struct Said {
    at: Timestamp,
    under: PublicKey,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Speaker {
    seat: Seat,
    party: PartyId,
    signing: Vec<Pair>,
    sealing: Vec<SealingPublic>,
    /// When its sealing keys were made, as far as is known.
    sealing_made: Option<Timestamp>,
}

impl Statements {
    /// Nothing signed yet. All seats are reached by the transport key of the first.
    pub(super) fn new(seats: &[SeatKeys], keeper: Keeper, addresses: Vec<String>) -> Self {
        let speaker = |keys: &SeatKeys| Speaker {
            seat: keys.seat,
            party: keys.party.clone(),
            signing: signing_pairs(keys.secrets()),
            sealing: keys.sealing_public(),
            sealing_made: keys.last_retired().map(rotated_at),
        };
        let mut addresses = addresses;
        addresses.retain(|address| address.len() <= ADDRESS_BYTES_MAX);
        addresses.truncate(ADDRESSES_MAX);
        Self {
            keeper,
            speakers: seats.iter().map(speaker).collect(),
            transport: seats.first().map(|keys| keys.transport_public),
            addresses,
            signed: BTreeMap::new(),
        }
    }

    /// The newest statement of a seat, if it is a member.
    pub fn signed(&self, seat: Seat) -> Option<Vec<u8>> {
        self.signed.get(&seat).map(|said| said.bytes.clone())
    }

    /// Signs anew for each member whose statement is missing, a week old, of a signing key no longer in use, or
    /// names sealing keys a week old; returns what is new.
    pub fn renew(&mut self, gate: &Gate, now: Timestamp) -> Vec<Renewal> {
        let seats: Vec<_> = self.speakers.iter().map(|speaker| speaker.seat).collect();
        seats.into_iter().filter_map(|seat| self.renew_one(seat, gate, now, false)).collect()
    }

    /// Makes new sealing keys of a seat at once, and says so.
    pub fn rotate_now(&mut self, seat: Seat, gate: &Gate, now: Timestamp) -> Option<Renewal> {
        self.renew_one(seat, gate, now, true)
    }

    fn renew_one(&mut self, seat: Seat, gate: &Gate, now: Timestamp, at_once: bool) -> Option<Renewal> {
        let speaker = self.speakers.iter_mut().find(|speaker| speaker.seat == seat)?;
        let named = &gate.roster().member(&speaker.party)?.signing;
        let pair = named.iter().find_map(|key| speaker.signing.iter().find(|pair| pair.public == *key))?.clone();
        let said = self.signed.get(&seat);
        let is_sealing_old = speaker.sealing_made.is_none_or(|made| now.distance(made) >= SEALING_AGE);
        let is_old = said.is_none_or(|said| now.distance(said.at) >= RENEW_AFTER || said.under != pair.public);
        if !is_old && !is_sealing_old && !at_once {
            return None;
        }
        let mut fresh = Vec::new();
        if is_sealing_old || at_once {
            match self.keeper.rotate_sealing(seat, now) {
                Ok(keys) => {
                    let public = |(suite, key): &(Suite, Arc<dyn SealingKey>)| SealingPublic {
                        suite: *suite,
                        public: key.public(),
                    };
                    speaker.sealing = keys.iter().map(public).collect();
                    fresh = keys;
                }
                Err(error) => tracing::error!(%error, "sealing keys could not be made new; the old ones stay in use"),
            }
            // Tried once a week, not each second.
            speaker.sealing_made = Some(now);
        }
        let signed = speaker.speak(&pair, gate, self.transport, &self.addresses, now);
        self.signed.insert(seat, Said { at: now, under: pair.public, bytes: signed.clone() });
        Some(Renewal { seat, fresh, signed })
    }

    /// Destroys a sealing key that no live statement names.
    pub fn destroy(&self, seat: Seat, id: KeyId) {
        match self.keeper.destroy_sealing(seat, id) {
            Ok(()) => tracing::info!(seat = seat.number(), "a retired sealing key was destroyed"),
            Err(error) => tracing::error!(%error, "a retired sealing key could not be destroyed"),
        }
    }

    /// The signing and log keys that lie in a seat's file by now; none if it cannot be read.
    pub fn pairs(&mut self, seat: Seat) -> (Vec<Pair>, Vec<Pair>) {
        let pairs = self.keeper.pairs(seat).unwrap_or_else(|error| {
            tracing::error!(%error, "a key file could not be read again");
            (Vec::new(), Vec::new())
        });
        if let Some(speaker) = self.speakers.iter_mut().find(|speaker| speaker.seat == seat) {
            let unknown = pairs.0.iter().filter(|pair| !speaker.signing.contains(pair)).cloned();
            let unknown: Vec<_> = unknown.collect();
            speaker.signing.extend(unknown);
        }
        pairs
    }
}

impl Speaker {
    fn speak(
        &self,
        pair: &Pair,
        gate: &Gate,
        transport: Option<PublicKey>,
        addresses: &[String],
        now: Timestamp,
    ) -> Vec<u8> {
        let statement = Statement {
            network: gate.network(),
            party: self.party.clone(),
            number: now.unix_ms(),
            issued: now,
            expires: now.plus(limits::STATEMENT_LIFE),
            sealing: self.sealing.clone(),
            transport: transport.into_iter().collect(),
            addresses: addresses.to_vec(),
        };
        statement.sign(&Real, &pair.public, &pair.secret)
    }
}
