//! The cryptography everything stands on, none of it our own: this file and its part are the only ones that
//! name `hpke`, `libcrux`, `ed25519-dalek`, `chacha20poly1305`, `hkdf` and `voprf`.
//!
//! What costs and could be replaced in a simulation of the whole nation (signatures, key
//! encapsulation, the oblivious function) stands behind the door [`Primitives`]; [`Real`] is its real
//! side. Sealing and key derivation are plain functions, the same everywhere. Knows nothing of
//! messages, members or records.

mod x_wing;

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _, Nonce};
use hpke::{Deserializable as _, OpModeR, OpModeS, Serializable as _};
use minicbor::{Decode, Encode};
use rand_core::{CryptoRng, SeedableRng as _};
use zeroize::{Zeroize as _, ZeroizeOnDrop};

use crate::digest::Digest;
use x_wing::XWing;

/// The length of a ChaCha20-Poly1305 tag, in bytes.
pub const TAG_BYTES: usize = 16;
/// The length of an Ed25519 signature, in bytes.
pub const SIGNATURE_BYTES: usize = 64;
/// What [`seal_stored`] adds to a value, in bytes: its salt and the tag.
pub const STORED_EXTRA_BYTES: usize = SALT_BYTES + TAG_BYTES;
/// The length of an oblivious output, in bytes (RFC 9497 §4.1).
pub const OUTPUT_BYTES: usize = 64;

/// The length of the salt of what is stored, in bytes.
pub const SALT_BYTES: usize = 16;

/// The bytes are not what the key says they are: a wrong key, a flipped bit, a point off the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("does not open under this key")]
pub struct Broken;

/// 32 secret bytes. Wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq, ZeroizeOnDrop)]
pub struct Secret([u8; 32]);

/// A key encapsulation with its key derivation, pinned by the vectors of `tests/vectors/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Suite {
    /// DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, export only (RFC 9180 ids 0x0020, 0x0001, 0xffff).
    #[n(1)]
    X25519,
    /// X-Wing (X25519 + ML-KEM-768, draft-connolly-cfrg-xwing-kem), HKDF-SHA256, export only
    /// (ids 0x647a, 0x0001, 0xffff).
    #[n(2)]
    XWing,
    /// The simulator's stand-in. [`Real`] refuses it.
    #[n(9)]
    Toy,
}

/// What two ends share after one encapsulation: RFC 9180 §5.3's exporter and nothing else.
pub trait Channel: Send + Sync {
    /// 32 bytes bound to `context`.
    fn export(&self, context: &[u8]) -> Secret;
}

/// A sealing key ready for use, so that deriving it is paid once and not for every message.
pub trait SealingKey: Send + Sync {
    /// The public half, as statements publish it.
    fn public(&self) -> Vec<u8>;
    /// The other end of [`Primitives::encapsulate`].
    fn decapsulate(&self, enc: &[u8], info: &[u8]) -> Result<Box<dyn Channel>, Broken>;
}

impl core::fmt::Debug for dyn SealingKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A signing key ready for use, so that deriving it is paid once and not for every message.
pub trait SigningKey: Send + Sync {
    /// The public half (RFC 8032 §5.1.5).
    fn public(&self) -> [u8; 32];
    /// Signs `message` (RFC 8032 §5.1.6).
    fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES];
}

/// What the asker keeps between blinding and unblinding; whoever has it can link question and answer.
pub struct Blinds(Vec<Vec<u8>>);

/// The door of public-key cryptography. Pure: the same arguments give the same result.
pub trait Primitives: Send + Sync {
    /// The public key of a signing key (RFC 8032 §5.1.5).
    fn signing_public(&self, secret: &Secret) -> [u8; 32];
    /// The key pair that a 32-byte secret stands for.
    fn signing_key(&self, secret: &Secret) -> Box<dyn SigningKey>;
    /// Signs one message with a key that is seldom used.
    fn sign(&self, secret: &Secret, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.signing_key(secret).sign(message)
    }
    /// Whether `signature` is good under the strict rules: no weak key, canonical encodings.
    fn verify(&self, public: &[u8; 32], message: &[u8], signature: &[u8]) -> bool;

