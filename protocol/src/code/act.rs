//! The act (行為): what was done with somebody's records, where they were not read.

use minicbor::{Decode, Encode};

/// What somebody does with records of a person other than read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Act {
    /// Writes a version (登録・訂正).
    #[n(0)]
    Write,
    /// Erases what is kept (消去).
    #[n(1)]
    Erase,
}

impl Act {
    /// Its word in the policy and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Erase => "erase",
        }
    }
}
