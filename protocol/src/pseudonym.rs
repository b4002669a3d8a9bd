//! The pseudonym (仮名) of a handle: what the oblivious function makes of it. It opens one entry of the
//! directory and says nothing to anybody else; whoever holds the handle and one evaluation can make it.

use crate::id::handle::Handle;
use crate::message::Tag;
use crate::primitives::{self, OUTPUT_BYTES, Secret};

/// A pseudonym under one version of the evaluator's key (RFC 9497, verifiable mode).
pub struct Pseudonym {
    output: [u8; OUTPUT_BYTES],
    version: u32,
}

/// The input of the oblivious function: the handle's canonical text.
pub fn input(handle: &Handle) -> Vec<u8> {
    handle.expose().into_bytes()
}

impl Pseudonym {
    /// Takes the oblivious output under a key version.
    pub const fn new(output: [u8; OUTPUT_BYTES], version: u32) -> Self {
        Self { output, version }
    }

    /// Where its entry stands.
    pub fn tag(&self) -> Tag {
        let mut info = b"tsunagi tag".to_vec();
        info.extend(self.version.to_be_bytes());
        Tag(*primitives::derive(&self.output, &[], &info).expose())
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
        primitives::derive(&self.output, &[], &info)
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

    #[test]
    fn an_entry_opens_under_its_pseudonym_version_and_number_only() {
        let ours = Pseudonym::new([1; 64], 1);
        let sealed = ours.seal(7, b"131235");
        assert_eq!(ours.open(7, &sealed).as_deref(), Some(&b"131235"[..]));
        assert_eq!(ours.open(8, &sealed), None);
        assert_eq!(Pseudonym::new([1; 64], 2).open(7, &sealed), None);
        assert_eq!(Pseudonym::new([2; 64], 1).open(7, &sealed), None);
    }
}