    /// The key pair that a 32-byte secret stands for (RFC 9180 §7.1.3, DeriveKeyPair).
    fn sealing_key(&self, suite: Suite, secret: &Secret) -> Result<Box<dyn SealingKey>, Broken>;
    /// Opens a channel to the holder of `public`; the bytes are `enc` (RFC 9180 §5.1.1).
    fn encapsulate(
        &self,
        suite: Suite,
        public: &[u8],
        info: &[u8],
        dice: &mut dyn CryptoRng,
    ) -> Result<(Vec<u8>, Box<dyn Channel>), Broken>;

    /// The public key of an oblivious function's key (RFC 9497 §3.2).
    fn oblivious_public(&self, secret: &Secret) -> Result<[u8; 32], Broken>;
    /// Hides each input (RFC 9497 §3.3.2, Blind).
    fn blind(&self, inputs: &[Vec<u8>], dice: &mut dyn CryptoRng) -> Result<(Blinds, Vec<[u8; 32]>), Broken>;
    /// Evaluates hidden points with one proof for all (BlindEvaluate).
    fn evaluate(
        &self,
        secret: &Secret,
        points: &[[u8; 32]],
        dice: &mut dyn CryptoRng,
    ) -> Result<(Vec<[u8; 32]>, [u8; 64]), Broken>;
    /// Checks the proof and uncovers one output for each input (Finalize).
    fn unblind(
        &self,
        public: &[u8; 32],
        inputs: &[Vec<u8>],
        blinds: &Blinds,
        evaluated: &[[u8; 32]],
        proof: &[u8; 64],
    ) -> Result<Vec<[u8; OUTPUT_BYTES]>, Broken>;
}

/// The real side of the door.
#[derive(Clone, Copy, Debug)]
pub struct Real;

/// Seals `plaintext` under a key that seals nothing else: ChaCha20-Poly1305 (RFC 8439), nonce zero.
pub fn seal(key: &Secret, aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let sealed = ChaCha20Poly1305::new((&key.0).into()).encrypt(&Nonce::default(), Payload { msg: plaintext, aad });
    // The only failure is a plaintext of 256 GiB.
    assert!(sealed.is_ok(), "sealing failed");
    sealed.unwrap_or_default()
}

