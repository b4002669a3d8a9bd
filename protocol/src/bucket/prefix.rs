//! Prefixes (前置ビット): the first bits of a tag, by which entries fall into buckets. Knows nothing of entries.

use minicbor::{Decode, Decoder, Encode, Encoder};

use crate::limits::{BUCKET_ENTRIES_MEAN_MAX, PREFIX_BITS_MAX};
use crate::message::Tag;

/// How many bits the prefixes of one book have, 0–[`PREFIX_BITS_MAX`]; so there are 2^bits buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bits(u8);

/// The first bits of a tag: how many, and their value as an unsigned number. Ordered by both, so that those of
/// one length stand in the order of their tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode)]
pub struct Prefix {
    #[n(0)]
    bits: Bits,
    #[n(1)]
    value: u32,
}

impl Bits {
    /// So many bits, if that is no more than [`PREFIX_BITS_MAX`].
    pub const fn new(bits: u8) -> Option<Self> {
        if bits <= PREFIX_BITS_MAX { Some(Self(bits)) } else { None }
    }

    /// How many bits give `entries` evenly spread entries buckets of about 512: the fewest with which a bucket has no
    /// more than [`BUCKET_ENTRIES_MEAN_MAX`] on the average.
    pub fn for_entries(entries: u64) -> Self {
        let fits = |bits: &u8| entries <= BUCKET_ENTRIES_MEAN_MAX << bits;
        Self((0..PREFIX_BITS_MAX).find(fits).unwrap_or(PREFIX_BITS_MAX))
    }

    /// The number of bits.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// How many prefixes of so many bits there are.
    pub const fn count(self) -> u32 {
        1 << self.0
    }

    /// All prefixes of so many bits, in order.
    pub fn prefixes(self) -> impl Iterator<Item = Prefix> {
        (0..self.count()).map(move |value| Prefix { bits: self, value })
    }

    /// By how much 32 bits are shifted to leave so many.
    fn shift(self) -> u32 {
        u32::BITS.saturating_sub(u32::from(self.0))
    }
}

impl Prefix {
    /// A prefix of `bits` bits, if `value` has no more.
    pub fn new(bits: Bits, value: u32) -> Option<Self> {
        (value < bits.count()).then_some(Self { bits, value })
    }

    /// The first `bits` bits of `tag`.
    pub fn of(tag: &Tag, bits: Bits) -> Self {
        let [a, b, c, d, ..] = tag.0;
        Self { bits, value: u32::from_be_bytes([a, b, c, d]).checked_shr(bits.shift()).unwrap_or(0) }
    }

    /// How many bits it has.
    pub const fn bits(self) -> Bits {
        self.bits
    }

    /// Its bits as a number: which of the prefixes of so many bits it is, from 0.
    pub const fn value(self) -> u32 {
        self.value
    }

    /// Whether `tag` begins with it.
    pub fn holds(self, tag: &Tag) -> bool {
        Self::of(tag, self.bits) == self
    }

    /// The least tag that begins with it.
    pub fn least(self) -> Tag {
        self.filled(0)
    }

    /// The greatest tag that begins with it.
    pub fn greatest(self) -> Tag {
        self.filled(u8::MAX)
    }

    /// Which of the prefixes it is, as an index.
    pub(super) fn index(self) -> usize {
        usize::try_from(self.value).unwrap_or(usize::MAX)
    }

    fn filled(self, rest: u8) -> Tag {
        let mut tag = [rest; 32];
        let below = u32::from_be_bytes([rest; 4]).checked_shr(u32::from(self.bits.0)).unwrap_or(0);
        let first = self.value.checked_shl(self.bits.shift()).unwrap_or(0) | below;
        for (slot, byte) in tag.iter_mut().zip(first.to_be_bytes()) {
            *slot = byte;
        }
        Tag(tag)
    }
}

impl<C> Encode<C> for Bits {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.u8(self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Bits {
    fn decode(d: &mut Decoder<'b>, _ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::new(d.u8()?).ok_or_else(|| minicbor::decode::Error::message("too many bits"))
    }
}

/// The bytes of a [`Prefix`], before its value was held against its bits.
#[derive(Decode)]
struct Unchecked(#[n(0)] Bits, #[n(1)] u32);

impl<'b, C> Decode<'b, C> for Prefix {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        let Unchecked(bits, value) = d.decode_with(ctx)?;
        Self::new(bits, value).ok_or_else(|| minicbor::decode::Error::message("more than its bits"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cbor;

    #[test]
    fn thirty_six_million_entries_have_sixteen_bits() {
        for (entries, bits) in [(0, 0), (724, 0), (725, 1), (36_000_000, 16), (125_000_000, 18), (u64::MAX, 24)] {
            assert_eq!(Bits::for_entries(entries).get(), bits, "{entries}");
        }
    }

    #[test]
    fn a_prefix_with_more_value_than_bits_does_not_decode() {
        assert_eq!(cbor::decode::<Prefix>(&[0x82, 2, 3]).map(Prefix::value), Ok(3));
        assert_eq!(cbor::decode::<Prefix>(&[0x82, 2, 4]), Err(cbor::Malformed));
        assert_eq!(cbor::decode::<Prefix>(&[0x82, 0x18, 25, 0]), Err(cbor::Malformed));
    }

    proptest! {
        #[test]
        fn a_tag_lies_under_one_prefix_of_a_length_between_its_least_and_its_greatest(tag: [u8; 32], bits in 0..=24_u8) {
            let (tag, bits) = (Tag(tag), Bits::new(bits).unwrap());
            let prefix = Prefix::of(&tag, bits);
            prop_assert!(prefix.holds(&tag) && prefix.least() <= tag && tag <= prefix.greatest());
            prop_assert!(prefix.holds(&prefix.least()) && prefix.holds(&prefix.greatest()));
            let digits = tag.0.iter().flat_map(|byte| (0..8).map(move |bit| u32::from(byte >> (7 - bit) & 1)));
            let value = digits.take(usize::from(bits.get())).fold(0, |value, digit| value * 2 + digit);
            prop_assert_eq!(prefix.value(), value);
            prop_assert_eq!(cbor::decode::<Prefix>(&cbor::encode(&prefix)), Ok(prefix));
            if let Some(next) = Prefix::new(bits, value + 1) {
                prop_assert!(prefix.greatest() < next.least() && prefix < next);
            }
        }
    }
}
