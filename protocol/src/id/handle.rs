//! What an asker holds in hand to find a person by: the care insurance card or the medical one.

use super::medical::MedicalInsuranceId;
use super::person::PersonId;
use minicbor::{Decode, Decoder, Encode, Encoder};

/// A typed identifier of a person. Its text, `ltc:…` or `med:…`, is what pseudonyms are made of, so each
/// value has one text. Personal: prints its type and at most the insurer of the care card.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Handle {
    /// The care insurance card (介護保険被保険者証), which names its insurer.
    Care(PersonId),
    /// The medical insurance card (資格確認書 and its like), which does not.
    Medical(MedicalInsuranceId),
}

impl Handle {
    /// Reads `ltc:<insurer>:<insured>` or `med:<insurer>:<symbol>:<number>:<branch>`.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "ltc" => PersonId::parse(rest).map(Self::Care),
            "med" => MedicalInsuranceId::parse(rest).map(Self::Medical),
            _ => None,
        }
    }

    /// The one text of the handle, in clear.
    pub fn expose(&self) -> String {
        match self {
            Self::Care(person) => format!("ltc:{}", person.expose()),
            Self::Medical(card) => format!("med:{}", card.expose()),
        }
    }
}

impl core::fmt::Debug for Handle {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Care(person) => write!(f, "ltc:{}:[redacted]", person.insurer()),
            Self::Medical(_) => f.write_str("med:[redacted]"),
        }
    }
}

impl<C> Encode<C> for Handle {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.expose())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Handle {
    fn decode(d: &mut Decoder<'b>, _ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        let text = d.str()?;
        Self::parse(text)
            .filter(|handle| handle.expose() == text)
            .ok_or_else(|| minicbor::decode::Error::message("not a handle"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;
    use proptest::prelude::*;

    #[test]
    fn a_handle_says_what_kind_of_card_it_is() {
        for (text, printed) in
            [("ltc:131235:0000123456", "ltc:131235:[redacted]"), ("med:33120015:12:345:01", "med:[redacted]")]
        {
            let handle = Handle::parse(text).expect("a handle");
            assert_eq!(handle.expose(), text);
            assert_eq!(format!("{handle:?}"), printed);
            assert_eq!(cbor::decode::<Handle>(&cbor::encode(&handle)), Ok(handle));
        }
        for bad in ["", "ltc:", "131235:0000123456", "med:131235:0000123456", "ltc:33120015:12:345:01", "pid:1:2"] {
            assert_eq!(Handle::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_the_one_text_of_a_card_decodes() {
        let spelling = "med:131235:12:345:1".to_owned();
        assert_eq!(Handle::parse(&spelling).map(|h| h.expose()).as_deref(), Some("med:00131235:12:345:01"));
        assert!(minicbor::decode::<Handle>(&cbor::encode(&spelling)).is_err());
    }

    const SPELLING: &str = r"ltc:131235:[0-9H][0-9]{9}|med:131235:\PC{0,6}:[0-9]{1,9}:[0-9]{0,2}|\PC{0,40}";

    proptest! {
        #[test]
        fn what_parses_comes_back(text in SPELLING) {
            if let Some(handle) = Handle::parse(&text) {
                prop_assert_eq!(Handle::parse(&handle.expose()), Some(handle.clone()));
                prop_assert_eq!(cbor::decode::<Handle>(&cbor::encode(&handle)), Ok(handle));
            }
        }
    }
}
