//! The credential (資格証): what an office or hospital holds instead of a line in the roster, at most 24
//! hours long, from an issuer whose limits the roster states. Knows nothing of how an issuer decides.

use minicbor::{Decode, Encode};

use crate::cbor;
use crate::code::service::ServiceKind;
use crate::digest::Digest;
use crate::id::party::PartyId;
use crate::key::{KeyUse, PublicKey};
use crate::limits;
use crate::primitives::{Primitives, Secret};
use crate::roster::Roster;
use crate::sign1::{self, Label, Unverified};
use crate::status::StatusList;
use crate::time::Timestamp;

/// An organisation's credential.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Credential {
    /// The network it is of.
    #[n(0)]
    pub network: Digest,
    /// Who holds it.
    #[n(1)]
    pub party: PartyId,
    /// The holder's name, as people read it.
    #[n(2)]
    pub name: String,
    /// The service kinds it is designated for.
    #[n(3)]
    pub services: Vec<ServiceKind>,
    /// Its signing key.
    #[n(4)]
    pub signing: PublicKey,
    /// SHA-256 of its next signing key; only that key may follow.
    #[n(5)]
    pub next_signing: Digest,
    /// The transport keys of its connections.
    #[n(6)]
    pub transport: Vec<PublicKey>,
    /// The key of its ledger.
    #[n(7)]
    pub log: PublicKey,
    /// Who issued it.
    #[n(8)]
    pub issuer: PartyId,
    /// The issuer's number for it, never used twice.
    #[n(9)]
    pub serial: u64,
    /// When it was issued.
    #[n(10)]
    pub issued: Timestamp,
    /// When it ends; at most [`limits::CREDENTIAL_LIFE`] later.
    #[n(11)]
    pub expires: Timestamp,
}

/// Why a credential does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum CredentialError {
    /// Not of the one encoding, of another network, or beyond a bound.
    #[error("malformed, or of another network")]
    Malformed,
    /// The issuer is not in the roster.
    #[error("the issuer is not in the roster")]
    UnknownIssuer,
    /// The roster does not let this issuer issue this.
    #[error("beyond the issuer's limits")]
    BeyondLimits,
    /// The issuer's signature does not hold.
    #[error("not signed by its issuer")]
    Forged,
    /// Not yet or no longer valid.
    #[error("not valid at this time")]
    NotCurrent,
    /// The issuer revoked it, or its newest status list is missing or expired.
    #[error("revoked, or no status list at hand")]
    Revoked,
    /// The pulse names a newer status list of the issuer, and it could not be had in time.
    #[error("the status list at hand is older than the pulse names")]
    ListBehind,
    /// An earlier credential that still holds announced another signing key.
    #[error("not the signing key that was announced")]
    NotAnnounced,
}

impl Credential {
    /// Signs it with the issuer's signing key.
    pub fn sign(&self, primitives: &dyn Primitives, public: &PublicKey, secret: &Secret) -> Vec<u8> {
        sign1::sign(primitives, secret, public.id(KeyUse::Signing), Label::Credential, &[], &cbor::encode(self))
    }

    /// Reads and believes a credential. Whether it was revoked is [`Credential::counts`].
    ///
    /// # Errors
    /// [`CredentialError`] saying what is wrong.
    pub fn verify(
        bytes: &[u8],
        network: &Digest,
        roster: &Roster,
        now: Timestamp,
        primitives: &dyn Primitives,
    ) -> Result<Self, CredentialError> {
        let signed = Unverified::parse(bytes).map_err(|_error| CredentialError::Malformed)?;
        let claimed: Self = cbor::decode(signed.claimed()).map_err(|_error| CredentialError::Malformed)?;
        let issuer = roster.member(&claimed.issuer).ok_or(CredentialError::UnknownIssuer)?;
        let id = signed.key();
        let key = issuer.signing.iter().find(|key| key.id(KeyUse::Signing) == id).ok_or(CredentialError::Forged)?;
        signed.verify(primitives, key, Label::Credential, &[]).map_err(|_error| CredentialError::Forged)?;
        let bounded = claimed.services.len() <= 64 && claimed.transport.len() <= 4 && claimed.name.len() <= 400;
        if claimed.network != *network || !bounded || claimed.expires.since(claimed.issued) > limits::CREDENTIAL_LIFE {
            return Err(CredentialError::Malformed);
        }
        let limits = issuer.issues.as_ref().ok_or(CredentialError::BeyondLimits)?;
        if !limits.permit(&claimed.party, &claimed.services) {
            return Err(CredentialError::BeyondLimits);
        }
        if claimed.is_current(now) { Ok(claimed) } else { Err(CredentialError::NotCurrent) }
    }

    /// Reads a credential of our own.
    pub fn own(bytes: &[u8]) -> Option<Self> {
        cbor::decode(Unverified::parse(bytes).ok()?.claimed()).ok()
    }

    /// Whether it is within its time.
    pub fn is_current(&self, now: Timestamp) -> bool {
        self.issued <= now.plus(limits::SKEW) && now < self.expires
    }

    /// Whether the issuer's newest list, which must be valid at `now`, lets it count.
    ///
    /// # Errors
    /// [`CredentialError::Revoked`] if it is on the list, or no valid list is at hand: fail closed.
    pub fn counts(&self, list: Option<&StatusList>, now: Timestamp) -> Result<(), CredentialError> {
        match list {
            Some(list) if now < list.expires && !list.has_revoked(self.serial) => Ok(()),
            _ => Err(CredentialError::Revoked),
        }
    }
}