/// Opens what [`seal`] sealed.
pub fn open(key: &Secret, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Broken> {
    ChaCha20Poly1305::new((&key.0).into())
        .decrypt(&Nonce::default(), Payload { msg: sealed, aad })
        .map_err(|_error| Broken)
}

/// Seals a value that will lie on a disk, under a key that seals many: a fresh salt gives each value a
/// key of its own, so that an offset written twice after a crash repeats nothing.
pub fn seal_stored(key: &Secret, aad: &[u8], plaintext: &[u8], dice: &mut dyn CryptoRng) -> Vec<u8> {
    let (salt, sealed) = seal_apart(key, aad, plaintext, dice);
    [&salt[..], &sealed].concat()
}

/// The same with the salt apart: whoever destroys it destroys what was sealed.
pub fn seal_apart(key: &Secret, aad: &[u8], plaintext: &[u8], dice: &mut dyn CryptoRng) -> ([u8; SALT_BYTES], Vec<u8>) {
    let mut salt = [0_u8; SALT_BYTES];
    dice.fill_bytes(&mut salt);
    let sealed = seal(&derive(key.expose(), &salt, b"tsunagi stored"), aad, plaintext);
    (salt, sealed)
}

/// Opens what [`seal_apart`] sealed.
pub fn open_apart(key: &Secret, aad: &[u8], salt: &[u8; SALT_BYTES], sealed: &[u8]) -> Result<Vec<u8>, Broken> {
    open(&derive(key.expose(), salt, b"tsunagi stored"), aad, sealed)
}

/// Opens what [`seal_stored`] sealed.
pub fn open_stored(key: &Secret, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Broken> {
    let (salt, sealed) = sealed.split_at_checked(SALT_BYTES).ok_or(Broken)?;
    open(&derive(key.expose(), salt, b"tsunagi stored"), aad, sealed)
}

/// HKDF-SHA256 (RFC 5869), 32 bytes out.
pub fn derive(secret: &[u8], salt: &[u8], info: &[u8]) -> Secret {
    let mut out = Secret([0; 32]);
    let expanded = hkdf::Hkdf::<sha2::Sha256>::new(Some(salt), secret).expand(info, &mut out.0);
    assert!(expanded.is_ok(), "32 bytes are within HKDF's bound");
    out
}

/// Dice for one purpose: the same secret and subject throw the same numbers, so that an answer that holds
/// a random proof can be made again, byte for byte.
pub fn seeded(secret: &Secret, subject: &Digest) -> chacha20::ChaCha20Rng {
    chacha20::ChaCha20Rng::from_seed(derive(secret.expose(), subject.as_bytes(), b"tsunagi dice").0)
}

impl Secret {
    /// Takes 32 bytes for a secret.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A fresh secret.
    pub fn random(dice: &mut dyn CryptoRng) -> Self {
        let mut bytes = [0; 32];
        dice.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The one way to the bytes.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl core::fmt::Debug for dyn SigningKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl core::fmt::Debug for Blinds {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Blinds {
    /// One opaque secret for each input; the simulator's door makes its own.
    pub const fn from_parts(parts: Vec<Vec<u8>>) -> Self {
        Self(parts)
    }

    /// The parts, in the order of the inputs.
    pub fn parts(&self) -> &[Vec<u8>] {
        &self.0
    }
}

impl Drop for Blinds {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|part| part.zeroize());
    }
}

impl Primitives for Real {
    fn signing_public(&self, secret: &Secret) -> [u8; 32] {
        ed25519_dalek::SigningKey::from_bytes(&secret.0).verifying_key().to_bytes()
    }

    fn signing_key(&self, secret: &Secret) -> Box<dyn SigningKey> {
        Box::new(ed25519_dalek::SigningKey::from_bytes(&secret.0))
    }

    fn verify(&self, public: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
        let Ok(key) = ed25519_dalek::VerifyingKey::from_bytes(public) else { return false };
        let Ok(signature) = ed25519_dalek::Signature::from_slice(signature) else { return false };
        key.verify_strict(message, &signature).is_ok()
    }

    fn sealing_key(&self, suite: Suite, secret: &Secret) -> Result<Box<dyn SealingKey>, Broken> {
        match suite {
            Suite::X25519 => Ok(Box::new(Pair::<X25519>::derive(secret))),
            Suite::XWing => Ok(Box::new(Pair::<XWing>::derive(secret))),
            Suite::Toy => Err(Broken),
        }
    }

    fn encapsulate(
        &self,
        suite: Suite,
        public: &[u8],
        info: &[u8],
        dice: &mut dyn CryptoRng,
    ) -> Result<(Vec<u8>, Box<dyn Channel>), Broken> {
        match suite {
            Suite::X25519 => encapsulate::<X25519>(public, info, dice),
            Suite::XWing => encapsulate::<XWing>(public, info, dice),
            Suite::Toy => Err(Broken),
        }
    }

    fn oblivious_public(&self, secret: &Secret) -> Result<[u8; 32], Broken> {
        let server = oblivious_server(secret)?;
        point_bytes(&<Ristretto as voprf::CipherSuite>::Group::serialize_elem(server.get_public_key()))
    }

    fn blind(&self, inputs: &[Vec<u8>], dice: &mut dyn CryptoRng) -> Result<(Blinds, Vec<[u8; 32]>), Broken> {
        let mut blinds = Vec::new();
        let mut points = Vec::new();
        for input in inputs {
            let blinded = voprf::VoprfClient::<Ristretto>::blind(input, &mut OldDice(dice)).map_err(|_error| Broken)?;
            blinds.push(blinded.state.serialize().to_vec());
            points.push(point_bytes(&blinded.message.serialize())?);
        }
        Ok((Blinds(blinds), points))
    }

    fn evaluate(
        &self,
        secret: &Secret,
        points: &[[u8; 32]],
        dice: &mut dyn CryptoRng,
    ) -> Result<(Vec<[u8; 32]>, [u8; 64]), Broken> {
        let server = oblivious_server(secret)?;
        let blinded = points
            .iter()
            .map(|point| voprf::BlindedElement::<Ristretto>::deserialize(point).map_err(|_error| Broken))
            .collect::<Result<Vec<_>, _>>()?;
        let result = server.batch_blind_evaluate(&mut OldDice(dice), &blinded).map_err(|_error| Broken)?;
        let evaluated =
            result.messages.iter().map(|message| point_bytes(&message.serialize())).collect::<Result<Vec<_>, _>>()?;
        let proof = result.proof.serialize().as_slice().try_into().map_err(|_error| Broken)?;
        Ok((evaluated, proof))
    }

    fn unblind(
        &self,
        public: &[u8; 32],
        inputs: &[Vec<u8>],
        blinds: &Blinds,
        evaluated: &[[u8; 32]],
        proof: &[u8; 64],
    ) -> Result<Vec<[u8; OUTPUT_BYTES]>, Broken> {
        if inputs.len() != blinds.0.len() || inputs.len() != evaluated.len() {
            return Err(Broken);
        }
        let clients = blinds
            .0
            .iter()
            .map(|bytes| voprf::VoprfClient::<Ristretto>::deserialize(bytes).map_err(|_error| Broken))
            .collect::<Result<Vec<_>, _>>()?;
        let elements = evaluated
            .iter()
            .map(|bytes| voprf::EvaluationElement::<Ristretto>::deserialize(bytes).map_err(|_error| Broken))
            .collect::<Result<Vec<_>, _>>()?;
        let proof = voprf::Proof::<Ristretto>::deserialize(proof).map_err(|_error| Broken)?;
        let public = <Ristretto as voprf::CipherSuite>::Group::deserialize_elem(public).map_err(|_error| Broken)?;
        let inputs = inputs.to_vec();
        let outputs = voprf::VoprfClient::batch_finalize(&inputs, &clients, &elements, &proof, public)
            .map_err(|_error| Broken)?;
        outputs.map(|output| output.map_err(|_error| Broken)?.as_slice().try_into().map_err(|_error| Broken)).collect()
    }
}

type X25519 = hpke::kem::X25519HkdfSha256;
type Kdf = hpke::kdf::HkdfSha256;
type ExportOnly = hpke::aead::ExportOnlyAead;
type Ristretto = voprf::Ristretto255;
use voprf::Group as _;

struct Pair<Kem: hpke::Kem> {
    secret: Kem::PrivateKey,
    public: Kem::PublicKey,
}
struct Sender<Kem: hpke::Kem>(hpke::aead::AeadCtxS<ExportOnly, Kdf, Kem>);
struct Receiver<Kem: hpke::Kem>(hpke::aead::AeadCtxR<ExportOnly, Kdf, Kem>);

impl SigningKey for ed25519_dalek::SigningKey {
    fn public(&self) -> [u8; 32] {
        self.verifying_key().to_bytes()
    }

    fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        ed25519_dalek::Signer::sign(self, message).to_bytes()
    }
}

impl<Kem: hpke::Kem> Pair<Kem> {
    fn derive(secret: &Secret) -> Self {
        let (secret, public) = Kem::derive_keypair(&secret.0);
        Self { secret, public }
    }
}

impl<Kem> SealingKey for Pair<Kem>
where
    Kem: hpke::Kem + Send + Sync + 'static,
    Kem::PrivateKey: Send + Sync,
    Kem::PublicKey: Send + Sync,
{
    fn public(&self) -> Vec<u8> {
        self.public.to_bytes().to_vec()
    }

    fn decapsulate(&self, enc: &[u8], info: &[u8]) -> Result<Box<dyn Channel>, Broken> {
        let enc = Kem::EncappedKey::from_bytes(enc).map_err(|_error| Broken)?;
        let context = hpke::setup_receiver::<ExportOnly, Kdf, Kem>(&OpModeR::Base, &self.secret, &enc, info)
            .map_err(|_error| Broken)?;
        Ok(Box::new(Receiver(context)))
    }
}

impl<Kem: hpke::Kem + Send + Sync> Channel for Sender<Kem> {
    fn export(&self, context: &[u8]) -> Secret {
        let mut out = Secret([0; 32]);
        let exported = self.0.export(context, &mut out.0);
        assert!(exported.is_ok(), "32 bytes are within the exporter's bound");
        out
    }
}

impl<Kem: hpke::Kem + Send + Sync> Channel for Receiver<Kem> {
    fn export(&self, context: &[u8]) -> Secret {
        let mut out = Secret([0; 32]);
        let exported = self.0.export(context, &mut out.0);
        assert!(exported.is_ok(), "32 bytes are within the exporter's bound");
        out
    }
}

fn encapsulate<Kem: hpke::Kem + Send + Sync + 'static>(
    public: &[u8],
    info: &[u8],
    mut dice: &mut dyn CryptoRng,
) -> Result<(Vec<u8>, Box<dyn Channel>), Broken> {
    let public = Kem::PublicKey::from_bytes(public).map_err(|_error| Broken)?;
    let (enc, context) = hpke::setup_sender_with_rng::<ExportOnly, Kdf, Kem>(&OpModeS::Base, &public, info, &mut dice)
        .map_err(|_error| Broken)?;
    Ok((enc.to_bytes().to_vec(), Box::new(Sender(context))))
}

fn oblivious_server(secret: &Secret) -> Result<voprf::VoprfServer<Ristretto>, Broken> {
    voprf::VoprfServer::new_from_seed(&secret.0, b"tsunagi pseudonym").map_err(|_error| Broken)
}

fn point_bytes(bytes: &[u8]) -> Result<[u8; 32], Broken> {
    bytes.try_into().map_err(|_error| Broken)
}

/// Lets `voprf`, which asks for the older trait of dice, throw ours.
struct OldDice<'a>(&'a mut dyn CryptoRng);

