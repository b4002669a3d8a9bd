//! A cosignature (副署): a witness's statement that, at a certain time, this was the largest
//! checkpoint it had seen of the ledger and consistent with all before. C2SP tlog-cosignature, the
//! type for Ed25519.
//!
//! Whether a witness ought to cosign is decided elsewhere.

use crate::ledger::checkpoint::{SignatureLine, SignedCheckpoint};
use crate::primitives::{Primitives, SIGNATURE_BYTES, Secret};
use crate::time::Timestamp;

/// The longest name of a witness, in bytes.
pub const WITNESS_NAME_BYTES_MAX: usize = 120;

/// The signature type of an Ed25519 cosignature in a key id.
const COSIGNATURE: u8 = 4;
/// The latest time a cosignature may carry, in seconds.
const TIME_S_MAX: u64 = u64::MAX >> 1;

/// Why a witness's cosignature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CosignatureError {
    /// There is none of this witness.
    #[error("not cosigned by this witness")]
    Missing,
    /// There is one, and it is not of this witness's key.
    #[error("the cosignature is broken")]
    Broken,
}

/// The name of a witness's key: printable ASCII without spaces or `+`, for example `witness:east-1`
/// or `witness.example.com/w1`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WitnessName(String);

/// A witness somebody relies on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// The name its cosignatures bear.
    pub name: WitnessName,
    /// The public half of its key, which signs nothing else.
    pub public: [u8; 32],
}

