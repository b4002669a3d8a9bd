//! The receipt of an answer: what shows its asker that the request and the answer are in the ledger
//! of the member that was asked, and that this ledger still begins as it did.
//!
//! Says nothing of whether the checkpoint has witnesses, nor whether the leaf's time is plausible.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use minicbor::{Decode, Decoder, Encode};

use crate::digest::Digest;
use crate::ledger::checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
use crate::ledger::leaf::{Label, Leaf, LeafKind, Salt};
use crate::ledger::origin::Origin;
use crate::ledger::tree;
use crate::primitives::Primitives;

/// What an answer carries beside its body.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Evidence {
    /// Opens the leaf's commitment to the request.
    #[n(0)]
    pub request_salt: Salt,
    /// Opens the leaf's commitment to the answer's body.
    #[n(1)]
    pub answer_salt: Salt,
    /// The leaf.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub leaf: Vec<u8>,
    /// The leaf's number, from 0.
    #[n(3)]
    pub index: u64,
    /// From the leaf to the checkpoint's root; at most [`tree::PROOF_HASHES_MAX`].
    #[n(4)]
    #[cbor(decode_with = "decode_hashes")]
    pub inclusion: Vec<Digest>,
    /// The signed checkpoint.
    #[n(5)]
    #[cbor(with = "minicbor::bytes")]
    pub checkpoint: Vec<u8>,
    /// From the checkpoint the asker named, empty if it named none; at most
    /// [`tree::PROOF_HASHES_MAX`].
    #[n(6)]
    #[cbor(decode_with = "decode_hashes")]
    pub consistency: Vec<Digest>,
}

/// Why a receipt is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// The leaf is not a leaf, or not one of an exchange.
    #[error("not the leaf of an exchange")]
    Leaf,
    /// The leaf is about another request.
    #[error("the leaf of another request")]
    OtherRequest,
    /// The leaf is about another answer.
    #[error("the leaf of another answer")]
    OtherAnswer,
    /// The checkpoint is not one of this ledger.
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The leaf is not shown to be under the checkpoint's root.
    #[error("the leaf is not in the ledger")]
    NotIncluded,
    /// The checkpoint the asker named is of another ledger; the caller mixed them up.
    #[error("the named checkpoint is of another ledger")]
    OtherNamed,
    /// The ledger is smaller than the checkpoint the asker named. Signed, so evidence.
    #[error("the ledger has shrunk")]
    Shrunk,
    /// The ledger is not shown to begin with what the asker named. Signed; evidence if the sizes are
    /// equal, or if no proof can be had.
    #[error("the ledger is not shown to have only grown")]
    NotConsistent,
}

/// Checkpoints whose signature was good, so that many receipts under one checkpoint cost one
/// signature. Bounded: the oldest gives way. May be asked from several threads: it remembers what
/// anybody would find again, so who asked first changes nothing.
#[derive(Debug)]
pub struct VerifiedNotes {
    notes_max: usize,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    by_digest: BTreeMap<Digest, ([u8; 32], Checkpoint)>,
    order: VecDeque<Digest>,
}

impl Evidence {
    /// Checks the receipt of `answer` (the digest of the body) to `request` (the request digest)
    /// against the ledger `origin` of the member that was asked, whose current log keys are
    /// `log_publics`, and against the checkpoint `named` in the request. Returns the checkpoint to
    /// name next.
    ///
    /// # Errors
    /// [`EvidenceError`], which one says why. `NotIncluded`, `Shrunk` and `NotConsistent` are told of
    /// checkpoints only whose signature is good.
    #[expect(clippy::too_many_arguments, reason = "each is a fact of its own that the asker holds")]
    pub fn check(
        &self,
        primitives: &dyn Primitives,
        verified: &VerifiedNotes,
        origin: &Origin,
        log_publics: &[[u8; 32]],
        named: Option<&Checkpoint>,
        request: Digest,
        answer: Digest,
    ) -> Result<Checkpoint, EvidenceError> {
        let leaf = self.check_leaf(request, answer)?;
        let checkpoint = verified.verify(primitives, &self.checkpoint, origin, log_publics)?;
        if !tree::check_inclusion(leaf.hash(), self.index, checkpoint.size, checkpoint.root, &self.inclusion) {
            return Err(EvidenceError::NotIncluded);
        }
        self.check_growth(named, &checkpoint)?;
        Ok(checkpoint)
    }

    /// The receipt as C2SP tlog-proof, for auditors: the leaf as extra data, without the salts.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`] if the checkpoint is not one.
    pub fn tlog_proof(&self) -> Result<String, CheckpointError> {
        let checkpoint = SignedCheckpoint::parse(&self.checkpoint)?;
        Ok(tlog_proof(&self.leaf, self.index, &self.inclusion, checkpoint.as_str()))
    }

