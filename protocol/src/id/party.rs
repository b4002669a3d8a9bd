//! The name of an organisation in the network: what kind of party it is, and its number.

use minicbor::{Decode, Decoder, Encode, Encoder};

/// What an organisation is to the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum PartyKind {
    /// Municipality or union that insures (保険者).
    #[n(0)]
    Insurer,
    /// Care office (介護事業所).
    #[n(1)]
    Office,
    /// Hospital or clinic (医療機関).
    #[n(2)]
    Hospital,
    /// Knows which insurer is home to a pseudonym (所在照会).
    #[n(3)]
    Directory,
    /// Holds an OPRF key, sees only blinded points (仮名化).
    #[n(4)]
    Pseudonymiser,
    /// Cosigns checkpoints (立会).
    #[n(5)]
    Witness,
    /// Publishes the roster and the policy (運営主体).
    #[n(6)]
    Authority,
    /// Issues credentials to offices and hospitals (発行者).
    #[n(7)]
    Issuer,
}

/// An organisation: `kind:number`, for example `insurer:131235` or `office:1370101238`.
///
/// The number is 1–32 of digits, capital letters, small letters and `-`; whether it has the form of
/// its kind is for the identifiers beside this file to say.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartyId {
    kind: PartyKind,
    number: String,
}

impl PartyKind {
    /// All kinds, in the order of their codes.
    pub const ALL: [Self; 8] = [
        Self::Insurer,
        Self::Office,
        Self::Hospital,
        Self::Directory,
        Self::Pseudonymiser,
        Self::Witness,
        Self::Authority,
        Self::Issuer,
    ];

    /// Its word in a [`PartyId`].
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Insurer => "insurer",
            Self::Office => "office",
            Self::Hospital => "hospital",
            Self::Directory => "directory",
            Self::Pseudonymiser => "pseudonymiser",
            Self::Witness => "witness",
            Self::Authority => "authority",
            Self::Issuer => "issuer",
        }
    }
}

impl PartyId {
    /// Puts a kind and a number together, if the number has permitted letters.
    pub fn new(kind: PartyKind, number: &str) -> Option<Self> {
        let letters = number.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        (letters && (1..=32).contains(&number.len())).then(|| Self { kind, number: number.to_owned() })
    }

    /// Reads `kind:number`.
    pub fn parse(text: &str) -> Option<Self> {
        let (word, number) = text.split_once(':')?;
        let kind = PartyKind::ALL.into_iter().find(|kind| kind.as_str() == word)?;
        Self::new(kind, number)
    }

    /// What the organisation is.
    pub const fn kind(&self) -> PartyKind {
        self.kind
    }

    /// The number without its kind.
    pub fn number(&self) -> &str {
        &self.number
    }
}

impl core::fmt::Display for PartyId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.kind.as_str())?;
        f.write_str(":")?;
        f.write_str(&self.number)
    }
}

impl core::fmt::Debug for PartyId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

impl<C> Encode<C> for PartyId {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&[self.kind.as_str(), ":", &self.number].concat())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for PartyId {
    fn decode(d: &mut Decoder<'b>, _ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::parse(d.str()?).ok_or_else(|| minicbor::decode::Error::message("not a party id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_party_comes_back_from_its_text() {
        for text in ["insurer:131235", "office:13A0101238", "directory:east-1"] {
            assert_eq!(PartyId::parse(text).map(|p| p.to_string()), Some(text.to_owned()));
        }
        for bad in ["", "insurer", "insurer:", "mayor:1", "insurer:13 1235", "insurer:13:1"] {
            assert_eq!(PartyId::parse(bad), None, "{bad}");
        }
    }
}
