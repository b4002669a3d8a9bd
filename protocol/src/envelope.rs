//! The envelope (封筒): who writes to whom under which keys, in the clear; what is written, signed and
//! sealed. `protocol/README.md` is its specification.
//!
//! The clear header with its `enc` is bound by the signature, so a signature belongs to one
//! encapsulation: a signed request sealed again by anyone else does not verify. Knows nothing of
//! whether a sender is a member.

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use crate::cbor;
use crate::digest::Digest;
use crate::id::party::PartyId;
use crate::key::KeyId;
use crate::limits;
use crate::primitives::{self, Channel, Secret, SigningKey, Suite};
use crate::sign1::{self, Label};

/// ChaCha20-Poly1305's number in the HPKE registry.
const AEAD_ID: u16 = 3;

/// The clear header of a request.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Header {
    /// The network.
    #[n(0)]
    pub network: Digest,
    /// The suite of the encapsulation.
    #[n(1)]
    pub suite: Suite,
    /// Who writes.
    #[n(2)]
    pub sender: PartyId,
    /// To whom.
    #[n(3)]
    pub recipient: PartyId,
    /// The sender's signing key.
    #[n(4)]
    pub signing_key: KeyId,
    /// The recipient's sealing key.
    #[n(5)]
    pub sealing_key: KeyId,
    /// The encapsulation.
    #[n(6)]
    #[cbor(with = "minicbor::bytes")]
    pub enc: Vec<u8>,
    /// Fresh for each message.
    #[n(7)]
    #[cbor(with = "minicbor::bytes")]
    pub nonce: [u8; 16],
}

/// A request as it travels: the header's bytes and the sealed signed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    header: Header,
    header_bytes: Vec<u8>,
    sealed: Vec<u8>,
    digest: Digest,
}

#[derive(Encode, Decode)]
struct Wire {
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    header: Vec<u8>,
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    sealed: Vec<u8>,
}

/// An answer as it travels: a fresh nonce and the sealed answer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SealedAnswer {
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    nonce: [u8; 32],
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    sealed: Vec<u8>,
}

/// Why an envelope or answer could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum EnvelopeError {
    /// Not of the one encoding, or beyond a bound.
    #[error("malformed")]
    Malformed,
    /// Does not open under the key it names.
    #[error("does not open")]
    DoesNotOpen,
}

/// What the sender of a request holds afterwards: the bytes to send and what opens the answer.
#[derive(Debug)]
pub struct Outgoing {
    /// The envelope.
    pub bytes: Vec<u8>,
    /// SHA-256 of it.
    pub digest: Digest,
    /// Opens the answer; to be kept sealed, and destroyed at the end.
    pub answer_secret: Secret,
}

impl Header {
    /// The HPKE `info`: label, network, parties and key ids in deterministic CBOR.
    pub fn info(&self) -> Vec<u8> {
        cbor::encode(&("tsunagi 1", &self.network, &self.sender, &self.recipient, &self.signing_key, &self.sealing_key))
    }

    /// The name of this encapsulation among those a receiver remembers: SHA-256(info ‖ enc).
    pub fn context(&self) -> Digest {
        Digest::of_parts(&[&self.info(), &self.enc])
    }
}

/// Signs `request` with `signing` and seals it over `channel`, whose `enc` is in `header`.
pub fn seal(header: &Header, channel: &dyn Channel, request: &[u8], signing: &dyn SigningKey) -> Outgoing {
    let header_bytes = cbor::encode(header);
    let signed = sign1::sign_with(signing, header.signing_key, Label::Request, &header_bytes, request);
    let sealed = primitives::seal(&message_key(channel, &header.nonce), &header_bytes, &signed);
    let about = header_bytes.len().saturating_add(sealed.len()).saturating_add(16);
    let bytes = cbor::encode_about(&Wire { header: header_bytes, sealed }, about);
    let digest = Digest::of(&bytes);
    Outgoing { bytes, digest, answer_secret: answer_secret(channel, &digest) }
}

