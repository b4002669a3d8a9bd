//! Signed objects: `COSE_Sign1` with EdDSA (RFC 9052 §4.2, RFC 9864). The only home of `coset`.
//!
//! Bytes are signed, carried as bytes, verified as bytes and only then parsed; nothing signed is ever
//! encoded again. Each kind of object has a label in its external data, so that a signature over one
//! kind never counts for another.

use coset::{CborSerializable as _, CoseSign1, CoseSign1Builder, HeaderBuilder, RegisteredLabelWithPrivate, iana};

use crate::cbor;
use crate::key::{KeyId, PublicKey};
use crate::limits;
use crate::primitives::{Primitives, Secret, SigningKey};

/// The kind of a signed object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// A request (§ envelope).
    Request,
    /// One version of the roster.
    Roster,
    /// A member's statement.
    Statement,
    /// A pulse.
    Pulse,
    /// A credential.
    Credential,
    /// A status list.
    StatusList,
    /// Proof of possession when joining.
    Possession,
    /// A version of a record, by its author.
    Record,
}

/// A signed object as it came: parsed far enough to know who claims to have signed it.
#[derive(Debug)]
pub struct Unverified {
    sign1: CoseSign1,
    key: KeyId,
}

/// Why a signed object is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not a `COSE_Sign1` of the one shape this network uses.
    #[error("not a signed object of this network")]
    Malformed,
    /// The signature does not hold under the key.
    #[error("the signature does not hold")]
    Forged,
}

/// Signs `payload` under `label`; `bound` is further data that the signature covers but does not carry.
pub fn sign(
    primitives: &dyn Primitives,
    secret: &Secret,
    key: KeyId,
    label: Label,
    bound: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    sign_with(primitives.signing_key(secret).as_ref(), key, label, bound, payload)
}

/// As [`sign`], with a key that is at hand.
pub fn sign_with(signing: &dyn SigningKey, key: KeyId, label: Label, bound: &[u8], payload: &[u8]) -> Vec<u8> {
    let protected = HeaderBuilder::new().algorithm(iana::Algorithm::EdDSA).key_id(key.as_bytes().to_vec()).build();
    let signed = CoseSign1Builder::new()
        .protected(protected)
        .payload(payload.to_vec())
        .create_signature(&external(label, bound), |message| signing.sign(message).to_vec())
        .build()
        .to_vec();
    assert!(signed.is_ok(), "a COSE_Sign1 of bytes encodes");
    signed.unwrap_or_default()
}

impl Unverified {
    /// Reads a signed object without believing it.
    ///
    /// # Errors
    /// [`SignatureError::Malformed`] for anything but the one encoding [`sign`] makes.
    pub fn parse(bytes: &[u8]) -> Result<Self, SignatureError> {
        if bytes.len() > limits::SIGNED_BYTES_MAX {
            return Err(SignatureError::Malformed);
        }
        let sign1 = CoseSign1::from_slice(bytes).map_err(|_error| SignatureError::Malformed)?;
        let algorithm = Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::EdDSA));
        let header = &sign1.protected.header;
        if header.alg != algorithm
            || !header.crit.is_empty()
            || !sign1.unprotected.is_empty()
            || sign1.payload.is_none()
        {
            return Err(SignatureError::Malformed);
        }
        let id: &[u8; 16] = header.key_id.as_slice().try_into().map_err(|_error| SignatureError::Malformed)?;
        let key = KeyId::from_bytes(*id);
        if sign1.clone().to_vec().map_err(|_error| SignatureError::Malformed)? != bytes {
            return Err(SignatureError::Malformed);
        }
        Ok(Self { sign1, key })
    }

    /// The key its signer claims to have used.
    pub const fn key(&self) -> KeyId {
        self.key
    }

    /// The payload of an object nobody has vouched for yet. Only to find out whose key to verify with.
    pub fn claimed(&self) -> &[u8] {
        self.sign1.payload.as_deref().unwrap_or_default()
    }

    /// Checks the signature (strictly) and hands out the payload.
    ///
    /// # Errors
    /// [`SignatureError::Forged`] if it does not hold for this key, label and bound data.
    pub fn verify(
        self,
        primitives: &dyn Primitives,
        public: &PublicKey,
        label: Label,
        bound: &[u8],
    ) -> Result<Vec<u8>, SignatureError> {
        self.sign1.verify_signature(&external(label, bound), |signature, message| {
            if primitives.verify(public.as_bytes(), message, signature) { Ok(()) } else { Err(SignatureError::Forged) }
        })?;
        self.sign1.payload.ok_or(SignatureError::Malformed)
    }
}

/// The external data of a signature: deterministic CBOR of label and bound bytes.
fn external(label: Label, bound: &[u8]) -> Vec<u8> {
    let word = match label {
        Label::Request => "tsunagi request",
        Label::Roster => "tsunagi roster",
        Label::Statement => "tsunagi statement",
        Label::Pulse => "tsunagi pulse",
        Label::Credential => "tsunagi credential",
        Label::StatusList => "tsunagi status list",
        Label::Possession => "tsunagi possession",
        Label::Record => "tsunagi record",
    };
    cbor::encode(&(word, minicbor::bytes::ByteVec::from(bound.to_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyUse;
    use crate::primitives::Real;

    fn pair() -> (Secret, PublicKey, KeyId) {
        let secret = Secret::from_bytes([5; 32]);
        let public = PublicKey::from_bytes(Real.signing_public(&secret));
        (secret, public, public.id(KeyUse::Signing))
    }

    #[test]
    fn a_signature_counts_for_its_label_and_its_bound_data_only() {
        let (secret, public, id) = pair();
        let signed = sign(&Real, &secret, id, Label::Roster, b"bound", b"payload");
        let read = || Unverified::parse(&signed).unwrap();
        assert_eq!(read().key(), id);
        assert_eq!(read().verify(&Real, &public, Label::Roster, b"bound").unwrap(), b"payload");
        assert_eq!(read().verify(&Real, &public, Label::Pulse, b"bound"), Err(SignatureError::Forged));
        assert_eq!(read().verify(&Real, &public, Label::Roster, b"other"), Err(SignatureError::Forged));
    }

    #[test]
    fn no_flipped_bit_survives() {
        let (secret, public, id) = pair();
        let signed = sign(&Real, &secret, id, Label::Roster, b"bound", b"payload");
        for bit in 0..signed.len() * 8 {
            let mut spoiled = signed.clone();
            spoiled[bit / 8] ^= 1 << (bit % 8);
            let accepted = Unverified::parse(&spoiled)
                .is_ok_and(|read| read.key() == id && read.verify(&Real, &public, Label::Roster, b"bound").is_ok());
            assert!(!accepted, "bit {bit}");
        }
    }
}