    fn check_leaf(&self, request: Digest, answer: Digest) -> Result<Leaf, EvidenceError> {
        let leaf = Leaf::parse(&self.leaf).map_err(|_error| EvidenceError::Leaf)?;
        if leaf.kind() != LeafKind::Exchange {
            return Err(EvidenceError::Leaf);
        }
        if !leaf.opens(Label::Request, &self.request_salt, request) {
            return Err(EvidenceError::OtherRequest);
        }
        if !leaf.opens(Label::Answer, &self.answer_salt, answer) {
            return Err(EvidenceError::OtherAnswer);
        }
        Ok(leaf)
    }

    fn check_growth(&self, named: Option<&Checkpoint>, now: &Checkpoint) -> Result<(), EvidenceError> {
        let grown = match named {
            None => self.consistency.is_empty(),
            Some(named) if named.origin != now.origin => return Err(EvidenceError::OtherNamed),
            Some(named) if named.size > now.size => return Err(EvidenceError::Shrunk),
            Some(named) => tree::check_consistency((named.size, named.root), (now.size, now.root), &self.consistency),
        };
        if grown { Ok(()) } else { Err(EvidenceError::NotConsistent) }
    }
}

impl VerifiedNotes {
    /// Remembers at most `notes_max` checkpoints; with 0 every signature is checked.
    pub fn new(notes_max: usize) -> Self {
        Self { notes_max, memory: Mutex::default() }
    }

    /// Checks that `note` is a checkpoint of `origin` signed by one of `log_publics`, without looking
    /// at the signature again if these very bytes were good under one of these keys before.
    ///
    /// # Errors
    /// Those of [`SignedCheckpoint::parse`] and [`SignedCheckpoint::verify`].
    pub fn verify(
        &self,
        primitives: &dyn Primitives,
        note: &[u8],
        origin: &Origin,
        log_publics: &[[u8; 32]],
    ) -> Result<Checkpoint, CheckpointError> {
        let digest = Digest::of(note);
        // Held while a signature is checked, so that those who come with the same note wait for it.
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((public, checkpoint)) = memory.by_digest.get(&digest)
            && checkpoint.origin == *origin
            && log_publics.contains(public)
        {
            return Ok(checkpoint.clone());
        }
        let signed = SignedCheckpoint::parse(note)?;
        for public in log_publics {
            match signed.verify(primitives, origin, public) {
                Err(CheckpointError::Unsigned) => {}
                Err(error) => return Err(error),
                Ok(checkpoint) => {
                    memory.remember(self.notes_max, digest, *public, checkpoint.clone());
                    return Ok(checkpoint);
                }
            }
        }
        Err(CheckpointError::Unsigned)
    }
}

impl Memory {
    fn remember(&mut self, notes_max: usize, digest: Digest, public: [u8; 32], checkpoint: Checkpoint) {
        if notes_max == 0 {
            return;
        }
        if self.by_digest.insert(digest, (public, checkpoint)).is_none() {
            self.order.push_back(digest);
        }
        while self.order.len() > notes_max {
            if let Some(oldest) = self.order.pop_front() {
                self.by_digest.remove(&oldest);
            }
        }
    }
}

/// A C2SP tlog-proof: `extra` (omitted if empty), the leaf's number, its inclusion proof and the
/// signed checkpoint as it came.
pub fn tlog_proof(extra: &[u8], index: u64, inclusion: &[Digest], checkpoint: &str) -> String {
    let mut text = String::from("c2sp.org/tlog-proof@v1\n");
    if !extra.is_empty() {
        text.push_str(&format!("extra {}\n", BASE64.encode(extra)));
    }
    text.push_str(&format!("index {index}\n"));
    for hash in inclusion {
        text.push_str(&format!("{}\n", BASE64.encode(hash.as_bytes())));
    }
    text.push('\n');
    text.push_str(checkpoint);
    text
}

/// A list of at most [`tree::PROOF_HASHES_MAX`] hashes, refused before any of it is read.
fn decode_hashes<C>(d: &mut Decoder<'_>, ctx: &mut C) -> Result<Vec<Digest>, minicbor::decode::Error> {
    let bound = u64::try_from(tree::PROOF_HASHES_MAX).unwrap_or(0);
    match d.array()? {
        Some(count) if count <= bound => (0..count).map(|_| d.decode_with(ctx)).collect(),
        _ => Err(minicbor::decode::Error::message("too many hashes")),
    }
}