impl rand_core_06::RngCore for OldDice<'_> {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }
    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }
    fn fill_bytes(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core_06::Error> {
        self.0.fill_bytes(out);
        Ok(())
    }
}

impl rand_core_06::CryptoRng for OldDice<'_> {}

#[cfg(test)]
mod tests {
    use chacha20::ChaCha20Rng;

    use super::*;

    #[test]
    fn both_ends_of_an_encapsulation_export_the_same() {
        let mut dice = ChaCha20Rng::from_seed([1; 32]);
        for suite in [Suite::X25519, Suite::XWing] {
            let key = Real.sealing_key(suite, &Secret::from_bytes([2; 32])).unwrap();
            let (enc, ours) = Real.encapsulate(suite, &key.public(), b"info", &mut dice).unwrap();
            let theirs = key.decapsulate(&enc, b"info").unwrap();
            assert_eq!(ours.export(b"a"), theirs.export(b"a"));
            assert_ne!(ours.export(b"a"), ours.export(b"b"));
            let misled = key.decapsulate(&enc, b"other info").unwrap();
            assert_ne!(ours.export(b"a"), misled.export(b"a"));
        }
        assert!(Real.sealing_key(Suite::Toy, &Secret::from_bytes([2; 32])).is_err());
    }

    #[test]
    fn the_oblivious_function_gives_everyone_the_same_output_and_proves_its_key() {
        let mut dice = ChaCha20Rng::from_seed([1; 32]);
        let key = Secret::from_bytes([3; 32]);
        let public = Real.oblivious_public(&key).unwrap();
        let inputs = vec![b"one".to_vec(), b"two".to_vec()];
        let mut round = || {
            let (blinds, points) = Real.blind(&inputs, &mut dice).unwrap();
            let (evaluated, proof) = Real.evaluate(&key, &points, &mut dice).unwrap();
            (Real.unblind(&public, &inputs, &blinds, &evaluated, &proof), points)
        };
        let (first, first_points) = round();
        let (second, second_points) = round();
        assert_eq!(first.unwrap(), second.unwrap());
        assert_ne!(first_points, second_points);
    }

