//! The roster (名簿): who is a member, in which role, with which keys, until when.
//!
//! Signed k-of-n by the authority (運営主体), version after version: each is signed by its predecessor's
//! signers and by its own, so that a node that slept walks forward link by link. The digest of the
//! first roster names the network and comes out of band. Knows nothing of offices and hospitals;
//! they hold credentials from issuers named here.

use std::collections::BTreeSet;
use std::sync::Arc;

use minicbor::{Decode, Encode};

use crate::cbor;
use crate::code::service::ServiceKind;
use crate::date::Date;
use crate::digest::Digest;
use crate::id::insurer::InsurerNumber;
use crate::id::party::{PartyId, PartyKind};
use crate::key::{KeyUse, PublicKey};
use crate::limits;
use crate::primitives::{Primitives, Secret, Suite};
use crate::sign1::{self, Label, Unverified};
use crate::time::Timestamp;

/// One version of the roster, as its signers wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Roster {
    /// The network's name: digest of the first roster; absent in the first itself.
    #[n(0)]
    pub network: Option<Digest>,
    /// 1 for the first, up by one.
    #[n(1)]
    pub version: u32,
    /// When it was signed.
    #[n(2)]
    pub issued: Timestamp,
    /// When it stops being current; at most [`limits::ROSTER_LIFE`] after `issued`.
    #[n(3)]
    pub expires: Timestamp,
    /// Who signs this version.
    #[n(4)]
    pub signers: Signers,
    /// Who will sign the next.
    #[n(5)]
    pub next_signers: Signers,
    /// Signs pulses.
    #[n(6)]
    pub pulse: PublicKey,
    /// The weakest suite accepted.
    #[n(7)]
    pub suite_min: Suite,
    /// The digest of the policy in force.
    #[n(8)]
    pub policy: Digest,
    /// How many witnesses make a quorum: more than half of them, so that any two quorums have one in common. Of
    /// no meaning where there are none.
    #[n(9)]
    pub witness_quorum: u8,
    /// The members, sorted by party, each once.
    #[n(10)]
    pub members: Vec<Member>,
}

/// A set of keys of which `threshold` must sign.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Signers {
    /// How many must sign.
    #[n(0)]
    pub threshold: u8,
    /// The keys, each once.
    #[n(1)]
    pub keys: Vec<PublicKey>,
}

/// A member (会員): an organisation that answers, directs, pseudonymises, witnesses or issues.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Member {
    /// Which organisation.
    #[n(0)]
    pub party: PartyId,
    /// Its name, as people read it.
    #[n(1)]
    pub name: String,
    /// Its signing keys: the one in use, and during rotation the next.
    #[n(2)]
    pub signing: Vec<PublicKey>,
    /// Its log keys, likewise.
    #[n(3)]
    pub log: Vec<PublicKey>,
    /// The epoch of its ledger that is open.
    #[n(4)]
    pub epoch: u32,
    /// The insurer numbers printed on cards that it answers for: its own, wards, merged ones, a union's
    /// municipalities. Empty for others than insurers.
    #[n(5)]
    pub insurers: Vec<InsurerNumber>,
    /// From when it takes part; a later day than today is normal until 2028.
    #[n(6)]
    pub participates_from: Date,
    /// What it may issue, if it is an issuer.
    #[n(7)]
    pub issues: Option<IssuerLimits>,
    /// The public key of its oblivious function, if it is a pseudonymiser.
    #[n(8)]
    pub oblivious: Option<PublicKey>,
    /// The key it cosigns with and signs nothing else with, if it is a witness.
    #[n(9)]
    pub cosigning: Option<PublicKey>,
}

/// What an issuer may issue: credentials for organisations of one kind whose number begins so.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct IssuerLimits {
    /// Office or hospital.
    #[n(0)]
    pub kind: PartyKind,
    /// Beginnings of numbers.
    #[n(1)]
    pub prefixes: Vec<String>,
    /// Service kinds it may grant.
    #[n(2)]
    pub services: Vec<ServiceKind>,
}

/// One roster as it travels: its bytes, and the signatures over them.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Link {
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    roster: Vec<u8>,
    #[n(1)]
    signatures: Vec<minicbor::bytes::ByteVec>,
}

/// The newest roster of an unbroken chain from the first.
#[derive(Clone, Debug)]
pub struct Chain {
    network: Digest,
    digest: Digest,
    newest: Arc<Roster>,
}

