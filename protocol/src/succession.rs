//! Which key may follow (継承): the newest credential seen of each organisation, and that only the same signing
//! key, or the one it announced, comes after it while it holds. Who was revoked, or whose credential ran
//! out, begins anew by enrolment, which is the issuer's to decide.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::credential::{Credential, CredentialError};
use crate::digest::Digest;
use crate::id::party::PartyId;
use crate::key::PublicKey;
use crate::status::StatusList;
use crate::time::Timestamp;

/// The most organisations remembered; beyond it, newcomers are believed as their issuer says.
pub const SEEN_MAX: usize = 100_000;

/// What is remembered of a credential.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Seen {
    /// Whose.
    #[n(0)]
    pub party: PartyId,
    /// Who issued it.
    #[n(1)]
    pub issuer: PartyId,
    /// Its number there.
    #[n(2)]
    pub serial: u64,
    /// Its signing key.
    #[n(3)]
    pub signing: PublicKey,
    /// SHA-256 of the key it announced.
    #[n(4)]
    pub next_signing: Digest,
    /// When it was issued.
    #[n(5)]
    pub issued: Timestamp,
    /// When it ends.
    #[n(6)]
    pub expires: Timestamp,
}

/// The newest credential seen of each organisation.
#[derive(Debug, Default)]
pub struct Succession(BTreeMap<PartyId, Seen>);

impl Succession {
    /// Judges a credential that counts. `list` is the newest status list of the issuer of the one before. Returns
    /// what is to be kept, if it tells something new.
    ///
    /// # Errors
    /// [`CredentialError::NotAnnounced`] if another key was announced.
    pub fn follow(
        &mut self,
        credential: &Credential,
        list: impl Fn(&PartyId) -> Option<StatusList>,
        now: Timestamp,
    ) -> Result<Option<Seen>, CredentialError> {
        if let Some(seen) = self.0.get(&credential.party) {
            let is_over = seen.expires <= now || list(&seen.issuer).is_some_and(|list| list.has_revoked(seen.serial));
            let is_same = seen.signing == credential.signing;
            let is_announced = seen.next_signing == credential.signing.digest() && seen.issued <= credential.issued;
            if !is_over && !is_same && !is_announced {
                return Err(CredentialError::NotAnnounced);
            }
            if !is_over && credential.issued <= seen.issued {
                return Ok(None);
            }
        }
        let seen = Seen::of(credential);
        let is_kept = self.recall(seen.clone(), now);
        Ok(is_kept.then_some(seen))
    }

    /// Remembers what was kept before; whether there was room for it.
    pub fn recall(&mut self, seen: Seen, now: Timestamp) -> bool {
        if self.0.len() >= SEEN_MAX && !self.0.contains_key(&seen.party) {
            self.0.retain(|_party, seen| now < seen.expires);
        }
        let has_room = self.0.len() < SEEN_MAX || self.0.contains_key(&seen.party);
        if has_room {
            self.0.insert(seen.party.clone(), seen);
        }
        has_room
    }
}

impl Seen {
    fn of(credential: &Credential) -> Self {
        Self {
            party: credential.party.clone(),
            issuer: credential.issuer.clone(),
            serial: credential.serial,
            signing: credential.signing,
            next_signing: credential.next_signing,
            issued: credential.issued,
            expires: credential.expires,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;
    use crate::time::Span;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_780_000_000_000);

    fn key(seed: u8) -> PublicKey {
        PublicKey::from_bytes([seed; 32])
    }

    fn credential(serial: u64, signing: u8, next: u8, issued: Timestamp) -> Credential {
        Credential {
            network: Digest::of(b"network"),
            party: PartyId::parse("office:1370101238").unwrap(),
            name: String::new(),
            services: Vec::new(),
            signing: key(signing),
            next_signing: key(next).digest(),
            transport: Vec::new(),
            log: key(200),
            issuer: PartyId::parse("issuer:1").unwrap(),
            serial,
            issued,
            expires: issued.plus(limits::CREDENTIAL_LIFE),
        }
    }

    fn revoking(serials: &[u64]) -> StatusList {
        StatusList {
            network: Digest::of(b"network"),
            issuer: PartyId::parse("issuer:1").unwrap(),
            number: 1,
            issued: NOW,
            expires: NOW.plus(limits::CREDENTIAL_LIFE),
            revoked: serials.to_vec(),
        }
    }

    const NONE: fn(&PartyId) -> Option<StatusList> = |_issuer| None;

    #[test]
    fn only_the_same_or_the_announced_key_follows() {
        let mut succession = Succession::default();
        let later = NOW.plus(Span::from_h(1));
        assert!(succession.follow(&credential(1, 1, 2, NOW), NONE, NOW).unwrap().is_some());
        assert_eq!(succession.follow(&credential(1, 1, 2, NOW), NONE, NOW), Ok(None), "nothing new");
        let stolen = succession.follow(&credential(2, 7, 8, later), NONE, later);
        assert_eq!(stolen, Err(CredentialError::NotAnnounced));
        assert!(succession.follow(&credential(3, 1, 2, later), NONE, later).unwrap().is_some());
        assert!(succession.follow(&credential(4, 2, 3, later), NONE, later).is_ok());
        let latest = later.plus(Span::from_h(1));
        assert!(succession.follow(&credential(5, 2, 3, latest), NONE, latest).unwrap().is_some());
        let back = succession.follow(&credential(3, 1, 2, later), NONE, latest);
        assert_eq!(back, Err(CredentialError::NotAnnounced), "a retired key does not come back");
        assert!(succession.follow(&credential(6, 3, 4, latest), NONE, latest).is_ok());
    }

    #[test]
    fn after_revocation_or_the_end_of_the_credential_it_is_enrolled_anew() {
        let mut succession = Succession::default();
        let later = NOW.plus(Span::from_h(1));
        succession.follow(&credential(1, 1, 2, NOW), NONE, NOW).unwrap();
        let other = credential(2, 7, 8, later);
        assert!(succession.follow(&other, |_issuer| Some(revoking(&[9])), later).is_err());
        assert!(succession.follow(&other, |_issuer| Some(revoking(&[1])), later).is_ok());
        let over = later.plus(limits::CREDENTIAL_LIFE);
        assert!(succession.follow(&credential(3, 4, 5, over), NONE, over).is_ok());
    }
}
