//! The name of one ledger: network, party and epoch, as the first line of its checkpoints.

use minicbor::{Decode, Decoder, Encode, Encoder};

use crate::digest::Digest;
use crate::id::party::PartyId;

/// The longest origin, in bytes. The longest party and epoch stay well below it.
pub const ORIGIN_BYTES_MAX: usize = 120;

const NETWORK_DIGITS: usize = 16;

/// A ledger's name, `<network>/<party>/<epoch>`: 16 lower-case hex digits of the network id, the
/// party, a decimal number without leading zeroes. For example
/// `00112233445566ff/insurer:131235/0`. Printable ASCII without spaces or `+`, as C2SP signed-note
/// asks of a key's name, and never the first line of anything else that is signed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    network: String,
    party: PartyId,
    epoch: u32,
}

impl Origin {
    /// The ledger that `party` keeps in `network` (the digest of its first roster) in this epoch.
    pub fn new(network: &Digest, party: &PartyId, epoch: u32) -> Self {
        let network = network.to_string().chars().take(NETWORK_DIGITS).collect();
        Self { network, party: party.clone(), epoch }
    }

    /// Reads the one spelling of an origin.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > ORIGIN_BYTES_MAX {
            return None;
        }
        let (network, rest) = text.split_once('/')?;
        let (party, digits) = rest.split_once('/')?;
        let origin = Self { network: network.to_owned(), party: PartyId::parse(party)?, epoch: digits.parse().ok()? };
        let hex = network.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        // A second spelling of the number would be a second name.
        (hex && network.len() == NETWORK_DIGITS && origin.to_string() == text).then_some(origin)
    }

    /// Whose ledger it is.
    pub const fn party(&self) -> &PartyId {
        &self.party
    }

    /// How often the party had to begin a new ledger.
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The same party's ledger of another epoch.
    pub fn of_epoch(&self, epoch: u32) -> Self {
        Self { epoch, ..self.clone() }
    }

    /// Whether the ledger belongs to this network.
    pub fn is_in(&self, network: &Digest) -> bool {
        network.to_string().starts_with(&self.network)
    }
}

impl core::fmt::Display for Origin {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}/{}/{}", self.network, self.party, self.epoch)
    }
}

impl core::fmt::Debug for Origin {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

impl<C> Encode<C> for Origin {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.to_string())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Origin {
    fn decode(d: &mut Decoder<'b>, _ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::parse(d.str()?).ok_or_else(|| minicbor::decode::Error::message("not an origin"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;
    use crate::id::party::PartyKind;

    #[test]
    fn an_origin_comes_back_from_its_text_and_its_bytes() {
        let network = Digest::of(b"first roster");
        let party = PartyId::new(PartyKind::Pseudonymiser, &"9".repeat(32)).unwrap();
        let origin = Origin::new(&network, &party, u32::MAX);
        let text = origin.to_string();
        assert!(text.len() <= ORIGIN_BYTES_MAX);
        assert_eq!(Origin::parse(&text), Some(origin.clone()));
        assert_eq!(cbor::decode::<Origin>(&cbor::encode(&origin)), Ok(origin.clone()));
        assert_eq!((origin.party(), origin.epoch()), (&party, u32::MAX));
        assert!(origin.is_in(&network) && !origin.is_in(&Digest::of(b"another")));
    }

    #[test]
    fn a_second_spelling_of_an_origin_is_refused() {
        assert!(Origin::parse("00112233445566ff/insurer:131235/0").is_some());
        for bad in [
            "",
            "00112233445566ff/insurer:131235",
            "00112233445566ff/insurer:131235/",
            "00112233445566ff/insurer:131235/00",
            "00112233445566ff/insurer:131235/+1",
            "00112233445566ff/insurer:131235/4294967296",
            "00112233445566ff/insurer:131235/0/0",
            "00112233445566ff/insurer:131235/0 ",
            "00112233445566FF/insurer:131235/0",
            "00112233445566f/insurer:131235/0",
            "00112233445566ff/mayor:131235/0",
        ] {
            assert_eq!(Origin::parse(bad), None, "{bad}");
        }
    }
}