/// Why a roster is not the next link of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RosterError {
    /// Not one of this network's encoding, or breaks a bound.
    #[error("the roster is malformed")]
    Malformed,
    /// Half of the witnesses or fewer would be a quorum, so that two quorums could cosign two histories.
    #[error("the witness quorum is not more than half of the witnesses")]
    MinorityQuorum,
    /// Its digest is not the one given out of band.
    #[error("this is not the first roster of the network named")]
    OtherNetwork,
    /// Not the version after the newest.
    #[error("the roster is not the next version")]
    NotNext,
    /// Two different rosters of one version: evidence against the signers.
    #[error("a second roster of the same version")]
    Forked,
    /// Too few signatures of its predecessor's signers or of its own.
    #[error("too few of the signers signed")]
    TooFewSignatures,
}

impl Link {
    /// Encodes and signs a roster with `secrets` (public and secret halves).
    pub fn sign(roster: &Roster, primitives: &dyn Primitives, secrets: &[(PublicKey, &Secret)]) -> Self {
        let bytes = cbor::encode(roster);
        let signatures = secrets
            .iter()
            .map(|(public, secret)| {
                let id = public.id(KeyUse::Signing);
                sign1::sign(primitives, secret, id, Label::Roster, &bytes, &[]).into()
            })
            .collect();
        Self { roster: bytes, signatures }
    }

    /// SHA-256 of the roster's bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.roster)
    }

    /// Its version, before anything is believed and without reading whom it lists; none if it is out of bounds.
    pub fn version(&self) -> Option<u32> {
        if self.roster.len() > limits::SIGNED_BYTES_MAX || self.signatures.len() > usize::from(u8::MAX) {
            return None;
        }
        let mut decoder = minicbor::Decoder::new(&self.roster);
        decoder.array().ok()?;
        decoder.decode::<Option<Digest>>().ok()?;
        decoder.u32().ok()
    }

    /// Its version and whom it lists, before anything is believed.
    ///
    /// # Errors
    /// [`RosterError::Malformed`] if the bytes are not a roster within bounds; [`RosterError::MinorityQuorum`].
    pub fn claimed(&self) -> Result<Roster, RosterError> {
        self.version().ok_or(RosterError::Malformed)?;
        let roster: Roster = cbor::decode(&self.roster).map_err(|_error| RosterError::Malformed)?;
        match (is_well_formed(&roster), roster.asks_for_a_majority()) {
            (false, _) => Err(RosterError::Malformed),
            (true, false) => Err(RosterError::MinorityQuorum),
            (true, true) => Ok(roster),
        }
    }

    /// Whether this is a second roster of the version of `known`, signed by as many of the same signers: evidence
    /// against them. The first roster has no second; another one names another network.
    pub fn contradicts(&self, known: &Self, primitives: &dyn Primitives) -> bool {
        let (version, is_other) = (self.version(), self.digest() != known.digest());
        if !is_other || version != known.version() || version.is_none_or(|version| version < 2) {
            return false;
        }
        let Ok(roster) = known.claimed() else { return false };
        self.is_signed_by(&roster.signers, primitives)
            && self.claimed().is_ok_and(|other| other.network == roster.network)
    }

    /// Whether `signers.threshold` different keys of `signers` signed. Of several signatures of one key the first
    /// counts: whoever hands on a roster must not choose how many are verified.
    fn is_signed_by(&self, signers: &Signers, primitives: &dyn Primitives) -> bool {
        let (mut seen, mut signed) = (BTreeSet::new(), BTreeSet::new());
        for bytes in &self.signatures {
            let Ok(signature) = Unverified::parse(bytes) else { continue };
            let claimed = signature.key();
            let Some(key) = signers.keys.iter().find(|key| key.id(KeyUse::Signing) == claimed) else { continue };
            if !seen.insert(claimed) {
                continue;
            }
            if signature.verify(primitives, key, Label::Roster, &self.roster).is_ok() {
                signed.insert(*key);
            }
        }
        signed.len() >= usize::from(signers.threshold)
    }
}

impl Chain {
    /// Begins a chain at the first roster, whose digest was given out of band.
    ///
    /// # Errors
    /// [`RosterError`] if it is another one, malformed, or not signed by its own signers.
    pub fn begin(network: Digest, link: &Link, primitives: &dyn Primitives) -> Result<Self, RosterError> {
        if link.digest() != network {
            return Err(RosterError::OtherNetwork);
        }
        let newest = link.claimed()?;
        if newest.version != 1 || newest.network.is_some() {
            return Err(RosterError::NotNext);
        }
        if !link.is_signed_by(&newest.signers, primitives) {
            return Err(RosterError::TooFewSignatures);
        }
        Ok(Self { network, digest: network, newest: Arc::new(newest) })
    }

