//! Public keys and their names. A key id belongs to one use and one suite, so that a key of one kind
//! can never be taken for one of another. Secret keys are [`crate::primitives::Secret`]s; their
//! keeping is the node's.

use minicbor::{Decode, Encode};

use crate::digest::Digest;
use crate::primitives::Suite;

/// What a key is for. The four keys of a member are never mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum KeyUse {
    /// Proves the end of a connection (libp2p `PeerId`).
    #[n(0)]
    Transport,
    /// Signs requests, statements and credentials.
    #[n(1)]
    Signing,
    /// Opens requests of the X25519 suite.
    #[n(2)]
    SealingX25519,
    /// Opens requests of the X-Wing suite.
    #[n(3)]
    SealingXWing,
    /// Opens requests of the simulator's suite.
    #[n(4)]
    SealingToy,
    /// Signs checkpoints of one ledger and nothing else.
    #[n(5)]
    Log,
    /// Signs pulses.
    #[n(6)]
    Pulse,
}

/// The name of a public key: the first 16 bytes of SHA-256 over its use and its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct KeyId(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    [u8; 16],
);

/// An Ed25519 public key, whatever it signs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct PublicKey(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    [u8; 32],
);

impl KeyUse {
    /// The use of a sealing key of `suite`.
    pub const fn sealing(suite: Suite) -> Self {
        match suite {
            Suite::X25519 => Self::SealingX25519,
            Suite::XWing => Self::SealingXWing,
            Suite::Toy => Self::SealingToy,
        }
    }

    const fn label(self) -> &'static [u8; 24] {
        match self {
            Self::Transport => b"tsunagi key transport   ",
            Self::Signing => b"tsunagi key signing     ",
            Self::SealingX25519 => b"tsunagi key seal-x25519 ",
            Self::SealingXWing => b"tsunagi key seal-x-wing ",
            Self::SealingToy => b"tsunagi key seal-toy    ",
            Self::Log => b"tsunagi key log         ",
            Self::Pulse => b"tsunagi key pulse       ",
        }
    }
}

impl KeyId {
    /// The id of the public key `public` in this use.
    pub fn of(use_: KeyUse, public: &[u8]) -> Self {
        let digest = Digest::of_parts(&[use_.label(), public]);
        let mut id = [0; 16];
        for (slot, byte) in id.iter_mut().zip(digest.as_bytes()) {
            *slot = *byte;
        }
        Self(id)
    }

    /// Takes 16 bytes for the name of a key.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl PublicKey {
    /// Takes 32 bytes for a public key. Whether a signature holds under it is seen at verification.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its id in the given use.
    pub fn id(&self, use_: KeyUse) -> KeyId {
        KeyId::of(use_, &self.0)
    }

    /// SHA-256 of the key, as a credential names its holder's next one.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }
}

impl core::fmt::Display for KeyId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl core::fmt::Debug for KeyId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl core::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_in_two_uses_has_two_names() {
        let key = PublicKey::from_bytes([7; 32]);
        assert_ne!(key.id(KeyUse::Signing), key.id(KeyUse::Log));
        assert_eq!(key.id(KeyUse::Signing), KeyId::of(KeyUse::Signing, &[7; 32]));
    }
}