    #[test]
    fn an_evaluation_under_another_key_does_not_unblind() {
        let mut dice = ChaCha20Rng::from_seed([1; 32]);
        let public = Real.oblivious_public(&Secret::from_bytes([3; 32])).unwrap();
        let inputs = vec![b"one".to_vec()];
        let (blinds, points) = Real.blind(&inputs, &mut dice).unwrap();
        let (evaluated, proof) = Real.evaluate(&Secret::from_bytes([4; 32]), &points, &mut dice).unwrap();
        assert_eq!(Real.unblind(&public, &inputs, &blinds, &evaluated, &proof), Err(Broken));
    }

    #[test]
    fn a_flipped_bit_does_not_open() {
        let mut dice = ChaCha20Rng::from_seed([1; 32]);
        let key = Secret::random(&mut dice);
        let sealed = seal_stored(&key, b"aad", b"value", &mut dice);
        assert_eq!(sealed.len(), 5 + STORED_EXTRA_BYTES);
        assert_eq!(open_stored(&key, b"aad", &sealed).unwrap(), b"value");
        for bit in 0..sealed.len() * 8 {
            let mut spoiled = sealed.clone();
            spoiled[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open_stored(&key, b"aad", &spoiled), Err(Broken));
        }
        assert_eq!(open_stored(&key, b"dad", &sealed), Err(Broken));
        assert_eq!(open_stored(&key, b"aad", &sealed[..15]), Err(Broken));
    }