    /// The chain with one more link. Expired rosters are good links.
    ///
    /// # Errors
    /// [`RosterError`] if the link is not the next one, properly signed.
    pub fn extend(&self, link: &Link, primitives: &dyn Primitives) -> Result<Self, RosterError> {
        // Cheap first: what is out of turn, or signed by nobody who may, is not even read.
        let version = link.version().ok_or(RosterError::Malformed)?;
        if version == self.newest.version && link.digest() != self.digest {
            return Err(RosterError::Forked);
        }
        if self.newest.version.checked_add(1) != Some(version) {
            return Err(RosterError::NotNext);
        }
        if !link.is_signed_by(&self.newest.signers, primitives) {
            return Err(RosterError::TooFewSignatures);
        }
        let next = link.claimed()?;
        if next.network != Some(self.network) || next.signers != self.newest.next_signers {
            return Err(RosterError::NotNext);
        }
        if link.is_signed_by(&next.signers, primitives) {
            Ok(Self { network: self.network, digest: link.digest(), newest: Arc::new(next) })
        } else {
            Err(RosterError::TooFewSignatures)
        }
    }

    /// The network's name.
    pub const fn network(&self) -> Digest {
        self.network
    }

    /// The digest of the newest roster.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The newest roster, current or not.
    pub fn newest(&self) -> &Roster {
        &self.newest
    }
}

impl Roster {
    /// Whether it may be acted on at `now`.
    pub fn is_current(&self, now: Timestamp) -> bool {
        self.issued <= now.plus(limits::SKEW) && now < self.expires
    }

    /// The member of that name.
    pub fn member(&self, party: &PartyId) -> Option<&Member> {
        let at = self.members.binary_search_by(|member| member.party.cmp(party)).ok()?;
        self.members.get(at)
    }

    /// The member that answers for an insurer number printed on a card.
    pub fn insurer(&self, number: &InsurerNumber) -> Option<&Member> {
        let answers = |member: &&Member| member.insurers.contains(number);
        // Most often it bears that number itself; a union, or who took over from another, answers for others, too.
        let namesake = PartyId::new(PartyKind::Insurer, &number.to_string()).and_then(|party| self.member(&party));
        namesake.filter(answers).or_else(|| self.members.iter().find(answers))
    }

    /// The members of a kind, in the order of their names.
    pub fn of_kind(&self, kind: PartyKind) -> impl Iterator<Item = &Member> {
        // They are sorted by party, and a party by its kind first.
        let first = self.members.partition_point(|member| member.party.kind() < kind);
        self.members.iter().skip(first).take_while(move |member| member.party.kind() == kind)
    }

    /// Whether a quorum is more than half of the witnesses, if there are any.
    fn asks_for_a_majority(&self) -> bool {
        let witnesses = self.of_kind(PartyKind::Witness).count();
        witnesses == 0 || usize::from(self.witness_quorum).saturating_mul(2) > witnesses
    }
}

impl IssuerLimits {
    /// Whether an organisation of this name and these service kinds is within the limits.
    pub fn permit(&self, party: &PartyId, services: &[ServiceKind]) -> bool {
        party.kind() == self.kind
            && self.prefixes.iter().any(|prefix| party.number().starts_with(prefix.as_str()))
            && services.iter().all(|service| self.services.contains(service))
    }
}

