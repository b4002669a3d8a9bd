//! What the members of this process say of themselves: signed at start and again long before it runs out, and
//! as soon as a roster names a seat that was not a member before.

use std::collections::BTreeMap;

use protocol::gate::Gate;
use protocol::id::party::PartyId;
use protocol::key::PublicKey;
use protocol::limits;
use protocol::primitives::{Real, Secret};
use protocol::statement::{SealingPublic, Statement};
use protocol::store::Seat;
use protocol::time::{Span, Timestamp};

use super::seat::SeatKeys;

/// After how long a statement is made anew.
const RENEW_AFTER: Span = Span::from_h(7 * 24);
/// The most addresses a statement may name.
const ADDRESSES_MAX: usize = 16;
/// The longest address, in bytes.
const ADDRESS_BYTES_MAX: usize = 256;

/// The speakers of this process.
#[derive(Debug)]
pub struct Statements {
    speakers: Vec<Speaker>,
    transport: Option<PublicKey>,
    addresses: Vec<String>,
    signed: BTreeMap<Seat, (Timestamp, Vec<u8>)>,
}

#[derive(Debug)]
struct Speaker {
    seat: Seat,
    party: PartyId,
    signing: Secret,
    signing_public: PublicKey,
    sealing: Vec<SealingPublic>,
}

impl Statements {
    /// Nothing signed yet. All seats are reached by the transport key of the first.
    pub(super) fn new(seats: &[SeatKeys], addresses: Vec<String>) -> Self {
        let speaker = |keys: &SeatKeys| Speaker {
            seat: keys.seat,
            party: keys.party.clone(),
            signing: keys.signing.clone(),
            signing_public: keys.signing_public,
            sealing: keys.sealing_public(),
        };
        let mut addresses = addresses;
        addresses.retain(|address| address.len() <= ADDRESS_BYTES_MAX);
        addresses.truncate(ADDRESSES_MAX);
        Self {
            speakers: seats.iter().map(speaker).collect(),
            transport: seats.first().map(|keys| keys.transport_public),
            addresses,
            signed: BTreeMap::new(),
        }
    }

    /// The newest statement of a seat, if it is a member.
    pub fn signed(&self, seat: Seat) -> Option<Vec<u8>> {
        self.signed.get(&seat).map(|(_at, bytes)| bytes.clone())
    }

    /// Signs anew for each member whose statement is missing or a week old; returns what is new.
    pub fn renew(&mut self, gate: &Gate, now: Timestamp) -> Vec<(Seat, Vec<u8>)> {
        let mut fresh = Vec::new();
        for speaker in &self.speakers {
            let is_old = self.signed.get(&speaker.seat).is_none_or(|(at, _bytes)| now.distance(*at) >= RENEW_AFTER);
            let is_member = gate.roster().member(&speaker.party).is_some();
            if is_old && is_member {
                let bytes = speaker.speak(gate, self.transport, &self.addresses, now);
                self.signed.insert(speaker.seat, (now, bytes.clone()));
                fresh.push((speaker.seat, bytes));
            }
        }
        fresh
    }
}

impl Speaker {
    fn speak(&self, gate: &Gate, transport: Option<PublicKey>, addresses: &[String], now: Timestamp) -> Vec<u8> {
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
        statement.sign(&Real, &self.signing_public, &self.signing)
    }
}