    /// The values of the lines `name: …` in a file of vectors, in order.
    fn lines<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = Vec<u8>> + 'a {
        let of_name = move |line: &'a str| line.strip_prefix(name)?.strip_prefix(": ");
        text.lines().filter_map(of_name).map(|value| hex::decode(value.replace(',', "")).unwrap())
    }

    #[test]
    fn the_evaluator_evaluates_and_proves_as_rfc_9497_says() {
        let text = include_str!("../tests/vectors/rfc/voprf.txt");
        let [seed, info, public] = ["seed", "key info", "public key"].map(|name| lines(text, name).next().unwrap());
        let server = voprf::VoprfServer::<Ristretto>::new_from_seed(&seed, &info).unwrap();
        assert_eq!(<Ristretto as voprf::CipherSuite>::Group::serialize_elem(server.get_public_key()).to_vec(), public);
        let expected = lines(text, "evaluated").zip(lines(text, "proof"));
        let given = lines(text, "blinded").zip(lines(text, "proof scalar"));
        let mut count = 0;
        for ((points, mut scalar), (evaluated, proof)) in given.zip(expected) {
            let points: Vec<_> = points
                .chunks(32)
                .map(|point| voprf::BlindedElement::<Ristretto>::deserialize(point).unwrap())
                .collect();
            scalar.resize(64, 0);
            let result = server.batch_blind_evaluate(&mut OldDice(&mut Thrown(scalar)), &points).unwrap();
            let found: Vec<_> = result.messages.iter().flat_map(|message| message.serialize().to_vec()).collect();
            assert_eq!((found, result.proof.serialize().to_vec()), (evaluated, proof));
            count += 1;
        }
        assert_eq!(count, 3);
    }

    #[test]
    fn x_wing_opens_as_its_draft_says() {
        let text = include_str!("../tests/vectors/rfc/x-wing.txt");
        let keys = lines(text, "secret").zip(lines(text, "public"));
        let mut count = 0;
        for ((secret, public), (eseed, enc)) in keys.zip(lines(text, "eseed").zip(lines(text, "enc"))) {
            let secret = <XWing as hpke::Kem>::PrivateKey::from_bytes(&secret).unwrap();
            let key = Pair::<XWing> { public: <XWing as hpke::Kem>::sk_to_pk(&secret), secret };
            assert_eq!(key.public(), public);
            let (_enc, ours) = Real.encapsulate(Suite::XWing, &public, b"info", &mut Thrown(eseed)).unwrap();
            assert_eq!(ours.export(b"a"), key.decapsulate(&enc, b"info").unwrap().export(b"a"));
            count += 1;
        }
        assert_eq!(count, 3);
    }

    /// Throws the bytes a vector was made with, and no more.
    struct Thrown(Vec<u8>);

    impl rand_core::TryRng for Thrown {
        type Error = core::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            panic!("no vector asks for numbers")
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            panic!("no vector asks for numbers")
        }
        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
            let rest = self.0.split_off(out.len());
            out.copy_from_slice(&std::mem::replace(&mut self.0, rest));
            Ok(())
        }
    }

    impl rand_core::TryCryptoRng for Thrown {}
}