/// What signatures cannot say: sorted, unique, bounded, no key in two hands.
fn is_well_formed(roster: &Roster) -> bool {
    let sorted = roster.members.windows(2).all(|pair| matches!(pair, [a, b] if a.party < b.party));
    let life = roster.expires.since(roster.issued);
    let sets = [&roster.signers, &roster.next_signers];
    let signers = sets.into_iter().all(|set| {
        let keys: BTreeSet<_> = set.keys.iter().collect();
        keys.len() == set.keys.len() && set.threshold > 0 && usize::from(set.threshold) <= keys.len()
    });
    let keys: Vec<_> = roster.members.iter().flat_map(|member| member.signing.iter().chain(&member.log)).collect();
    let unique: BTreeSet<_> = keys.iter().collect();
    let members = roster.members.iter().all(|member| {
        (1..=2).contains(&member.signing.len())
            && (1..=2).contains(&member.log.len())
            && member.name.chars().count() <= 100
            && (member.insurers.is_empty() || member.party.kind() == PartyKind::Insurer)
            && (member.issues.is_none() || member.party.kind() == PartyKind::Issuer)
    });
    let numbers: Vec<_> = roster.members.iter().flat_map(|member| &member.insurers).collect();
    let unique_numbers: BTreeSet<_> = numbers.iter().collect();
    sorted
        && signers
        && members
        && keys.len() == unique.len()
        && numbers.len() == unique_numbers.len()
        && roster.members.len() <= limits::MEMBERS_MAX
        && roster.of_kind(PartyKind::Witness).count() <= limits::WITNESSES_MAX
        && roster.of_kind(PartyKind::Pseudonymiser).count() <= limits::EVALUATORS_MAX
        && roster.version >= 1
        && life <= limits::ROSTER_LIFE
        && life.ms() > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::primitives::Real;
    use crate::time::Span;

    fn secret(seed: u8) -> (PublicKey, Secret) {
        let secret = Secret::from_bytes([seed; 32]);
        (PublicKey::from_bytes(Real.signing_public(&secret)), secret)
    }

    fn signers(seeds: &[u8], threshold: u8) -> Signers {
        Signers { threshold, keys: seeds.iter().map(|seed| secret(*seed).0).collect() }
    }

    fn roster(version: u32, network: Option<Digest>, now: &[u8], next: &[u8]) -> Roster {
        let issued = Timestamp::from_unix_ms(1_000_000);
        Roster {
            network,
            version,
            issued,
            expires: issued.plus(Span::from_h(24)),
            signers: signers(now, 2),
            next_signers: signers(next, 2),
            pulse: secret(9).0,
            suite_min: Suite::X25519,
            policy: Digest::of(b"policy"),
            witness_quorum: 1,
            members: Vec::new(),
        }
    }

    fn link(roster: &Roster, seeds: &[u8]) -> Link {
        let secrets: Vec<_> = seeds.iter().map(|seed| secret(*seed)).collect();
        let borrowed: Vec<_> = secrets.iter().map(|(public, secret)| (*public, secret)).collect();
        Link::sign(roster, &Real, &borrowed)
    }

    fn begun() -> Chain {
        let first = link(&roster(1, None, &[1, 2, 3], &[2, 3, 4]), &[1, 2]);
        Chain::begin(first.digest(), &first, &Real).unwrap()
    }

    #[test]
    fn a_chain_goes_forward_when_old_and_new_signers_signed() {
        let chain = begun();
        let second = roster(2, Some(chain.network()), &[2, 3, 4], &[4, 5]);
        let chain = chain.extend(&link(&second, &[2, 3]), &Real).unwrap();
        assert_eq!(chain.newest().version, 2);
    }

    #[test]
    fn a_link_without_enough_signatures_of_both_sets_is_refused() {
        let chain = begun();
        let second = roster(2, Some(chain.network()), &[2, 3, 4], &[4, 5]);
        for seeds in [&[4, 3][..], &[2], &[2, 2], &[], &[7, 8]] {
            let refused = chain.extend(&link(&second, seeds), &Real).unwrap_err();
            assert_eq!(refused, RosterError::TooFewSignatures, "{seeds:?}");
        }
    }

    #[test]
    fn signers_that_were_not_announced_are_refused() {
        let chain = begun();
        let second = roster(2, Some(chain.network()), &[1, 2, 7], &[4, 5]);
        assert_eq!(chain.extend(&link(&second, &[1, 2, 7]), &Real).unwrap_err(), RosterError::NotNext);
    }

    #[test]
    fn two_rosters_of_one_version_are_evidence() {
        let chain = begun();
        let mut other = roster(1, None, &[1, 2, 3], &[2, 3, 4]);
        other.witness_quorum = 9;
        assert_eq!(chain.extend(&link(&other, &[1, 2]), &Real).unwrap_err(), RosterError::Forked);
    }

    #[test]
    fn what_is_out_of_turn_or_unsigned_is_refused_before_it_is_read() {
        let chain = begun();
        let unreadable = |version: u32, seeds: &[u8]| {
            let mut good = link(&roster(version, Some(chain.network()), &[2, 3, 4], &[4, 5]), seeds);
            good.roster.truncate(50);
            good
        };
        assert_eq!(unreadable(9, &[]).version(), Some(9));
        assert_eq!(chain.extend(&unreadable(9, &[2, 3]), &Real).unwrap_err(), RosterError::NotNext);
        assert_eq!(chain.extend(&unreadable(2, &[]), &Real).unwrap_err(), RosterError::TooFewSignatures);
    }

    #[test]
    fn a_first_roster_of_another_network_does_not_begin_a_chain() {
        let first = link(&roster(1, None, &[1, 2], &[1, 2]), &[1, 2]);
        let refused = Chain::begin(Digest::of(b"other"), &first, &Real).unwrap_err();
        assert_eq!(refused, RosterError::OtherNetwork);
    }
}
