//! The application (申込): what an organisation that wants in sends to the authority or an issuer. Its
//! public keys, its name, and a signature of each signing, transport and log key over all of it: whoever
//! lacks one of the secrets cannot make it, and no part can be put into another's application.
//!
//! A sealing key cannot sign. Who joins as a member proves it by opening a challenge (`member.rs`); an
//! office's or hospital's sealing keys are nobody else's business and stand in no credential.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use node::keys::{LOG, SIGNING, Secrets, TRANSPORT};
use protocol::cbor;
use protocol::code::service::ServiceKind;
use protocol::digest::Digest;
use protocol::id::insurer::InsurerNumber;
use protocol::id::party::{PartyId, PartyKind};
use protocol::key::{KeyUse, PublicKey};
use protocol::limits;
use protocol::primitives::Real;
use protocol::sign1::{self, Label, Unverified};
use protocol::statement::SealingPublic;
use protocol::time::{Span, Timestamp};

use crate::message::{Code, Trouble};
use crate::seat;

/// How long an application may lie before it is worked on.
pub const APPLICATION_LIFE: Span = Span::from_h(7 * 24);

/// What is applied for, and with which keys.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Application {
    /// The network.
    #[n(0)]
    pub network: Digest,
    /// Who applies.
    #[n(1)]
    pub party: PartyId,
    /// Its name.
    #[n(2)]
    pub name: String,
    /// The service kinds of an office or hospital.
    #[n(3)]
    pub services: Vec<ServiceKind>,
    /// The insurer numbers of an insurer.
    #[n(4)]
    pub insurers: Vec<InsurerNumber>,
    /// Its signing key.
    #[n(5)]
    pub signing: PublicKey,
    /// SHA-256 of the signing key that will follow.
    #[n(6)]
    pub next_signing: Digest,
    /// Its transport key.
    #[n(7)]
    pub transport: PublicKey,
    /// Its log key.
    #[n(8)]
    pub log: PublicKey,
    /// Its sealing keys.
    #[n(9)]
    pub sealing: Vec<SealingPublic>,
    /// A pseudonymiser's public key.
    #[n(10)]
    pub oblivious: Option<PublicKey>,
    /// A witness's public key.
    #[n(11)]
    pub cosigning: Option<PublicKey>,
    /// When it was made.
    #[n(12)]
    pub issued: Timestamp,
}

/// An application with its proofs, as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedApplication {
    /// The application's bytes.
    #[n(0)]
    application: ByteVec,
    /// Signatures of the signing, the transport and the log key, in this order.
    #[n(1)]
    proofs: Vec<ByteVec>,
}

/// Who applies, beside its keys.
#[derive(Clone, Debug)]
pub struct Applicant {
    /// Which organisation.
    pub party: PartyId,
    /// Its name.
    pub name: String,
    /// Its service kinds.
    pub services: Vec<ServiceKind>,
    /// Its insurer numbers.
    pub insurers: Vec<InsurerNumber>,
}

impl Applicant {
    /// Refuses who cannot join by an application as it is told: better now than at the end of the way.
    ///
    /// # Errors
    /// [`Code::Kind`] or [`Code::Usage`].
    pub fn require_joinable(&self) -> Result<(), Trouble> {
        require_joinable_kind(&self.party)?;
        let fits = fitting_insurers(&self.party, &self.insurers);
        fits.map_err(|what| Trouble::new(Code::Usage, format!("{}: {what}", self.party)))
    }
}

/// Refuses an issuer.
///
/// # Errors
/// [`Code::Kind`].
pub fn require_joinable_kind(party: &PartyId) -> Result<(), Trouble> {
    if party.kind() != PartyKind::Issuer {
        return Ok(());
    }
    Err(Trouble::new(
        Code::Kind,
        format!(
            "{party}: 発行者は、発行できる範囲とともに名簿に載り、登録簿を持ちます。申込にはその範囲が書けません。この版では、\
             網をつくる計画の [[issuers]] に書き、tsunagi network init で作ります / an issuer stands in the roster with \
             limits that no application holds; write it under [[issuers]] in the plan of tsunagi network init"
        ),
    ))
}

/// Whether an insurer says for which numbers it answers, and nobody else does.
///
/// # Errors
/// A text saying what is amiss.
pub fn fitting_insurers(party: &PartyId, insurers: &[InsurerNumber]) -> Result<(), &'static str> {
    match (party.kind(), insurers) {
        (PartyKind::Insurer, []) => Err(
            "保険者は、受け持つ保険者番号を --insurer で示してください / an insurer gives the numbers it answers for",
        ),
        (PartyKind::Insurer, _) | (_, []) => Ok(()),
        _ => Err("--insurer は保険者だけが付けます / only an insurer answers for insurer numbers"),
    }
}

/// The keys that sign, the use each is bound to, and the name of its secret.
const PROVEN: [(KeyUse, &str, &[u8]); 3] =
    [(KeyUse::Signing, SIGNING, b"signing"), (KeyUse::Transport, TRANSPORT, b"transport"), (KeyUse::Log, LOG, b"log")];

