//! A checkpoint: a ledger's name, size and root, signed by its log key. The text is C2SP
//! tlog-checkpoint in a C2SP signed-note, without extension lines.
//!
//! Bytes received are kept and carried as they came. Whether a root is true is not decided here; a
//! signature says only that the ledger's keeper claims it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::digest::Digest;
use crate::ledger::origin::Origin;
use crate::primitives::{Primitives, Secret, SigningKey};

/// The longest signed checkpoint, in bytes.
pub const NOTE_BYTES_MAX: usize = 4 << 10;
/// The most signatures on a checkpoint (signed-note asks for at least 16).
pub const SIGNATURES_MAX: usize = 16;

/// The signature type of plain Ed25519 in a key id (signed-note, "Signature types").
const ED25519: u8 = 1;
const DASH: &str = "— ";

/// Why a checkpoint is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not a signed note with three lines of a checkpoint within the bounds.
    #[error("not a signed checkpoint")]
    Malformed,
    /// The checkpoint of another ledger, or of another epoch of this one.
    #[error("the checkpoint of another ledger")]
    OtherOrigin,
    /// No signature names this ledger and this key.
    #[error("not signed by this log key")]
    Unsigned,
    /// A signature names this key and is not of it.
    #[error("the signature is broken")]
    BrokenSignature,
    /// More signatures than a checkpoint may carry.
    #[error("too many signatures")]
    Full,
}

/// What a ledger claims: its first `size` leaves have this root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which ledger.
    pub origin: Origin,
    /// How many leaves.
    pub size: u64,
    /// Their root.
    pub root: Digest,
}

/// A checkpoint with signatures, in the very bytes it came in.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    note: String,
    text_bytes: usize,
    signatures: Vec<SignatureLine>,
}

/// One line under a note: the key's name, its id, and what it signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct SignatureLine {
    name: String,
    key_id: [u8; 4],
    signature: Vec<u8>,
}

impl Checkpoint {
    /// The text that is signed: three lines, each ended by a newline.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root.as_bytes()))
    }

    /// Reads that text.
    pub fn parse(text: &str) -> Option<Self> {
        let (origin, size, root) = lines_of(text)?;
        Some(Self { origin: Origin::parse(origin)?, size, root })
    }

    /// Signs it with the ledger's log key, under the ledger's name. Whoever calls this has computed
    /// the root from what lies on the disk.
    pub fn sign(&self, primitives: &dyn Primitives, log_secret: &Secret) -> SignedCheckpoint {
        self.sign_with(primitives.signing_key(log_secret).as_ref())
    }

    /// As [`Checkpoint::sign`], with a log key that is at hand.
    pub fn sign_with(&self, log: &dyn SigningKey) -> SignedCheckpoint {
        let text = self.text();
        let signature = log.sign(text.as_bytes()).to_vec();
        let line = SignatureLine::new(&self.origin.to_string(), ED25519, &log.public(), signature);
        SignedCheckpoint { note: format!("{text}\n{line}\n"), text_bytes: text.len(), signatures: vec![line] }
    }
}

