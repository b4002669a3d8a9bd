//! What a member says of itself between two rosters (自己申告), and the pulse (脈) by which the authority
//! says what is newest. Both are short-lived and numbered; neither makes anybody a member.

use minicbor::{Decode, Encode};

use crate::cbor;
use crate::digest::Digest;
use crate::id::party::PartyId;
use crate::key::{KeyId, KeyUse, PublicKey};
use crate::limits;
use crate::primitives::{Primitives, Secret, Suite};
use crate::roster::Roster;
use crate::sign1::{self, Label, Unverified};
use crate::time::Timestamp;

/// A member's own statement: how to seal to it and where to reach it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Statement {
    /// The network it speaks in.
    #[n(0)]
    pub network: Digest,
    /// Who speaks.
    #[n(1)]
    pub party: PartyId,
    /// Up by one or more with each statement; a lower one never replaces a higher.
    #[n(2)]
    pub number: u64,
    /// When it was signed.
    #[n(3)]
    pub issued: Timestamp,
    /// At most [`limits::STATEMENT_LIFE`] later.
    #[n(4)]
    pub expires: Timestamp,
    /// Its sealing keys, the preferred one first, two generations during rotation.
    #[n(5)]
    pub sealing: Vec<SealingPublic>,
    /// The transport keys of its connections.
    #[n(6)]
    pub transport: Vec<PublicKey>,
    /// Where it listens, as multiaddresses.
    #[n(7)]
    pub addresses: Vec<String>,
}

/// A public sealing key and its suite.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SealingPublic {
    /// The suite it belongs to.
    #[n(0)]
    pub suite: Suite,
    /// Its bytes (32 for X25519, 1,216 for X-Wing).
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub public: Vec<u8>,
}

/// The authority's pulse: what is newest, signed by an online key named in the roster.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Pulse {
    /// The network it is of.
    #[n(0)]
    pub network: Digest,
    /// The newest roster's version.
    #[n(1)]
    pub roster: u32,
    /// The newest roster's digest.
    #[n(2)]
    pub digest: Digest,
    /// Each issuer's newest status list by number.
    #[n(3)]
    pub lists: Vec<(PartyId, u64)>,
    /// When it was signed.
    #[n(4)]
    pub issued: Timestamp,
    /// At most [`limits::PULSE_LIFE`] later.
    #[n(5)]
    pub expires: Timestamp,
}

/// Why a statement or pulse is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Not of the one encoding, of another network, or beyond a bound.
    #[error("malformed, or of another network")]
    Malformed,
    /// Whoever speaks is not a member.
    #[error("not a member")]
    NotAMember,
    /// The signature does not hold under a key of the roster.
    #[error("not signed by the key the roster names")]
    Forged,
    /// Not yet or no longer valid.
    #[error("not valid at this time")]
    NotCurrent,
}

impl SealingPublic {
    /// Its key id.
    pub fn id(&self) -> KeyId {
        KeyId::of(KeyUse::sealing(self.suite), &self.public)
    }
}

impl Statement {
    /// Signs it with the member's signing key.
    pub fn sign(&self, primitives: &dyn Primitives, public: &PublicKey, secret: &Secret) -> Vec<u8> {
        sign1::sign(primitives, secret, public.id(KeyUse::Signing), Label::Statement, &[], &cbor::encode(self))
    }

    /// Reads and believes a statement of a member of `roster` that is valid at `now`.
    ///
    /// # Errors
    /// [`StatementError`] saying what is wrong.
    pub fn verify(
        bytes: &[u8],
        network: &Digest,
        roster: &Roster,
        now: Timestamp,
        primitives: &dyn Primitives,
    ) -> Result<Self, StatementError> {
        let signed = Unverified::parse(bytes).map_err(|_error| StatementError::Malformed)?;
        let claimed: Self = cbor::decode(signed.claimed()).map_err(|_error| StatementError::Malformed)?;
        let member = roster.member(&claimed.party).ok_or(StatementError::NotAMember)?;
        let id = signed.key();
        let key = member.signing.iter().find(|key| key.id(KeyUse::Signing) == id).ok_or(StatementError::Forged)?;
        signed.verify(primitives, key, Label::Statement, &[]).map_err(|_error| StatementError::Forged)?;
        let bounded = claimed.sealing.len() <= 4
            && claimed.sealing.iter().all(|key| key.public.len() <= limits::SEALING_PUBLIC_BYTES_MAX)
            && claimed.transport.len() <= 4
            && claimed.addresses.len() <= 16
            && claimed.addresses.iter().all(|address| address.len() <= 256)
            && claimed.expires.since(claimed.issued) <= limits::STATEMENT_LIFE;
        if claimed.network != *network || !bounded {
            return Err(StatementError::Malformed);
        }
        if claimed.is_current(now) { Ok(claimed) } else { Err(StatementError::NotCurrent) }
    }

    /// Reads a statement of our own, or one that was verified before.
    pub fn own(bytes: &[u8]) -> Option<Self> {
        cbor::decode(Unverified::parse(bytes).ok()?.claimed()).ok()
    }

    /// Whether it holds at `now`.
    pub fn is_current(&self, now: Timestamp) -> bool {
        self.issued <= now.plus(limits::SKEW) && now < self.expires
    }

    /// The preferred sealing key that is not weaker than `suite_min`.
    pub fn sealing_key(&self, suite: Suite, suite_min: Suite) -> Option<&SealingPublic> {
        self.sealing.iter().find(|key| key.suite == suite && key.suite >= suite_min)
    }
}

impl Pulse {
    /// Signs it with the pulse key.
    pub fn sign(&self, primitives: &dyn Primitives, public: &PublicKey, secret: &Secret) -> Vec<u8> {
        sign1::sign(primitives, secret, public.id(KeyUse::Pulse), Label::Pulse, &[], &cbor::encode(self))
    }

    /// Reads and believes a pulse signed by the key `roster` names and valid at `now`.
    ///
    /// # Errors
    /// [`StatementError`] saying what is wrong.
    pub fn verify(
        bytes: &[u8],
        network: &Digest,
        roster: &Roster,
        now: Timestamp,
        primitives: &dyn Primitives,
    ) -> Result<Self, StatementError> {
        let signed = Unverified::parse(bytes).map_err(|_error| StatementError::Malformed)?;
        if signed.key() != roster.pulse.id(KeyUse::Pulse) {
            return Err(StatementError::Forged);
        }
        let payload =
            signed.verify(primitives, &roster.pulse, Label::Pulse, &[]).map_err(|_error| StatementError::Forged)?;
        let pulse: Self = cbor::decode(&payload).map_err(|_error| StatementError::Malformed)?;
        if pulse.network != *network || pulse.expires.since(pulse.issued) > limits::PULSE_LIFE {
            return Err(StatementError::Malformed);
        }
        let current = pulse.issued <= now.plus(limits::SKEW) && now < pulse.expires;
        if current { Ok(pulse) } else { Err(StatementError::NotCurrent) }
    }
}