impl Envelope {
    /// Reads an envelope's header; what is sealed stays sealed.
    ///
    /// # Errors
    /// [`EnvelopeError::Malformed`] if it is too long or not of the one encoding.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        if bytes.len() > limits::REQUEST_BYTES_MAX {
            return Err(EnvelopeError::Malformed);
        }
        let wire: Wire = cbor::decode(bytes).map_err(|_error| EnvelopeError::Malformed)?;
        if wire.header.len() > limits::HEADER_BYTES_MAX {
            return Err(EnvelopeError::Malformed);
        }
        let header = cbor::decode(&wire.header).map_err(|_error| EnvelopeError::Malformed)?;
        Ok(Self { header, header_bytes: wire.header, sealed: wire.sealed, digest: Digest::of(bytes) })
    }

    /// Its clear header.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The header's bytes as received: what the signature is bound to.
    pub fn header_bytes(&self) -> &[u8] {
        &self.header_bytes
    }

    /// *Request digest*: SHA-256 of the whole envelope as received.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Opens the seal; the signature inside is not looked at.
    ///
    /// # Errors
    /// [`EnvelopeError::DoesNotOpen`] if a bit is not as it was sealed.
    pub fn open(&self, channel: &dyn Channel) -> Result<Vec<u8>, EnvelopeError> {
        primitives::open(&message_key(channel, &self.header.nonce), &self.header_bytes, &self.sealed)
            .map_err(|_broken| EnvelopeError::DoesNotOpen)
    }
}

impl SealedAnswer {
    /// Seals an answer, padded to one of few lengths, under a nonce of its own.
    pub fn seal(answer: &[u8], secret: &Secret, request: &Digest, dice: &mut dyn CryptoRng) -> Self {
        let mut nonce = [0; 32];
        dice.fill_bytes(&mut nonce);
        let sealed = primitives::seal(&answer_key(secret, &nonce), request.as_bytes(), &pad(answer));
        Self { nonce, sealed }
    }

    /// How long the sealed bytes are.
    pub const fn sealed_len(&self) -> usize {
        self.sealed.len()
    }

    /// Opens an answer to the request of that digest.
    ///
    /// # Errors
    /// [`EnvelopeError::DoesNotOpen`] if it is not the answer to this request.
    pub fn open(&self, secret: &Secret, request: &Digest) -> Result<Vec<u8>, EnvelopeError> {
        let padded = primitives::open(&answer_key(secret, &self.nonce), request.as_bytes(), &self.sealed)
            .map_err(|_broken| EnvelopeError::DoesNotOpen)?;
        unpad(padded).ok_or(EnvelopeError::DoesNotOpen)
    }
}

/// The secret of the answer to the request of that digest (compare RFC 9458 §4.4).
pub fn answer_secret(channel: &dyn Channel, request: &Digest) -> Secret {
    channel.export(&cbor::encode(&("tsunagi answer", request)))
}

fn message_key(channel: &dyn Channel, nonce: &[u8; 16]) -> Secret {
    channel.export(&cbor::encode(&("tsunagi request", AEAD_ID, minicbor::bytes::ByteArray::from(*nonce))))
}

fn answer_key(secret: &Secret, nonce: &[u8; 32]) -> Secret {
    primitives::derive(secret.expose(), nonce, b"tsunagi answer")
}

/// Fills up to the next permitted length with 0x80 and zeros (ISO/IEC 7816-4).
fn pad(answer: &[u8]) -> Vec<u8> {
    let needed = answer.len().saturating_add(1);
    let [.., largest] = limits::ANSWER_STEPS_BYTES;
    let length = limits::ANSWER_STEPS_BYTES
        .into_iter()
        .find(|step| needed <= *step)
        .unwrap_or_else(|| needed.div_ceil(largest).saturating_mul(largest));
    let mut padded = answer.to_vec();
    padded.push(0x80);
    padded.resize(length, 0);
    padded
}

fn unpad(mut padded: Vec<u8>) -> Option<Vec<u8>> {
    let end = padded.iter().rposition(|byte| *byte != 0)?;
    if padded.get(end) != Some(&0x80) {
        return None;
    }
    padded.truncate(end);
    Some(padded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_comes_off_and_hides_the_length() {
        for (length, padded_to) in
            [(0, 1024), (1, 1024), (1023, 1024), (1024, 4096), (65_535, 65_536), (65_536, 131_072)]
        {
            let answer = vec![0x80; length];
            let padded = pad(&answer);
            assert_eq!(padded.len(), padded_to);
            assert_eq!(unpad(padded), Some(answer));
        }
        assert_eq!(unpad(vec![0; 8]), None);
        assert_eq!(unpad(vec![1, 0]), None);
    }
}
