//! From sealed bytes to a request somebody stands for: open, check the signature, compare what the
//! signature covers with what the envelope says. The only maker of [`Verified`]. Decides nothing.

use std::sync::Arc;

use crate::cbor;
use crate::digest::Digest;
use crate::envelope::{self, Envelope};
use crate::gate::Standing;
use crate::key::KeyId;
use crate::message::Request;
use crate::primitives::{Channel, Primitives, SealingKey, Secret};
use crate::sign1::{Label, Unverified};

/// An envelope with all that opening it takes: a piece of work shares nothing.
pub struct Sealed {
    /// The envelope as received.
    pub envelope: Envelope,
    /// Whoever was admitted on the connection it came by.
    pub standing: Arc<Standing>,
    /// The same party as it was admitted there before, for what it signed before its keys or credential changed.
    pub before: Option<Arc<Standing>>,
    /// The generation of the gate that gave the standing.
    pub generation: u64,
    /// What opens it.
    pub opener: Opener,
}

/// What opens an envelope.
pub enum Opener {
    /// An encapsulation that was opened before.
    Channel(Arc<dyn Channel>),
    /// The sealing key it names.
    Key(Arc<dyn SealingKey>),
}

/// A request whose sender stands for it. Private fields, one maker: [`Sealed::verify`].
pub struct Verified {
    request: Request,
    digest: Digest,
    standing: Arc<Standing>,
    generation: u64,
    signing_key: KeyId,
    answer_secret: Secret,
}

/// Why an envelope was dropped: counted, never ledgered, never answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Unfit {
    /// The encapsulation or the seal does not open.
    #[error("does not open")]
    DoesNotOpen,
    /// Inside is not a signed request of the one encoding.
    #[error("malformed inside")]
    Malformed,
    /// The signature does not hold for this header under the sender's key.
    #[error("the signature does not hold")]
    Forged,
    /// The signed parties, key or credential are not those of envelope and connection.
    #[error("the signed parties are not those of the envelope")]
    Misaddressed,
}

/// A verified request, and the channel to remember for the next one under the same encapsulation.
pub struct Opened {
    /// The request.
    pub verified: Verified,
    /// What to remember: the encapsulation's name and its channel.
    pub channel: (Digest, Arc<dyn Channel>),
}

impl Sealed {
    /// Opens and verifies.
    ///
    /// # Errors
    /// [`Unfit`] saying why it is dropped.
    pub fn verify(self, primitives: &dyn Primitives) -> Result<Opened, Unfit> {
        let header = self.envelope.header();
        let channel: Arc<dyn Channel> = match self.opener {
            Opener::Channel(channel) => channel,
            Opener::Key(key) => {
                key.decapsulate(&header.enc, &header.info()).map_err(|_broken| Unfit::DoesNotOpen)?.into()
            }
        };
        let signed = self.envelope.open(channel.as_ref()).map_err(|_error| Unfit::DoesNotOpen)?;
        let signed = Unverified::parse(&signed).map_err(|_error| Unfit::Malformed)?;
        let candidates: Vec<_> = std::iter::once(self.standing).chain(self.before).collect();
        let key = candidates.iter().find_map(|standing| standing.signing_key(header.signing_key));
        let key = key.ok_or(Unfit::Misaddressed)?;
        if signed.key() != header.signing_key {
            return Err(Unfit::Misaddressed);
        }
        let payload = signed
            .verify(primitives, key, Label::Request, self.envelope.header_bytes())
            .map_err(|_error| Unfit::Forged)?;
        let request: Request = cbor::decode(&payload).map_err(|_error| Unfit::Malformed)?;
        if !request.is_within_bounds() {
            return Err(Unfit::Malformed);
        }
        if request.sender != header.sender || request.recipient != header.recipient {
            return Err(Unfit::Misaddressed);
        }
        let standing = candidates.into_iter().find(|standing| {
            request.sender == *standing.party()
                && request.credential == standing.credential()
                && standing.signing_key(header.signing_key).is_some()
        });
        let standing = standing.ok_or(Unfit::Misaddressed)?;
        let digest = self.envelope.digest();
        let answer_secret = envelope::answer_secret(channel.as_ref(), &digest);
        let context = header.context();
        let verified = Verified {
            request,
            digest,
            signing_key: header.signing_key,
            standing,
            generation: self.generation,
            answer_secret,
        };
        Ok(Opened { verified, channel: (context, channel) })
    }
}

impl Verified {
    /// What was signed.
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// SHA-256 of the envelope as received.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Who stands for it.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The generation of the gate it was verified under.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The key its signature was checked with.
    pub const fn signing_key(&self) -> KeyId {
        self.signing_key
    }

    /// Seals the answer.
    pub const fn answer_secret(&self) -> &Secret {
        &self.answer_secret
    }
}

impl core::fmt::Debug for Verified {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Verified")
            .field("digest", &self.digest)
            .field("party", self.standing.party())
            .finish_non_exhaustive()
    }
}

impl core::fmt::Debug for Opener {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl core::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Sealed").field("digest", &self.envelope.digest()).finish_non_exhaustive()
    }
}

impl core::fmt::Debug for Opened {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Opened").field("verified", &self.verified).finish_non_exhaustive()
    }
}
