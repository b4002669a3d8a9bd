//! X-Wing (draft-connolly-cfrg-xwing-kem) for HPKE, made by `libcrux`: its ML-KEM-768 is formally verified
//! and several times faster than the one that `hpke` brings.
//!
//! Only the key encapsulation itself is libcrux's: keys are derived, and all else of RFC 9180 is done, by
//! `hpke`, whose own X-Wing the tests hold this one against. Knows nothing of suites or channels.

use std::sync::Arc;

use hpke::hybrid_array::Array;
use hpke::kem::SharedSecret;
use hpke::{Deserializable, HpkeError, Kem, Serializable};
use libcrux_kem::{Algorithm, Ct, PrivateKey, PublicKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// The key encapsulation.
pub(super) struct XWing;

/// A public key that was decoded and found valid (FIPS 203 §7.2).
#[derive(Clone)]
pub(super) struct Public {
    bytes: Array<u8, PublicLength>,
    key: Arc<PublicKey>,
}

/// An encapsulation as it travels.
#[derive(Clone)]
pub(super) struct Encapsulated(Array<u8, EncapsulatedLength>);

type OfHpke = hpke::kem::XWing;
type PublicLength = <<OfHpke as Kem>::PublicKey as Serializable>::OutputSize;
type EncapsulatedLength = <<OfHpke as Kem>::EncappedKey as Serializable>::OutputSize;

/// Draft 06 and those after it make the same bytes.
const X_WING: Algorithm = Algorithm::XWingKemDraft06;
/// 32 bytes for ML-KEM, 32 for X25519 (draft §5.4.1, EncapsulateDerand).
const RANDOMNESS_BYTES: usize = 64;

impl Kem for XWing {
    type PublicKey = Public;
    type PrivateKey = <OfHpke as Kem>::PrivateKey;
    type EncappedKey = Encapsulated;
    type NSecret = <OfHpke as Kem>::NSecret;

    const KEM_ID: u16 = OfHpke::KEM_ID;

    fn sk_to_pk(secret: &Self::PrivateKey) -> Public {
        let public = Public::from_bytes(&OfHpke::sk_to_pk(secret).to_bytes());
        public.unwrap_or_else(|_error| unreachable!("a derived key is valid"))
    }

    fn derive_keypair(material: &[u8]) -> (Self::PrivateKey, Public) {
        let (secret, _public) = OfHpke::derive_keypair(material);
        let public = Self::sk_to_pk(&secret);
        (secret, public)
    }

    fn encap_with_rng(
        to: &Public,
        authenticated: Option<(&Self::PrivateKey, &Public)>,
        dice: &mut impl CryptoRng,
    ) -> Result<(SharedSecret<Self>, Encapsulated), HpkeError> {
        assert!(authenticated.is_none(), "X-Wing has no authenticated mode");
        let mut randomness = Zeroizing::new([0; RANDOMNESS_BYTES]);
        dice.fill_bytes(randomness.as_mut());
        let made = to.key.encapsulate_derand(randomness.as_ref());
        let (shared, enc) = made.map_err(|_error| HpkeError::EncapError)?;
        let enc = Encapsulated::from_bytes(&enc.encode())?;
        Ok((secret_of(shared.encode())?, enc))
    }

    fn decap(
        secret: &Self::PrivateKey,
        authenticated: Option<&Public>,
        enc: &Encapsulated,
    ) -> Result<SharedSecret<Self>, HpkeError> {
        assert!(authenticated.is_none(), "X-Wing has no authenticated mode");
        let seed = Zeroizing::new(secret.to_bytes());
        let key = PrivateKey::decode(X_WING, &seed).map_err(|_error| HpkeError::DecapError)?;
        let enc = Ct::decode(X_WING, &enc.0).map_err(|_error| HpkeError::DecapError)?;
        let shared = enc.decapsulate(&key).map_err(|_error| HpkeError::DecapError)?;
        secret_of(shared.encode())
    }
}

fn secret_of(shared: Vec<u8>) -> Result<SharedSecret<XWing>, HpkeError> {
    let shared = Zeroizing::new(shared);
    Array::try_from(shared.as_slice()).map(SharedSecret).map_err(|_length| HpkeError::DecapError)
}

impl Serializable for Public {
    type OutputSize = PublicLength;

    fn write_exact(&self, out: &mut [u8]) {
        out.copy_from_slice(&self.bytes);
    }
}

impl Deserializable for Public {
    fn from_bytes(encoded: &[u8]) -> Result<Self, HpkeError> {
        let bytes = Array::try_from(encoded).map_err(|_length| HpkeError::ValidationError)?;
        let key = PublicKey::decode(X_WING, encoded).map_err(|_error| HpkeError::ValidationError)?;
        Ok(Self { bytes, key: Arc::new(key) })
    }
}

impl Serializable for Encapsulated {
    type OutputSize = EncapsulatedLength;

    fn write_exact(&self, out: &mut [u8]) {
        out.copy_from_slice(&self.0);
    }
}

impl Deserializable for Encapsulated {
    fn from_bytes(encoded: &[u8]) -> Result<Self, HpkeError> {
        Array::try_from(encoded).map(Self).map_err(|_length| HpkeError::ValidationError)
    }
}

impl PartialEq for Public {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Public {}

impl core::fmt::Debug for Public {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Public").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use chacha20::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    #[test]
    fn what_one_library_encapsulates_the_other_opens() {
        let mut dice = ChaCha20Rng::from_seed([5; 32]);
        for number in 0..20_u8 {
            let (secret, ours) = XWing::derive_keypair(&[number; 32]);
            let (_same, theirs) = OfHpke::derive_keypair(&[number; 32]);
            assert_eq!(ours.to_bytes(), theirs.to_bytes());

            let (made, enc) = XWing::encap_with_rng(&ours, None, &mut dice).unwrap();
            let enc = <OfHpke as Kem>::EncappedKey::from_bytes(&enc.to_bytes()).unwrap();
            assert_eq!(OfHpke::decap(&secret, None, &enc).unwrap().0, made.0);

            let (made, enc) = OfHpke::encap_with_rng(&theirs, None, &mut dice).unwrap();
            let enc = Encapsulated::from_bytes(&enc.to_bytes()).unwrap();
            assert_eq!(XWing::decap(&secret, None, &enc).unwrap().0, made.0);
        }
    }

    #[test]
    fn a_spoiled_encapsulation_gives_another_secret_or_none_and_never_the_same() {
        let mut dice = ChaCha20Rng::from_seed([6; 32]);
        let (secret, public) = XWing::derive_keypair(&[7; 32]);
        let (made, enc) = XWing::encap_with_rng(&public, None, &mut dice).unwrap();
        let enc = enc.to_bytes();
        for at in 0..enc.len() {
            let mut spoiled = enc;
            spoiled[at] ^= 0x20;
            let spoiled = Encapsulated::from_bytes(&spoiled).unwrap();
            assert!(XWing::decap(&secret, None, &spoiled).is_ok_and(|shared| shared.0 != made.0), "byte {at}");
        }
        assert!(Encapsulated::from_bytes(&enc[1..]).is_err());
    }

    #[test]
    fn a_point_of_low_order_and_a_key_out_of_range_are_refused() {
        let mut dice = ChaCha20Rng::from_seed([8; 32]);
        let (secret, public) = XWing::derive_keypair(&[9; 32]);
        let (_made, enc) = XWing::encap_with_rng(&public, None, &mut dice).unwrap();
        let mut low = enc.to_bytes();
        low.iter_mut().rev().take(32).for_each(|byte| *byte = 0);
        assert!(XWing::decap(&secret, None, &Encapsulated::from_bytes(&low).unwrap()).is_err());

        let mut high = public.to_bytes();
        high.iter_mut().take(3).for_each(|byte| *byte = 0xff);
        assert!(Public::from_bytes(&high).is_err());
    }
}
