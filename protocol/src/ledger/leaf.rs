//! A leaf: what happened when, as four commitments. Every leaf has one length and one look, so that
//! the ledger tells nobody what was decided.
//!
//! The leaf never holds what it commits to; contents and salts are kept, sealed, by others.

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use crate::cbor::{self, Malformed};
use crate::digest::Digest;
use crate::ledger::tree;
use crate::time::Timestamp;

/// The length of every leaf, in bytes.
pub const LEAF_BYTES: usize = 3 + 9 + 4 * 34;

const FORMAT: u8 = 1;

/// What a leaf is about. Whether a request was allowed or refused is not told: both are `Exchange`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum LeafKind {
    /// A request was decided and answered.
    #[n(0)]
    Exchange,
    /// A request was asked of somebody else and its answer held; the asker's own leaf.
    #[n(1)]
    Asked,
    /// Something was decided at home: an import, a change of facts.
    #[n(2)]
    Local,
    /// The first leaf of an epoch, naming the last cosigned checkpoint of the one before.
    #[n(3)]
    Epoch,
    /// The day's map from hidden person label to last running number.
    #[n(4)]
    Daily,
    /// A roster was published.
    #[n(5)]
    Roster,
    /// A credential was issued.
    #[n(6)]
    Credential,
}

/// Which of a leaf's four commitments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// The request as received.
    Request,
    /// The body of the answer.
    Answer,
    /// The exact decision and all it rested on.
    Detail,
    /// The person, their running number and their previous leaf.
    Person,
}

/// 32 random bytes that keep a commitment from being guessed. Never printed.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Salt(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    [u8; 32],
);

/// One salt for each commitment of a leaf, independent of one another.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Salts {
    /// Opens the request; the asker gets it.
    #[n(0)]
    pub request: Salt,
    /// Opens the answer; the asker gets it.
    #[n(1)]
    pub answer: Salt,
    /// Opens the detail; for the auditor.
    #[n(2)]
    pub detail: Salt,
    /// Opens the person; for the person and the auditor.
    #[n(3)]
    pub person: Salt,
}

/// The digests of what a leaf commits to. What a leaf has nothing of is the digest of nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The request digest.
    pub request: Digest,
    /// The digest of the answer's body.
    pub answer: Digest,
    /// The digest of the detail.
    pub detail: Digest,
    /// The digest of the person's entry.
    pub person: Digest,
}

/// One entry of a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf(Fields);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
struct Fields {
    #[n(0)]
    format: u8,
    #[n(1)]
    kind: LeafKind,
    // Milliseconds since 1970, big-endian: an integer of CBOR would be shorter for a smaller number.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    time: [u8; 8],
    #[n(3)]
    request: Digest,
    #[n(4)]
    answer: Digest,
    #[n(5)]
    detail: Digest,
    #[n(6)]
    person: Digest,
}

/// Hides `content` (a SHA-256 value) until the salt is told: SHA-256(label ‖ salt ‖ content).
pub fn commit(label: Label, salt: &Salt, content: Digest) -> Digest {
    Digest::of_parts(&[label.bytes(), &salt.0, content.as_bytes()])
}

impl Leaf {
    /// Commits to `contents` under `salts`, which serve this leaf only.
    pub fn new(kind: LeafKind, time: Timestamp, salts: &Salts, contents: &Contents) -> Self {
        Self(Fields {
            format: FORMAT,
            kind,
            time: time.unix_ms().to_be_bytes(),
            request: commit(Label::Request, &salts.request, contents.request),
            answer: commit(Label::Answer, &salts.answer, contents.answer),
            detail: commit(Label::Detail, &salts.detail, contents.detail),
            person: commit(Label::Person, &salts.person, contents.person),
        })
    }

    /// Reads [`LEAF_BYTES`] bytes.
    ///
    /// # Errors
    /// [`Malformed`] for any other length, format or kind, or a second spelling.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() != LEAF_BYTES {
            return Err(Malformed);
        }
        let fields: Fields = cbor::decode(bytes)?;
        if fields.format == FORMAT { Ok(Self(fields)) } else { Err(Malformed) }
    }

    /// Its one encoding, [`LEAF_BYTES`] long.
    pub fn to_bytes(&self) -> Vec<u8> {
        cbor::encode(&self.0)
    }

    /// Its hash in the tree.
    pub fn hash(&self) -> Digest {
        tree::leaf_hash(&self.to_bytes())
    }

    /// What it is about.
    pub const fn kind(&self) -> LeafKind {
        self.0.kind
    }

    /// When it was decided, by the clock of the ledger's keeper.
    pub const fn time(&self) -> Timestamp {
        Timestamp::from_unix_ms(u64::from_be_bytes(self.0.time))
    }

    /// One of its commitments.
    pub const fn commitment(&self, label: Label) -> Digest {
        match label {
            Label::Request => self.0.request,
            Label::Answer => self.0.answer,
            Label::Detail => self.0.detail,
            Label::Person => self.0.person,
        }
    }

    /// Whether the commitment under `label` is one to `content`.
    pub fn opens(&self, label: Label, salt: &Salt, content: Digest) -> bool {
        self.commitment(label) == commit(label, salt, content)
    }
}

