//! The published vectors of what the network is built on, through the door `Primitives`: HPKE (RFC 9180),
//! X-Wing (its draft), Ed25519 (RFC 8032) and the oblivious function's asker (RFC 9497). Its evaluator and
//! X-Wing's secret key take other keys than the door gives; they are tested beside `primitives`.
//!
//! Parts of a file are parted by an empty line; `-` is nothing.

#![expect(clippy::unwrap_used, reason = "all of this file is a test")]

use std::collections::BTreeMap;
use std::convert::Infallible;

use protocol::primitives::{Primitives as _, Real, Secret, Suite};
use rand_core::{TryCryptoRng, TryRng};

/// Throws the bytes a vector was made with, and zeros behind them.
struct Thrown(Vec<u8>);

impl TryRng for Thrown {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for slot in out {
            *slot = if self.0.is_empty() { 0 } else { self.0.remove(0) };
        }
        Ok(())
    }
}

impl TryCryptoRng for Thrown {}

type Part = BTreeMap<&'static str, &'static str>;

fn parts(text: &'static str) -> Vec<Part> {
    let part = |text: &'static str| {
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        lines.map(|line| line.split_once(": ").unwrap()).collect::<Part>()
    };
    text.split("\n\n").map(part).collect()
}

/// The bytes of a line, or of each of several values in it.
fn many(part: &Part, name: &str) -> Vec<Vec<u8>> {
    part[name].split(',').map(|value| hex::decode(value.trim_start_matches('-')).unwrap()).collect()
}

fn bytes(part: &Part, name: &str) -> Vec<u8> {
    many(part, name).concat()
}

fn array<const N: usize>(part: &Part, name: &str) -> [u8; N] {
    bytes(part, name).try_into().unwrap()
}

#[test]
fn hpke_derives_keys_and_exports_as_rfc_9180_says() {
    let parts = parts(include_str!("vectors/rfc/hpke.txt"));
    let (setup, exports) = parts.split_first().unwrap();
    let info = bytes(setup, "info");
    let key = Real.sealing_key(Suite::X25519, &Secret::from_bytes(array(setup, "ikmR"))).unwrap();
    assert_eq!(key.public(), bytes(setup, "pkRm"));
    let dice = &mut Thrown(bytes(setup, "ikmE"));
    let (enc, ours) = Real.encapsulate(Suite::X25519, &key.public(), &info, dice).unwrap();
    assert_eq!(enc, bytes(setup, "enc"));
    let theirs = key.decapsulate(&enc, &info).unwrap();
    assert_eq!(exports.len(), 3);
    for part in exports {
        let context = bytes(part, "context");
        assert_eq!(*ours.export(&context).expose(), array::<32>(part, "exported"));
        assert_eq!(*theirs.export(&context).expose(), array::<32>(part, "exported"));
    }
}

#[test]
fn x_wing_encapsulates_as_its_draft_says_and_hpke_goes_on_from_its_shared_secret() {
    for part in parts(include_str!("vectors/rfc/x-wing.txt")).iter().skip(1) {
        let dice = &mut Thrown(bytes(part, "eseed"));
        let (enc, channel) = Real.encapsulate(Suite::XWing, &bytes(part, "public"), b"info", dice).unwrap();
        assert_eq!(enc, bytes(part, "enc"));
        let expected = export_only(0x647a, &bytes(part, "shared"), b"info", b"context");
        assert_eq!(channel.export(b"context").expose(), &expected);
    }
}

/// RFC 9180 §5.1 and §5.3 a second time: base mode, HKDF-SHA256, export only.
fn export_only(kem_id: u16, shared: &[u8], info: &[u8], context: &[u8]) -> [u8; 32] {
    let suite = [b"HPKE", &kem_id.to_be_bytes()[..], &[0, 1, 0xff, 0xff]].concat();
    let extract = |salt: &[u8], label: &[u8], input: &[u8]| {
        let input = [b"HPKE-v1", &suite[..], label, input].concat();
        <[u8; 32]>::from(hkdf::Hkdf::<sha2::Sha256>::extract(Some(salt), &input).0)
    };
    let expand = |key: &[u8], label: &[u8], info: &[u8]| {
        let mut out = [0; 32];
        let info = [&[0, 32], &b"HPKE-v1"[..], &suite, label, info].concat();
        hkdf::Hkdf::<sha2::Sha256>::from_prk(key).unwrap().expand(&info, &mut out).unwrap();
        out
    };
    let schedule = [&[0], &extract(b"", b"psk_id_hash", b"")[..], &extract(b"", b"info_hash", info)].concat();
    let secret = extract(shared, b"secret", b"");
    expand(&expand(&secret, b"exp", &schedule), b"sec", context)
}

#[test]
fn ed25519_signs_as_rfc_8032_says() {
    let parts = parts(include_str!("vectors/rfc/ed25519.txt"));
    assert_eq!(parts.len(), 4);
    for part in parts.iter().skip(1) {
        let secret = Secret::from_bytes(array(part, "secret"));
        let (message, signature) = (bytes(part, "message"), bytes(part, "signature"));
        assert_eq!(Real.signing_public(&secret), array(part, "public"));
        assert_eq!(Real.sign(&secret, &message).to_vec(), signature);
        assert!(Real.verify(&array(part, "public"), &message, &signature));
        assert!(!Real.verify(&array(part, "public"), b"another", &signature));
    }
}

/// A signature with S + L in place of S, and the key of small order under which everything verifies
/// cofactored: what the strict rules are for.
#[test]
fn ed25519_is_strict() {
    let parts = parts(include_str!("vectors/rfc/ed25519.txt"));
    let (public, mut malleable) = (array(&parts[1], "public"), bytes(&parts[1], "signature"));
    let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
    let mut carry = 0;
    for (slot, digit) in malleable[32..].iter_mut().zip(order) {
        let sum = u16::from(*slot) + u16::from(digit) + carry;
        *slot = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
    assert!(!Real.verify(&public, b"", &malleable));
    let mut identity = [0; 32];
    identity[0] = 1;
    let signature = [identity, [0; 32]].concat();
    assert!(!Real.verify(&identity, b"anything", &signature));
}

#[test]
fn the_asker_of_the_oblivious_function_hides_and_uncovers_as_rfc_9497_says() {
    let parts = parts(include_str!("vectors/rfc/voprf.txt"));
    let public = array(&parts[0], "public key");
    assert_eq!(parts.len(), 4);
    for part in &parts[1..] {
        let inputs = many(part, "input");
        // A scalar is made of 64 bytes, so a vector's is followed by 32 zeros.
        let scalars = many(part, "blind").iter().map(|scalar| [&scalar[..], &[0; 32]].concat()).collect::<Vec<_>>();
        let (blinds, points) = Real.blind(&inputs, &mut Thrown(scalars.concat())).unwrap();
        assert_eq!(points.concat(), bytes(part, "blinded"));
        let evaluated: Vec<[u8; 32]> =
            many(part, "evaluated").into_iter().map(|point| point.try_into().unwrap()).collect();
        let mut proof = array(part, "proof");
        let outputs = Real.unblind(&public, &inputs, &blinds, &evaluated, &proof).unwrap();
        assert_eq!(outputs.concat(), bytes(part, "output"));
        proof[0] ^= 1;
        assert!(Real.unblind(&public, &inputs, &blinds, &evaluated, &proof).is_err());
    }
}