impl WitnessName {
    /// Takes a name of the permitted letters.
    pub fn parse(text: &str) -> Option<Self> {
        let letters = text.bytes().all(|b| b.is_ascii_graphic() && b != b'+');
        (letters && (1..=WITNESS_NAME_BYTES_MAX).contains(&text.len())).then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl core::fmt::Display for WitnessName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::fmt::Debug for WitnessName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Cosigns a checkpoint whose signature and consistency the witness has checked and whose size it has
/// durably remembered. Times are rounded down to seconds.
pub fn cosign(
    primitives: &dyn Primitives,
    name: &WitnessName,
    secret: &Secret,
    checkpoint: &SignedCheckpoint,
    time: Timestamp,
) -> SignatureLine {
    let time_s = time.unix_ms() / 1000;
    let signature = primitives.sign(secret, message(time_s, checkpoint).as_bytes());
    let stamped = [&time_s.to_be_bytes()[..], &signature].concat();
    SignatureLine::new(name.as_str(), COSIGNATURE, &primitives.signing_public(secret), stamped)
}

/// When `witness` cosigned this checkpoint; the latest time if it did so repeatedly.
///
/// # Errors
/// [`CosignatureError::Missing`], or [`CosignatureError::Broken`] if any line that bears its name and
/// key id is not of its key.
pub fn verify(
    primitives: &dyn Primitives,
    checkpoint: &SignedCheckpoint,
    witness: &Witness,
) -> Result<Timestamp, CosignatureError> {
    let mut latest = None;
    let own = |line: &&SignatureLine| line.is_by(witness.name.as_str(), COSIGNATURE, &witness.public);
    for line in checkpoint.signatures().iter().filter(own) {
        let (time, signature) = line.signature().split_first_chunk().ok_or(CosignatureError::Broken)?;
        let time_s = u64::from_be_bytes(*time);
        let good = time_s <= TIME_S_MAX
            && signature.len() == SIGNATURE_BYTES
            && primitives.verify(&witness.public, message(time_s, checkpoint).as_bytes(), signature);
        if !good {
            return Err(CosignatureError::Broken);
        }
        latest = latest.max(Some(time_s));
    }
    let time_s = latest.ok_or(CosignatureError::Missing)?;
    Ok(Timestamp::from_unix_ms(time_s.saturating_mul(1000)))
}

/// How many of the listed witnesses cosigned. A name or a key listed twice counts once: the message
/// does not name the witness, so one key under two names would be one witness twice.
pub fn count(primitives: &dyn Primitives, checkpoint: &SignedCheckpoint, witnesses: &[Witness]) -> usize {
    let first = |place: usize, witness: &Witness| {
        !witnesses.iter().take(place).any(|before| before.name == witness.name || before.public == witness.public)
    };
    let good = |(place, witness): &(usize, &Witness)| {
        first(*place, witness) && verify(primitives, checkpoint, witness).is_ok()
    };
    witnesses.iter().enumerate().filter(good).count()
}

/// What a witness signs: two lines of its own before the text of the checkpoint.
fn message(time_s: u64, checkpoint: &SignedCheckpoint) -> String {
    format!("cosignature/v1\ntime {time_s}\n{}", checkpoint.text())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::ledger::checkpoint::Checkpoint;
    use crate::ledger::origin::Origin;
    use crate::primitives::Real;

    const TIME: Timestamp = Timestamp::from_unix_ms(1_679_315_147_000);

    fn signed(size: u64) -> SignedCheckpoint {
        let origin = Origin::parse("00112233445566ff/insurer:131235/0").unwrap();
        Checkpoint { origin, size, root: Digest::of(b"root") }.sign(&Real, &Secret::from_bytes([1; 32]))
    }

    fn witness(seed: u8) -> (Secret, Witness) {
        let secret = Secret::from_bytes([seed; 32]);
        let name = WitnessName::parse(&format!("witness:w{seed}")).unwrap();
        let public = Real.signing_public(&secret);
        (secret, Witness { name, public })
    }

    fn line(seed: u8, checkpoint: &SignedCheckpoint) -> SignatureLine {
        let (secret, witness) = witness(seed);
        cosign(&Real, &witness.name, &secret, checkpoint, TIME)
    }

    #[test]
    fn the_message_is_the_one_of_the_published_example() {
        let note = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
            — witness.example.com/w1 \
            jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
        let published = SignedCheckpoint::parse(note.as_bytes()).unwrap();
        let (time, rest) = published.signatures()[0].signature().split_first_chunk().unwrap();
        assert_eq!((u64::from_be_bytes(*time), rest.len()), (1_679_315_147, 64));
        let expected = "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n\
            CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        assert_eq!(message(1_679_315_147, &published), expected);
    }

    #[test]
    fn a_cosignature_verifies_on_its_own_checkpoint_only() {
        let (_, known) = witness(2);
        let cosigned = signed(17).with_cosignatures(&[line(2, &signed(17))]).unwrap();
        let received = SignedCheckpoint::parse(cosigned.as_bytes()).unwrap();
        assert_eq!(verify(&Real, &received, &known), Ok(TIME));
        assert_eq!(verify(&Real, &signed(17), &known), Err(CosignatureError::Missing));
        assert_eq!(verify(&Real, &received, &witness(3).1), Err(CosignatureError::Missing));
        let moved = signed(18).with_cosignatures(&[line(2, &signed(17))]).unwrap();
        assert_eq!(verify(&Real, &moved, &known), Err(CosignatureError::Broken));
    }

    #[test]
    fn a_changed_time_breaks_a_cosignature() {
        let (_, known) = witness(2);
        let mut stamped = line(2, &signed(17)).signature().to_vec();
        stamped[7] ^= 1;
        let changed = SignatureLine::new(known.name.as_str(), COSIGNATURE, &known.public, stamped);
        let cosigned = signed(17).with_cosignatures(&[changed]).unwrap();
        assert_eq!(verify(&Real, &cosigned, &known), Err(CosignatureError::Broken));
    }

    #[test]
    fn only_distinct_listed_witnesses_count() {
        let lines = [line(2, &signed(17)), line(3, &signed(17)), line(4, &signed(17)), line(5, &signed(18))];
        let cosigned = signed(17).with_cosignatures(&lines).unwrap();
        let [two, three, five, six] = [2, 3, 5, 6].map(|seed| witness(seed).1);
        assert_eq!(count(&Real, &cosigned, &[two.clone(), three, five, six]), 2);
        assert_eq!(count(&Real, &cosigned, &[two.clone(), two.clone()]), 1);
        let renamed = Witness { name: WitnessName::parse("witness:other").unwrap(), public: two.public };
        let (secret, _) = witness(2);
        let again = cosign(&Real, &renamed.name, &secret, &signed(17), TIME);
        let twice = cosigned.with_cosignatures(&[again]).unwrap();
        assert_eq!(count(&Real, &twice, &[two, renamed]), 1);
        assert_eq!(count(&Real, &cosigned, &[]), 0);
    }

    #[test]
    fn a_name_has_no_spaces_and_no_plus() {
        for bad in ["", "a b", "a+b", "a\n", "立会", &"w".repeat(121)] {
            assert_eq!(WitnessName::parse(bad), None, "{bad}");
        }
    }
}