impl SignedCheckpoint {
    /// Reads a signed note whose text is a checkpoint of any ledger, checking no signature.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`], also above [`NOTE_BYTES_MAX`] or [`SIGNATURES_MAX`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let signed = Self::parse_note(bytes).ok_or(CheckpointError::Malformed)?;
        lines_of(signed.text()).ok_or(CheckpointError::Malformed)?;
        Ok(signed)
    }

    /// The note in the bytes it came in.
    pub const fn as_bytes(&self) -> &[u8] {
        self.note.as_bytes()
    }

    /// The note as text.
    pub fn as_str(&self) -> &str {
        &self.note
    }

    /// What was signed: the text with its last newline, without the blank line.
    pub fn text(&self) -> &str {
        self.note.get(..self.text_bytes).unwrap_or_default()
    }

    /// The signatures, none of them checked.
    pub fn signatures(&self) -> &[SignatureLine] {
        &self.signatures
    }

    /// What the checkpoint claims, before any signature is checked; to find out whose key to take.
    ///
    /// # Errors
    /// [`CheckpointError::OtherOrigin`] if it is no ledger of this kind of network.
    pub fn claim(&self) -> Result<Checkpoint, CheckpointError> {
        Checkpoint::parse(self.text()).ok_or(CheckpointError::OtherOrigin)
    }

    /// Checks that it is the checkpoint of `origin`, signed by the log key with this public half.
    ///
    /// # Errors
    /// [`CheckpointError`], which one says why.
    pub fn verify(
        &self,
        primitives: &dyn Primitives,
        origin: &Origin,
        log_public: &[u8; 32],
    ) -> Result<Checkpoint, CheckpointError> {
        let checkpoint = self.claim()?;
        if checkpoint.origin != *origin {
            return Err(CheckpointError::OtherOrigin);
        }
        self.check_signature(primitives, &origin.to_string(), log_public)?;
        Ok(checkpoint)
    }

    /// The same note with `lines` behind its signatures. A line it has already is not added again.
    ///
    /// # Errors
    /// [`CheckpointError::Full`] above [`NOTE_BYTES_MAX`] or [`SIGNATURES_MAX`].
    pub fn with_cosignatures(&self, lines: &[SignatureLine]) -> Result<Self, CheckpointError> {
        let mut signed = self.clone();
        for line in lines {
            if !signed.signatures.contains(line) {
                signed.note.push_str(&format!("{line}\n"));
                signed.signatures.push(line.clone());
            }
        }
        let fits = signed.note.len() <= NOTE_BYTES_MAX && signed.signatures.len() <= SIGNATURES_MAX;
        if fits { Ok(signed) } else { Err(CheckpointError::Full) }
    }

    fn parse_note(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > NOTE_BYTES_MAX {
            return None;
        }
        let note = core::str::from_utf8(bytes).ok()?;
        if note.bytes().any(|b| b < b' ' && b != b'\n') {
            return None;
        }
        let (before, lines) = note.rsplit_once("\n\n")?;
        let lines = lines.strip_suffix('\n')?;
        // One line more than allowed is enough to know.
        let signatures =
            lines.split('\n').take(SIGNATURES_MAX + 1).map(SignatureLine::parse).collect::<Option<Vec<_>>>()?;
        let text_bytes = before.len().checked_add(1)?;
        (signatures.len() <= SIGNATURES_MAX).then(|| Self { note: note.to_owned(), text_bytes, signatures })
    }

    fn check_signature(
        &self,
        primitives: &dyn Primitives,
        name: &str,
        public: &[u8; 32],
    ) -> Result<(), CheckpointError> {
        let mut found = false;
        for line in self.signatures.iter().filter(|line| line.is_by(name, ED25519, public)) {
            if !primitives.verify(public, self.text().as_bytes(), &line.signature) {
                return Err(CheckpointError::BrokenSignature);
            }
            found = true;
        }
        if found { Ok(()) } else { Err(CheckpointError::Unsigned) }
    }
}

impl SignatureLine {
    /// A line of `name`'s key for the signature type `algorithm`. The name comes from a type whose
    /// values may stand in a note.
    pub(super) fn new(name: &str, algorithm: u8, public: &[u8; 32], signature: Vec<u8>) -> Self {
        Self { name: name.to_owned(), key_id: key_id(name, algorithm, public), signature }
    }

    /// Reads `— <name> <base64>`, without its newline.
    pub fn parse(line: &str) -> Option<Self> {
        if line.len() > NOTE_BYTES_MAX {
            return None;
        }
        let (name, encoded) = line.strip_prefix(DASH)?.split_once(' ')?;
        let bytes = BASE64.decode(encoded).ok()?;
        let (key_id, signature) = bytes.split_first_chunk()?;
        let fits = is_name(name) && !signature.is_empty();
        fits.then(|| Self { name: name.to_owned(), key_id: *key_id, signature: signature.to_vec() })
    }

    /// The name of the key.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What follows the key id.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Whether name and key id are those of this key. Only the signature can prove it.
    pub(super) fn is_by(&self, name: &str, algorithm: u8, public: &[u8; 32]) -> bool {
        self.name == name && self.key_id == key_id(name, algorithm, public)
    }
}

