//! One version of a record as it is stored: when it holds, when it was recorded, by whom, and what
//! it replaces. Versions are only ever added.

use minicbor::{Decode, Encode};

use crate::code::field_group::FieldGroups;
use crate::code::record_kind::RecordKind;
use crate::date::Date;
use crate::id::party::PartyId;
use crate::record::fault::FieldFault;
use crate::record::paper::Authorship;
use crate::record::{Record, canonical, forms};
use crate::time::Timestamp;

/// The name of a record through all its versions: 16 bytes that say nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct RecordId(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    [u8; 16],
);

/// What a version is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Status {
    /// Being written (作成中): never in force, replaces nothing.
    #[n(0)]
    Draft,
    /// In force (確定).
    #[n(1)]
    Final,
    /// In force, in place of an earlier version (訂正).
    #[n(2)]
    Amended,
    /// Not in force, nor is what it replaces (取消).
    #[n(3)]
    Cancelled,
}

/// A version of a record.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Version {
    /// The record it is a version of.
    #[n(0)]
    pub id: RecordId,
    /// What kind of record.
    #[n(1)]
    pub kind: RecordKind,
    /// Counts the versions of the record, from 1.
    #[n(2)]
    pub number: u32,
    /// The first day it holds.
    #[n(3)]
    pub valid_from: Date,
    /// The last day it holds; none if open.
    #[n(4)]
    pub valid_to: Option<Date>,
    /// When it was recorded.
    #[n(5)]
    pub recorded_at: Timestamp,
    /// Who wrote it.
    #[n(6)]
    pub author: PartyId,
    /// What it is worth.
    #[n(7)]
    pub status: Status,
    /// Another record that it replaces in all its versions. The earlier versions of its own record it
    /// replaces without saying so.
    #[n(8)]
    pub supersedes: Option<RecordId>,
    /// The encoding of the record, shown in full.
    #[n(9)]
    #[cbor(with = "minicbor::bytes")]
    pub content: Vec<u8>,
    /// What shows that its author wrote it; none of what an insurer took over from its own systems.
    #[n(10)]
    pub authorship: Option<Authorship>,
}

/// What of a version decides when it is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Head {
    /// The record.
    #[n(0)]
    pub id: RecordId,
    /// Which of its versions.
    #[n(1)]
    pub number: u32,
    /// The first day it holds.
    #[n(2)]
    pub valid_from: Date,
    /// The last day it holds; none if open.
    #[n(3)]
    pub valid_to: Option<Date>,
    /// When it was recorded.
    #[n(4)]
    pub recorded_at: Timestamp,
    /// What it is worth.
    #[n(5)]
    pub status: Status,
    /// Another record that it replaces.
    #[n(6)]
    pub supersedes: Option<RecordId>,
}

impl RecordId {
    /// Takes 16 random bytes for the name of a new record, or those of a stored one.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Reads 32 hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        for (slot, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *slot = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl Version {
    /// What of it decides when it is in force.
    pub const fn head(&self) -> Head {
        Head {
            id: self.id,
            number: self.number,
            valid_from: self.valid_from,
            valid_to: self.valid_to,
            recorded_at: self.recorded_at,
            status: self.status,
            supersedes: self.supersedes,
        }
    }

    /// The encoding of the record inside, masked to the groups `shown`.
    ///
    /// # Errors
    /// A [`FieldFault`] if what is stored is no record.
    pub fn masked(&self, shown: FieldGroups) -> Result<Vec<u8>, FieldFault> {
        canonical::mask(forms::form(self.kind), &self.content, shown)
    }

    /// The record inside.
    ///
    /// # Errors
    /// The [`FieldFault`] of [`Record::decode`].
    pub fn record(&self) -> Result<Record, FieldFault> {
        Record::decode_masked(self.kind, FieldGroups::ALL, &self.content)
    }
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Draft, Self::Final, Self::Amended, Self::Cancelled];

    /// Reads its word in JSON.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether the next version of a record may be this, after one that was `before`: what was in force is amended or
    /// cancelled, and what was cancelled is over.
    pub const fn may_follow(self, before: Option<Self>) -> bool {
        match before {
            None => !matches!(self, Self::Cancelled),
            Some(Self::Draft) => true,
            Some(Self::Final | Self::Amended) => matches!(self, Self::Amended | Self::Cancelled),
            Some(Self::Cancelled) => false,
        }
    }

    /// Its word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Final => "final",
            Self::Amended => "amended",
            Self::Cancelled => "cancelled",
        }
    }
}

impl core::fmt::Display for RecordId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl core::fmt::Debug for RecordId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

impl core::fmt::Debug for Version {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Version")
            .field("kind", &self.kind)
            .field("head", &self.head())
            .field("author", &self.author)
            .field("content", &"[redacted]")
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;

    fn version() -> Version {
        Version {
            id: RecordId::from_bytes([7; 16]),
            kind: RecordKind::BurdenRatioCard,
            number: 2,
            valid_from: Date::parse("2026-08-01").unwrap(),
            valid_to: None,
            recorded_at: Timestamp::from_unix_ms(1_785_000_000_000),
            author: PartyId::parse("insurer:131235").unwrap(),
            status: Status::Amended,
            supersedes: Some(RecordId::from_bytes([6; 16])),
            content: b"canary".to_vec(),
            authorship: None,
        }
    }

    #[test]
    fn a_version_comes_back_from_its_bytes() {
        let version = version();
        assert_eq!(cbor::decode::<Version>(&cbor::encode(&version)), Ok(version));
    }

    #[test]
    fn a_version_prints_nothing_of_its_content() {
        let printed = format!("{:?}", version());
        assert!(printed.contains("[redacted]") && !printed.contains("canary") && !printed.contains("99, 97"));
    }
}
