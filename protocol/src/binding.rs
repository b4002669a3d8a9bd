//! The binding (所在): which insurer is home to a handle from which day, as it lies sealed in the directory.

use minicbor::{Decode, Encode};

use crate::cbor;
use crate::date::Date;
use crate::id::insurer::InsurerNumber;
use crate::message::{Entry, Registration};
use crate::pseudonym::Pseudonym;

/// What a directory entry says to whoever can open it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Binding {
    /// The home.
    #[n(0)]
    pub insurer: InsurerNumber,
    /// From which day.
    #[n(1)]
    pub from: Date,
}

impl Binding {
    /// Makes the registration of this binding under `pseudonym`.
    pub fn register(&self, pseudonym: &Pseudonym, number: u64) -> Registration {
        let sealed = pseudonym.seal(number, &cbor::encode(self));
        Registration { tag: pseudonym.tag(), number, sealed: Some(sealed.into()) }
    }

    /// The bindings among `entries` that open under `pseudonym`, newest day first.
    pub fn open_all(pseudonym: &Pseudonym, entries: &[Entry]) -> Vec<Self> {
        let mut found: Vec<Self> = entries
            .iter()
            .filter_map(|entry| cbor::decode(&pseudonym.open(entry.number, &entry.sealed)?).ok())
            .collect();
        found.sort_by(|a: &Self, b| b.from.cmp(&a.from).then_with(|| a.insurer.cmp(&b.insurer)));
        found
    }
}