impl core::fmt::Display for SignatureLine {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let bytes = [&self.key_id[..], &self.signature].concat();
        write!(f, "{DASH}{} {}", self.name, BASE64.encode(bytes))
    }
}

impl core::fmt::Debug for SignatureLine {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

impl core::fmt::Debug for SignedCheckpoint {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.note)
    }
}

/// SHA-256(name ‖ newline ‖ signature type ‖ public key), its first four bytes (signed-note).
fn key_id(name: &str, algorithm: u8, public: &[u8; 32]) -> [u8; 4] {
    let digest = Digest::of_parts(&[name.as_bytes(), &[b'\n', algorithm], public]);
    let [a, b, c, d, ..] = *digest.as_bytes();
    [a, b, c, d]
}

/// Whether a key may be called so (signed-note, "Format").
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

/// Origin, size and root, if the text is exactly these three lines in their one spelling.
fn lines_of(text: &str) -> Option<(&str, u64, Digest)> {
    let mut lines = text.strip_suffix('\n')?.split('\n');
    let (origin, digits, encoded) = (lines.next()?, lines.next()?, lines.next()?);
    let size: u64 = digits.parse().ok()?;
    let root = <[u8; 32]>::try_from(BASE64.decode(encoded).ok()?).ok()?;
    let one_spelling = size.to_string() == digits && !origin.is_empty() && lines.next().is_none();
    one_spelling.then(|| (origin, size, Digest::from_bytes(root)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::primitives::Real;

    const PUBLISHED: &str = "\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa \
            Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 \
            jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
";

    fn checkpoint() -> Checkpoint {
        let origin = Origin::parse("00112233445566ff/insurer:131235/0").unwrap();
        Checkpoint { origin, size: 17, root: Digest::of(b"root") }
    }

    fn key() -> (Secret, [u8; 32]) {
        let secret = Secret::from_bytes([1; 32]);
        let public = Real.signing_public(&secret);
        (secret, public)
    }

    #[test]
    fn the_published_note_verifies_under_its_published_key() {
        let note = "This is an example message.\n\n— example.com/foo \
            Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
        let vkey = BASE64.decode("AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k").unwrap();
        let public: [u8; 32] = vkey[1..].try_into().unwrap();
        let signed = SignedCheckpoint::parse_note(note.as_bytes()).unwrap();
        assert_eq!(hex::encode(key_id("example.com/foo", ED25519, &public)), "530d903a");
        assert_eq!(signed.check_signature(&Real, "example.com/foo", &public), Ok(()));
        let changed = SignedCheckpoint::parse_note(note.replace("message", "massage").as_bytes()).unwrap();
        let broken = Err(CheckpointError::BrokenSignature);
        assert_eq!(changed.check_signature(&Real, "example.com/foo", &public), broken);
        assert_eq!(SignedCheckpoint::parse(note.as_bytes()), Err(CheckpointError::Malformed));
    }

    #[test]
    fn the_published_checkpoint_is_read_and_written_again() {
        let signed = SignedCheckpoint::parse(PUBLISHED.as_bytes()).unwrap();
        let (origin, size, root) = lines_of(signed.text()).unwrap();
        assert_eq!((origin, size), ("example.com/behind-the-sofa", 20_852_163));
        assert_eq!(BASE64.encode(root.as_bytes()), "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=");
        let names: Vec<_> = signed.signatures().iter().map(SignatureLine::name).collect();
        assert_eq!(names, ["example.com/behind-the-sofa", "witness.example.com/w1"]);
        let written: String = signed.signatures().iter().map(|line| format!("{line}\n")).collect();
        assert_eq!(format!("{}\n{written}", signed.text()), PUBLISHED);
        assert_eq!(signed.claim(), Err(CheckpointError::OtherOrigin));
    }

    #[test]
    fn a_signed_checkpoint_verifies_under_its_own_name_and_key_only() {
        let (secret, public) = key();
        let checkpoint = checkpoint();
        let signed = checkpoint.sign(&Real, &secret);
        let received = SignedCheckpoint::parse(signed.as_bytes()).unwrap();
        assert_eq!(received, signed);
        assert_eq!(received.verify(&Real, &checkpoint.origin, &public), Ok(checkpoint.clone()));
        let other = Origin::parse("00112233445566ff/insurer:131235/1").unwrap();
        assert_eq!(received.verify(&Real, &other, &public), Err(CheckpointError::OtherOrigin));
        assert_eq!(received.verify(&Real, &checkpoint.origin, &[9; 32]), Err(CheckpointError::Unsigned));
        let grown = signed.as_str().replace("\n17\n", "\n18\n");
        let grown = SignedCheckpoint::parse(grown.as_bytes()).unwrap();
        assert_eq!(grown.verify(&Real, &checkpoint.origin, &public), Err(CheckpointError::BrokenSignature));
    }

    #[test]
    fn what_is_not_one_spelling_of_a_checkpoint_is_refused() {
        let good = checkpoint().sign(&Real, &key().0);
        let note = good.as_str();
        let spoiled = [
            note.replace("\n17\n", "\n017\n"),
            note.replace("\n17\n", "\n+17\n"),
            note.replace("\n17\n", "\n18446744073709551616\n"),
            note.replace("\n17\n", "\n17\r\n"),
            note.replace("\n17\n", "\n17\n\n"),
            note.replace("=\n\n", "=\nextension\n\n"),
            note.replace("=\n\n", "\n\n"),
            note.replace("\n\n", "\n"),
            note.replace("— ", "- "),
            note.replace("— ", "—  "),
            note.trim_end().to_owned(),
            format!("{note}\n"),
            format!("{note}— name\n"),
            format!("{note}— na+me AAAAAAA=\n"),
            format!("{note}— name AAAAAA==\n"),
            good.text().to_owned(),
            format!("{}\n", good.text()),
            String::new(),
        ];
        for text in spoiled {
            assert_eq!(SignedCheckpoint::parse(text.as_bytes()), Err(CheckpointError::Malformed), "{text}");
        }
    }

    #[test]
    fn a_note_carries_sixteen_signatures_and_no_more() {
        let signed = checkpoint().sign(&Real, &key().0);
        let lines: Vec<_> = (0..16).map(|n| SignatureLine::new(&format!("w{n}"), 4, &[n; 32], vec![n; 72])).collect();
        let full = signed.with_cosignatures(&lines[..15]).unwrap();
        assert_eq!(SignedCheckpoint::parse(full.as_bytes()), Ok(full.clone()));
        assert_eq!(full.with_cosignatures(&lines[3..5]), Ok(full.clone()));
        assert_eq!(full.with_cosignatures(&lines[15..]), Err(CheckpointError::Full));
        let more = format!("{}{}\n", full.as_str(), lines[15]);
        assert_eq!(SignedCheckpoint::parse(more.as_bytes()), Err(CheckpointError::Malformed));
        let long = SignatureLine::new(&"w".repeat(4000), 4, &[0; 32], vec![0; 72]);
        assert_eq!(signed.with_cosignatures(&[long]), Err(CheckpointError::Full));
    }

    proptest! {
        #[test]
        fn a_spoiled_note_neither_panics_nor_verifies(place in 0_usize..300, byte: u8) {
            let (secret, public) = key();
            let signed = checkpoint().sign(&Real, &secret);
            let mut bytes = signed.as_bytes().to_vec();
            let place = place % bytes.len();
            prop_assume!(bytes[place] != byte);
            bytes[place] = byte;
            if let Ok(read) = SignedCheckpoint::parse(&bytes) {
                prop_assert_eq!(read.as_bytes(), &bytes[..]);
                prop_assert!(read.verify(&Real, &checkpoint().origin, &public).is_err());
            }
        }

        #[test]
        fn arbitrary_text_never_panics(text in "[— \n+a-c=0-9]{0,80}") {
            if let Ok(read) = SignedCheckpoint::parse(text.as_bytes()) {
                prop_assert_eq!(read.as_str(), text);
            }
        }
    }
}
