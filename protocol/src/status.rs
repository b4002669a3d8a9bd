//! The status list (失効一覧): which credentials of an issuer no longer count before their time is over.

use minicbor::{Decode, Encode};

use crate::cbor;
use crate::digest::Digest;
use crate::id::party::PartyId;
use crate::key::{KeyUse, PublicKey};
use crate::limits;
use crate::primitives::{Primitives, Secret};
use crate::roster::Roster;
use crate::sign1::{self, Label, Unverified};
use crate::statement::StatementError;
use crate::time::Timestamp;

/// An issuer's list of revoked credentials, numbered, valid for at most [`limits::CREDENTIAL_LIFE`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct StatusList {
    /// The network it is of.
    #[n(0)]
    pub network: Digest,
    /// Whose list.
    #[n(1)]
    pub issuer: PartyId,
    /// Up by one with each list.
    #[n(2)]
    pub number: u64,
    /// When it was signed.
    #[n(3)]
    pub issued: Timestamp,
    /// When it must have been replaced.
    #[n(4)]
    pub expires: Timestamp,
    /// Serial numbers of revoked credentials that have not expired, sorted.
    #[n(5)]
    pub revoked: Vec<u64>,
}

impl StatusList {
    /// Signs it with the issuer's signing key.
    pub fn sign(&self, primitives: &dyn Primitives, public: &PublicKey, secret: &Secret) -> Vec<u8> {
        sign1::sign(primitives, secret, public.id(KeyUse::Signing), Label::StatusList, &[], &cbor::encode(self))
    }

    /// Reads and believes a list of an issuer of `roster` that is valid at `now`.
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
        let member = roster.member(&claimed.issuer).ok_or(StatementError::NotAMember)?;
        if member.issues.is_none() {
            return Err(StatementError::NotAMember);
        }
        let id = signed.key();
        let key = member.signing.iter().find(|key| key.id(KeyUse::Signing) == id).ok_or(StatementError::Forged)?;
        signed.verify(primitives, key, Label::StatusList, &[]).map_err(|_error| StatementError::Forged)?;
        let sorted = claimed.revoked.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
        let life = claimed.expires.since(claimed.issued) <= limits::CREDENTIAL_LIFE;
        if claimed.network != *network || !sorted || !life {
            return Err(StatementError::Malformed);
        }
        let current = claimed.issued <= now.plus(limits::SKEW) && now < claimed.expires;
        if current { Ok(claimed) } else { Err(StatementError::NotCurrent) }
    }

    /// Whether the credential of that serial number was revoked.
    pub fn has_revoked(&self, serial: u64) -> bool {
        self.revoked.binary_search(&serial).is_ok()
    }
}
