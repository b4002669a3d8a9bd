//! Groups of the fields of a record: what a mask shows or hides together.

use minicbor::{Decode, Decoder, Encode, Encoder};

/// What a field of a record is to a mask. Every field belongs to one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum FieldGroup {
    /// Always shown when the record is (券面).
    #[n(0)]
    Card,
    /// What the record is about (内容); hidden where consent is missing.
    #[n(1)]
    Content,
    /// Address and telephone (住所・電話番号).
    #[n(2)]
    Contact,
    /// Offices, facilities and whereabouts (事業所・施設・所在地).
    #[n(3)]
    Place,
    /// Free text, which may name places (自由記載).
    #[n(4)]
    Narrative,
}

/// A set of groups. In CBOR one byte: bit *n* for the group with code *n*.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldGroups(u8);

impl FieldGroup {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 5] = [Self::Card, Self::Content, Self::Contact, Self::Place, Self::Narrative];

    /// Its word on the wire and in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Content => "content",
            Self::Contact => "contact",
            Self::Place => "place",
            Self::Narrative => "narrative",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }

    /// Its Japanese name.
    pub const fn japanese(self) -> &'static str {
        match self {
            Self::Card => "券面",
            Self::Content => "内容",
            Self::Contact => "連絡先",
            Self::Place => "所在",
            Self::Narrative => "自由記載",
        }
    }
}

impl FieldGroup {
    const fn bit(self) -> u8 {
        match self {
            Self::Card => 1,
            Self::Content => 1 << 1,
            Self::Contact => 1 << 2,
            Self::Place => 1 << 3,
            Self::Narrative => 1 << 4,
        }
    }
}

impl FieldGroups {
    /// No group.
    pub const EMPTY: Self = Self(0);
    /// Every group.
    pub const ALL: Self = Self(0b1_1111);

    /// Adds a group.
    pub const fn insert(&mut self, group: FieldGroup) {
        self.0 |= group.bit();
    }

    /// Takes a group out.
    pub const fn remove(&mut self, group: FieldGroup) {
        self.0 &= !group.bit();
    }

    /// The set with `group` added.
    pub const fn with(self, group: FieldGroup) -> Self {
        Self(self.0 | group.bit())
    }

    /// The set without `group`.
    pub const fn without(self, group: FieldGroup) -> Self {
        Self(self.0 & !group.bit())
    }

    /// What is in both sets.
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in either set.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The groups that are not in this set.
    #[must_use]
    pub const fn complement(self) -> Self {
        Self(Self::ALL.0 & !self.0)
    }

    /// Whether `group` is in the set.
    pub const fn contains(self, group: FieldGroup) -> bool {
        self.0 & group.bit() != 0
    }

    /// Whether no group is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The groups in the set, in the order of their codes.
    pub fn iter(self) -> impl Iterator<Item = FieldGroup> {
        FieldGroup::ALL.into_iter().filter(move |group| self.contains(*group))
    }
}

impl FromIterator<FieldGroup> for FieldGroups {
    fn from_iter<I: IntoIterator<Item = FieldGroup>>(groups: I) -> Self {
        groups.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl core::fmt::Debug for FieldGroups {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl<C> Encode<C> for FieldGroups {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.u8(self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for FieldGroups {
    fn decode(d: &mut Decoder<'b>, _ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        let bits = d.u8()?;
        if bits & !Self::ALL.0 == 0 {
            Ok(Self(bits))
        } else {
            Err(minicbor::decode::Error::message("not a set of field groups"))
        }
    }
}

impl core::fmt::Display for FieldGroup {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_value_comes_back_from_its_word_and_its_code() {
        for (code, value) in (0_u8..).zip(FieldGroup::ALL) {
            assert_eq!(FieldGroup::parse(value.as_str()), Some(value));
            assert_eq!(cbor::encode(&value), cbor::encode(&code));
            assert_eq!(cbor::decode::<FieldGroup>(&cbor::encode(&value)), Ok(value));
            assert!(!value.japanese().is_ascii(), "{value} has no Japanese name");
        }
        assert_eq!(
            FieldGroup::ALL.map(FieldGroup::japanese).into_iter().collect::<BTreeSet<_>>().len(),
            FieldGroup::ALL.len()
        );
        assert_eq!(cbor::decode::<FieldGroup>(&cbor::encode(&5_u8)), Err(cbor::Malformed));
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let mut groups = FieldGroups::EMPTY;
        assert!(groups.is_empty());
        groups.insert(FieldGroup::Place);
        groups.insert(FieldGroup::Card);
        assert_eq!(groups.iter().collect::<Vec<_>>(), [FieldGroup::Card, FieldGroup::Place]);
        groups.remove(FieldGroup::Card);
        assert_eq!(groups, FieldGroups::EMPTY.with(FieldGroup::Place));
        assert_eq!(FieldGroups::ALL, FieldGroup::ALL.into_iter().collect());
        assert_eq!(FieldGroups::ALL.without(FieldGroup::Place).intersection(groups), FieldGroups::EMPTY);
        assert_eq!(FieldGroups::ALL.without(FieldGroup::Place).union(groups), FieldGroups::ALL);
    }

    #[test]
    fn a_byte_with_an_unknown_bit_is_no_set() {
        for bits in 0..=u8::MAX {
            let read = cbor::decode::<FieldGroups>(&cbor::encode(&bits));
            assert_eq!(
                read.map(|groups| cbor::encode(&groups)).ok(),
                (bits < 32).then(|| cbor::encode(&bits)),
                "{bits}"
            );
        }
    }

    proptest! {
        #[test]
        fn only_its_word_reads_as_a_value(text in "[a-z]{1,9}(-[a-z]{1,9})?|\\PC{0,24}") {
            prop_assert!(FieldGroup::parse(&text).is_none_or(|value| value.as_str() == text));
        }
    }
}