#[cfg(test)]
mod tests {
    use chacha20::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;
    use crate::cbor::{self, Malformed};
    use crate::ledger::leaf::{Contents, Salts};
    use crate::primitives::{Real, Secret};
    use crate::time::Timestamp;

    struct Stored(Vec<Digest>);

    impl tree::Nodes for Stored {
        type Error = ();
        fn node(&self, index: u64) -> Result<Digest, ()> {
            self.0.get(usize::try_from(index).unwrap()).copied().ok_or(())
        }
    }

    fn origin() -> Origin {
        Origin::parse("00112233445566ff/insurer:131235/0").unwrap()
    }

    fn request(index: u64) -> Digest {
        Digest::of(format!("request {index}").as_bytes())
    }

    fn answer(index: u64) -> Digest {
        Digest::of(format!("answer {index}").as_bytes())
    }

    fn public(seed: u8) -> [u8; 32] {
        Real.signing_public(&Secret::from_bytes([seed; 32]))
    }

    /// A ledger of `size` exchanges signed by the log key `seed`; the evidence for `index` from `named`.
    fn evidence(seed: u8, size: u64, index: u64, named: u64) -> (Evidence, Option<Checkpoint>) {
        let mut dice = ChaCha20Rng::from_seed([7; 32]);
        let mut memory = Stored(Vec::new());
        let mut kept = Vec::new();
        for number in 0..size {
            let salts = Salts::random(&mut dice);
            let nothing = Digest::of(&[]);
            let contents =
                Contents { request: request(number), answer: answer(number), detail: nothing, person: nothing };
            let leaf = Leaf::new(LeafKind::Exchange, Timestamp::from_unix_ms(number), &salts, &contents);
            let appended = tree::nodes_of_leaf(number, leaf.hash(), &memory).unwrap();
            memory.0.extend(appended);
            kept.push((leaf, salts));
        }
        let checkpoint = |size| Checkpoint { origin: origin(), size, root: tree::root(size, &memory).unwrap() };
        let (leaf, salts) = kept[usize::try_from(index).unwrap()].clone();
        let evidence = Evidence {
            request_salt: salts.request,
            answer_salt: salts.answer,
            leaf: leaf.to_bytes(),
            index,
            inclusion: tree::inclusion(index, size, &memory).unwrap(),
            checkpoint: checkpoint(size).sign(&Real, &Secret::from_bytes([seed; 32])).as_bytes().to_vec(),
            consistency: tree::consistency(named, size, &memory).unwrap(),
        };
        (evidence, (named > 0).then(|| checkpoint(named)))
    }

    fn check(evidence: &Evidence, named: Option<&Checkpoint>, index: u64) -> Result<Checkpoint, EvidenceError> {
        let keys = [public(1), public(2)];
        let notes = &VerifiedNotes::new(0);
        evidence.check(&Real, notes, &origin(), &keys, named, request(index), answer(index))
    }

    #[test]
    fn every_receipt_of_a_ledger_is_good_from_every_checkpoint_before() {
        for (index, named) in [(0, 0), (0, 1), (5, 5), (5, 8), (12, 12), (12, 13)] {
            let (evidence, named) = evidence(1, 13, index, named);
            let evidence = cbor::decode::<Evidence>(&cbor::encode(&evidence)).unwrap();
            assert_eq!(check(&evidence, named.as_ref(), index).map(|checkpoint| checkpoint.size), Ok(13));
        }
    }

    #[test]
    fn either_current_log_key_will_do_and_no_other() {
        for (seed, expected) in [(1, Ok(13)), (2, Ok(13)), (3, Err(CheckpointError::Unsigned.into()))] {
            let (evidence, _) = evidence(seed, 13, 4, 0);
            assert_eq!(check(&evidence, None, 4).map(|checkpoint| checkpoint.size), expected);
        }
    }

    #[test]
    fn a_consistency_proof_from_nothing_is_refused() {
        let (evidence, named) = evidence(1, 13, 4, 3);
        assert!(check(&evidence, named.as_ref(), 4).is_ok());
        assert_eq!(check(&evidence, None, 4), Err(EvidenceError::NotConsistent));
        let elsewhere =
            Checkpoint { origin: Origin::parse("00112233445566ff/insurer:131235/1").unwrap(), ..named.unwrap() };
        assert_eq!(check(&evidence, Some(&elsewhere), 4), Err(EvidenceError::OtherNamed));
    }