impl SignedApplication {
    /// Makes an application with the keys in `secrets`.
    ///
    /// # Errors
    /// [`Code::Keys`] if one is missing.
    pub fn make(applicant: Applicant, network: Digest, secrets: &Secrets, now: Timestamp) -> Result<Self, Trouble> {
        let publics = seat::publics(secrets)?;
        let application = cbor::encode(&Application {
            network,
            party: applicant.party,
            name: applicant.name,
            services: applicant.services,
            insurers: applicant.insurers,
            signing: publics.signing,
            next_signing: publics.signing_next.digest(),
            transport: publics.transport,
            log: publics.log,
            sealing: publics.sealing,
            oblivious: publics.oblivious,
            cosigning: publics.cosigning,
            issued: now,
        });
        let mut proofs = Vec::new();
        for (use_, name, bound) in PROVEN {
            let id = seat::public(secrets, name)?.id(use_);
            let secret = seat::secret(secrets, name)?;
            proofs.push(sign1::sign(&Real, secret, id, Label::Possession, bound, &application).into());
        }
        Ok(Self { application: application.into(), proofs })
    }

    /// SHA-256 of what was applied for.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.application)
    }

    /// The application, once each key has signed it and its time has not passed.
    ///
    /// # Errors
    /// [`Code::Malformed`], or [`Code::Possession`] saying which key.
    pub fn verify(&self, network: &Digest, now: Timestamp) -> Result<Application, Trouble> {
        let application: Application =
            cbor::decode(&self.application).map_err(|error| Trouble::new(Code::Malformed, error))?;
        let refused = |what: &str| Trouble::new(Code::Possession, format!("{}: {what}", application.party));
        if application.network != *network {
            return Err(refused("of another network"));
        }
        let age = now.since(application.issued);
        if application.issued > now.plus(limits::SKEW) || age > APPLICATION_LIFE {
            return Err(refused("made too long ago, or in the future"));
        }
        let keys = [application.signing, application.transport, application.log];
        let different = keys.iter().collect::<std::collections::BTreeSet<_>>().len() == keys.len();
        if !different || self.proofs.len() != PROVEN.len() {
            return Err(refused("not three different keys with a proof each"));
        }
        for (((use_, name, bound), key), proof) in PROVEN.into_iter().zip(keys).zip(&self.proofs) {
            let signed = Unverified::parse(proof).map_err(|_error| refused(name))?;
            if signed.key() != key.id(use_) {
                return Err(refused(name));
            }
            let payload = signed.verify(&Real, &key, Label::Possession, bound).map_err(|_error| refused(name))?;
            if payload != *self.application {
                return Err(refused(name));
            }
        }
        Ok(application)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use node::dice::OsDice;
    use protocol::primitives::Secret;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_780_000_000_000);

    fn applicant() -> Applicant {
        let party = PartyId::parse("insurer:131235").unwrap();
        Applicant { party, name: "見本市".into(), services: Vec::new(), insurers: Vec::new() }
    }

    #[test]
    fn an_application_holds_in_its_network_and_time_only() {
        let network = Digest::of(b"network");
        let secrets = seat::make(PartyKind::Insurer, &mut OsDice);
        let signed = SignedApplication::make(applicant(), network, &secrets, NOW).unwrap();
        assert_eq!(signed.verify(&network, NOW).unwrap().name, "見本市");
        let code = |network, now| signed.verify(&network, now).unwrap_err().code;
        assert_eq!(code(Digest::of(b"other"), NOW), Code::Possession);
        assert_eq!(code(network, NOW.plus(APPLICATION_LIFE).plus(Span::from_ms(1))), Code::Possession);
        assert_eq!(code(network, NOW.minus(Span::from_h(1))), Code::Possession);
    }

    #[test]
    fn a_key_without_its_secret_is_found_out() {
        let network = Digest::of(b"network");
        let secrets = seat::make(PartyKind::Insurer, &mut OsDice);
        let good = SignedApplication::make(applicant(), network, &secrets, NOW).unwrap();
        for (place, name) in [SIGNING, TRANSPORT, LOG].into_iter().enumerate() {
            let mut other = secrets.clone();
            other.set(name, Secret::random(&mut OsDice));
            // The victim's application, with the proof of a thief who has all secrets but this one.
            let thief = SignedApplication::make(applicant(), network, &other, NOW).unwrap();
            let mut spoiled = good.clone();
            spoiled.proofs[place] = thief.proofs[place].clone();
            let trouble = spoiled.verify(&network, NOW).unwrap_err();
            assert!(trouble.code == Code::Possession && trouble.detail.ends_with(name), "{trouble}");
        }
        let mut swapped = good;
        swapped.proofs.swap(0, 1);
        assert_eq!(swapped.verify(&network, NOW).unwrap_err().code, Code::Possession);
    }
}
