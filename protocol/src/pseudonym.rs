//! The pseudonym (仮名) of a handle: what the oblivious functions of all evaluators make of it. It opens one entry of the
//! directory and says nothing to anybody else; whoever holds the handle and an evaluation by each can make it, and no
//! evaluator can alone.

use std::collections::BTreeMap;

use crate::id::handle::Handle;
use crate::id::party::PartyId;
use crate::message::Tag;
use crate::primitives::{self, OUTPUT_BYTES, Secret};

/// A pseudonym under one version of the evaluators' keys (RFC 9497, verifiable mode).
pub struct Pseudonym {
    /// The outputs, in the order of the evaluators' names.
    outputs: Vec<u8>,
    version: u32,
}

/// The input of the oblivious function: the handle's canonical text.
pub fn input(handle: &Handle) -> Vec<u8> {
    handle.expose().into_bytes()
}

impl Pseudonym {
    /// Takes the oblivious output of each evaluator under a key version.
    ///
    /// # Panics
    /// If there is none: then everybody could make it.
    pub fn new(outputs: &BTreeMap<PartyId, Box<[u8; OUTPUT_BYTES]>>, version: u32) -> Self {
        assert!(!outputs.is_empty(), "a pseudonym takes an evaluation");
        Self { outputs: outputs.values().flat_map(|output| output.iter().copied()).collect(), version }
    }

    /// Where its entry stands.
    pub fn tag(&self) -> Tag {
        let mut info = b"tsunagi tag".to_vec();
        info.extend(self.version.to_be_bytes());
        Tag(*primitives::derive(&self.outputs, &[], &info).expose())
    }

    /// Seals entry `number`, which the registrant uses once.
    pub fn seal(&self, number: u64, value: &[u8]) -> Vec<u8> {
        primitives::seal(&self.entry_key(number), &self.bound(number), value)
    }

    /// Opens entry `number`; `None` if it is not under this pseudonym.
    pub fn open(&self, number: u64, sealed: &[u8]) -> Option<Vec<u8>> {
        primitives::open(&self.entry_key(number), &self.bound(number), sealed).ok()
    }

    fn entry_key(&self, number: u64) -> Secret {
        let mut info = b"tsunagi entry".to_vec();
        info.extend(self.version.to_be_bytes());
        info.extend(number.to_be_bytes());
        primitives::derive(&self.outputs, &[], &info)
    }

    fn bound(&self, number: u64) -> Vec<u8> {
        let mut bound = self.tag().0.to_vec();
        bound.extend(self.version.to_be_bytes());
        bound.extend(number.to_be_bytes());
        bound
    }
}

impl core::fmt::Debug for Pseudonym {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::party::PartyKind;

    #[test]
    fn an_entry_opens_under_its_pseudonym_version_and_number_only() {
        let of = |outputs: &[u8], version| {
            let named = (1..).zip(outputs).map(|(number, byte)| {
                let party = PartyId::new(PartyKind::Pseudonymiser, &format!("{number}")).unwrap();
                (party, Box::new([*byte; 64]))
            });
            Pseudonym::new(&named.collect(), version)
        };
        let ours = of(&[1, 5], 1);
        let sealed = ours.seal(7, b"131235");
        assert_eq!(ours.open(7, &sealed).as_deref(), Some(&b"131235"[..]));
        assert_eq!(ours.open(8, &sealed), None);
        for other in [of(&[1, 5], 2), of(&[2, 5], 1), of(&[1, 6], 1), of(&[5, 1], 1), of(&[1], 1), of(&[1, 5, 5], 1)] {
            assert_eq!(other.open(7, &sealed), None);
            assert_ne!(other.tag(), ours.tag());
        }
    }
}