    #[test]
    fn a_note_seen_before_is_not_checked_again_under_the_same_ledger_and_key() {
        let notes = VerifiedNotes::new(2);
        // Unsigned bytes that only the memory can vouch for.
        let planted = Checkpoint { origin: origin(), size: 1, root: Digest::of(b"root") };
        notes.memory.lock().unwrap().remember(2, Digest::of(b"planted"), public(1), planted.clone());
        let next_epoch = Origin::parse("00112233445566ff/insurer:131235/1").unwrap();
        let verify = |note: &[u8], origin: &Origin, keys: &[[u8; 32]]| notes.verify(&Real, note, origin, keys);
        assert_eq!(verify(b"planted", &origin(), &[public(2), public(1)]), Ok(planted));
        // Neither a retired key nor another ledger lives on in the memory.
        assert_eq!(verify(b"planted", &origin(), &[public(2)]), Err(CheckpointError::Malformed));
        assert_eq!(verify(b"planted", &next_epoch, &[public(1)]), Err(CheckpointError::Malformed));
        assert_eq!(verify(b"planted.", &origin(), &[public(1)]), Err(CheckpointError::Malformed));
    }

    #[test]
    fn only_good_notes_are_remembered_and_the_oldest_gives_way() {
        let notes = VerifiedNotes::new(2);
        let note = |size| evidence(1, size, 0, 0).0.checkpoint;
        let mut spoiled = note(4);
        let place = spoiled.len() - 10;
        spoiled[place] = if spoiled[place] == b'A' { b'B' } else { b'A' };
        let verdict = notes.verify(&Real, &spoiled, &origin(), &[public(1)]);
        assert_eq!(verdict, Err(CheckpointError::BrokenSignature));
        assert!(notes.memory.lock().unwrap().by_digest.is_empty());
        for size in [4, 5, 5, 6] {
            assert!(notes.verify(&Real, &note(size), &origin(), &[public(1)]).is_ok());
        }
        let memory = notes.memory.lock().unwrap();
        assert_eq!(memory.order, [5, 6].map(|size| Digest::of(&note(size))));
        assert!(memory.by_digest.keys().eq(memory.order.iter().collect::<std::collections::BTreeSet<_>>()));
    }

    #[test]
    fn a_list_of_sixty_five_hashes_is_refused() {
        let (mut evidence, _) = evidence(1, 13, 4, 0);
        evidence.inclusion = vec![Digest::of(&[]); 64];
        assert!(cbor::decode::<Evidence>(&cbor::encode(&evidence)).is_ok());
        evidence.inclusion.push(Digest::of(&[]));
        assert_eq!(cbor::decode::<Evidence>(&cbor::encode(&evidence)), Err(Malformed));
    }

    #[test]
    fn an_auditor_gets_leaf_proof_and_checkpoint_as_they_came() {
        let (mut evidence, _) = evidence(1, 2, 1, 0);
        let leaf = BASE64.encode(&evidence.leaf);
        let brother = BASE64.encode(evidence.inclusion[0].as_bytes());
        let checkpoint = String::from_utf8(evidence.checkpoint.clone()).unwrap();
        let expected = format!("c2sp.org/tlog-proof@v1\nextra {leaf}\nindex 1\n{brother}\n\n{checkpoint}");
        assert_eq!(evidence.tlog_proof(), Ok(expected));
        evidence.checkpoint.truncate(20);
        assert_eq!(evidence.tlog_proof(), Err(CheckpointError::Malformed));
    }

    #[test]
    fn the_published_proof_is_written_as_published() {
        let expected = "\
c2sp.org/tlog-proof@v1
extra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6kYXJ3aW4tYXJ
index 73894
gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=
EKNzoDWG8LGC0Yp9o+sv3qllpMP9uHQ9B20KNL+Q1zs=
RoopEkOdqkYqMB4MJXrbt/hMjOxsVn0IrWjpz1ZMMes=
AHCioX9nLjsrse6YhjRRmk1WUEirVOLLRoOQ6vfO5vk=

example.com/fancylog
109482
sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=

— example.com/fancylog hI2DJw[...]1roloI=
";
        let hashes: Vec<_> = expected.lines().skip(3).take(5).map(|line| BASE64.decode(line).unwrap()).collect();
        let hashes: Vec<_> = hashes.iter().map(|hash| Digest::from_bytes(hash[..].try_into().unwrap())).collect();
        let extra = BASE64.decode("YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6kYXJ3aW4tYXJ").unwrap();
        let (_, checkpoint) = expected.split_once("\n\n").unwrap();
        assert_eq!(tlog_proof(&extra, 73_894, &hashes, checkpoint), expected);
        let short = tlog_proof(&[], 0, &[], "checkpoint\n");
        assert_eq!(short, "c2sp.org/tlog-proof@v1\nindex 0\n\ncheckpoint\n");
    }
}