impl Label {
    /// All have one length, so that no label is the beginning of another with its salt.
    const fn bytes(self) -> &'static [u8; 15] {
        match self {
            Self::Request => b"tsunagi request",
            Self::Answer => b"tsunagi answer.",
            Self::Detail => b"tsunagi detail.",
            Self::Person => b"tsunagi person.",
        }
    }
}

impl Salt {
    /// A fresh salt.
    pub fn random(dice: &mut dyn CryptoRng) -> Self {
        let mut bytes = [0; 32];
        dice.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// Takes 32 bytes for a salt.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The one way to the bytes.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl core::fmt::Debug for Salt {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Salts {
    /// Four fresh salts.
    pub fn random(dice: &mut dyn CryptoRng) -> Self {
        Self {
            request: Salt::random(dice),
            answer: Salt::random(dice),
            detail: Salt::random(dice),
            person: Salt::random(dice),
        }
    }
}

#[cfg(test)]
mod tests {
    use chacha20::ChaCha20Rng;
    use proptest::prelude::*;
    use rand_core::SeedableRng as _;

    use super::*;

    const KINDS: [LeafKind; 7] = [
        LeafKind::Exchange,
        LeafKind::Asked,
        LeafKind::Local,
        LeafKind::Epoch,
        LeafKind::Daily,
        LeafKind::Roster,
        LeafKind::Credential,
    ];

    fn salts() -> Salts {
        Salts::random(&mut ChaCha20Rng::from_seed([5; 32]))
    }

    fn contents() -> Contents {
        Contents {
            request: Digest::of(b"request"),
            answer: Digest::of(b"answer"),
            detail: Digest::of(b"detail"),
            person: Digest::of(b"person"),
        }
    }

    #[test]
    fn every_leaf_has_the_same_length() {
        for kind in KINDS {
            for ms in [0, 23, 24, 255, 1 << 16, 1 << 32, 1_790_000_000_000, u64::MAX] {
                let leaf = Leaf::new(kind, Timestamp::from_unix_ms(ms), &salts(), &contents());
                let bytes = leaf.to_bytes();
                assert_eq!(bytes.len(), LEAF_BYTES);
                assert_eq!(Leaf::parse(&bytes), Ok(leaf));
                assert_eq!((leaf.kind(), leaf.time().unix_ms()), (kind, ms));
                assert_eq!(leaf.hash(), tree::leaf_hash(&bytes));
            }
        }
    }

    #[test]
    fn another_format_kind_or_length_is_refused() {
        let leaf = Leaf::new(LeafKind::Exchange, Timestamp::from_unix_ms(1), &salts(), &contents());
        for (place, value) in [(0, 0x86), (0, 0x88), (1, 0), (1, 2), (2, 7), (2, 0x17), (3, 0x47), (12, 0x57)] {
            let mut spoiled = leaf.to_bytes();
            spoiled[place] = value;
            assert_eq!(Leaf::parse(&spoiled), Err(Malformed), "byte {place}");
        }
        assert_eq!(Leaf::parse(&leaf.to_bytes()[1..]), Err(Malformed));
        assert_eq!(Leaf::parse(&[leaf.to_bytes(), vec![0]].concat()), Err(Malformed));
    }

    #[test]
    fn a_commitment_opens_to_its_own_content_label_and_salt_only() {
        let (salts, contents) = (salts(), contents());
        let leaf = Leaf::new(LeafKind::Exchange, Timestamp::from_unix_ms(1), &salts, &contents);
        let all = [
            (Label::Request, &salts.request, contents.request),
            (Label::Answer, &salts.answer, contents.answer),
            (Label::Detail, &salts.detail, contents.detail),
            (Label::Person, &salts.person, contents.person),
        ];
        for (label, _, _) in all {
            for (_, salt, _) in all {
                for (_, _, content) in all {
                    let fits = all.contains(&(label, salt, content));
                    assert_eq!(leaf.opens(label, salt, content), fits, "{label:?}");
                }
            }
        }
        assert_eq!(format!("{:?}", salts.request), "[redacted]");
    }

    #[test]
    fn a_commitment_is_the_hash_of_label_salt_and_content() {
        let content = Digest::of(b"content");
        let bytes = [&b"tsunagi request"[..], &[7; 32], content.as_bytes()].concat();
        assert_eq!(commit(Label::Request, &Salt::from_bytes([7; 32]), content), Digest::of(&bytes));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(leaf) = Leaf::parse(&bytes) {
                prop_assert_eq!(leaf.to_bytes(), bytes);
            }
        }
    }
}
