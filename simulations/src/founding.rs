//! A network founded from a seed: keys, roster, pulse, status list and credentials, as an authority and an
//! issuer would make them. For simulations and tests; real networks are founded by `tsunagi network init`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::code::service::ServiceKind;
use protocol::credential::Credential;
use protocol::date::Date;
use protocol::digest::Digest;
use protocol::directory::Directory;
use protocol::duty::Desk;
use protocol::gate::{Gate, Notice};
use protocol::host::Office;
use protocol::id::insurer::InsurerNumber;
use protocol::id::party::{PartyId, PartyKind};
use protocol::key::PublicKey;
use protocol::ledger::origin::Origin;
use protocol::limits;
use protocol::municipality::Municipality;
use protocol::policy::judge::Judge;
use protocol::primitives::{Primitives, Secret, Suite};
use protocol::pseudonymiser::Pseudonymiser;
use protocol::requester::{Identity, Requester};
use protocol::roster::{Chain, IssuerLimits, Link, Member, Roster, Signers};
use protocol::statement::{Pulse, SealingPublic, Statement};
use protocol::status::StatusList;
use protocol::store::{Seat, Signer};
use protocol::time::{Span, Steady, Timestamp};
use protocol::witness::{self, Cosigning, Witness};

use crate::seed;

/// The secrets of one organisation.
#[derive(Debug)]
pub struct Keys {
    /// Connections.
    pub transport: PublicKey,
    /// Requests and statements.
    pub signing: Secret,
    /// The public half.
    pub signing_public: PublicKey,
    /// Checkpoints.
    pub log: Secret,
    /// The public half.
    pub log_public: PublicKey,
    /// Requests sealed to it.
    pub sealing: Secret,
    /// Persons in its index.
    pub label: Secret,
    /// The oblivious function.
    pub oblivious: Secret,
    /// Cosignatures.
    pub cosigning: Secret,
}

/// A founded network.
pub struct Founding {
    seed: u64,
    primitives: Arc<dyn Primitives>,
    suite: Suite,
    began: Timestamp,
    roster: Roster,
    link: Link,
    keys: BTreeMap<PartyId, Keys>,
    signers: Vec<Secret>,
    serials: BTreeMap<PartyId, u64>,
}

/// Who takes part: members by party, offices and hospitals with their service kinds.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Members besides the issuers.
    pub members: Vec<PartyId>,
    /// Holders of credentials.
    pub holders: Vec<(PartyId, Vec<ServiceKind>)>,
}

/// Who issues, and for whom.
const ISSUERS: [(&str, PartyKind); 2] = [("issuer:1", PartyKind::Office), ("issuer:2", PartyKind::Hospital)];
/// How long a founded network's signed objects hold.
const LIFE: Span = Span::from_h(24);
/// How often heads are cosigned.
const COSIGN_EVERY: Span = Span::from_s(10);

impl Founding {
    /// Founds a network at `began`.
    pub fn new(seed: u64, plan: &Plan, suite: Suite, primitives: Arc<dyn Primitives>, began: Timestamp) -> Self {
        let issuers = ISSUERS.map(|(name, _kind)| party(name));
        let everyone = plan.members.iter().chain(&issuers).chain(plan.holders.iter().map(|(party, _)| party));
        let keys: BTreeMap<_, _> =
            everyone.map(|party| (party.clone(), keys(seed, party, primitives.as_ref()))).collect();
        let signers: Vec<_> = (0..3).map(|n| Secret::random(&mut seed::stream(seed, &format!("signer {n}")))).collect();
        let mut members: Vec<_> =
            plan.members.iter().chain(&issuers).map(|party| member(party, &keys, &*primitives)).collect();
        members.sort_by(|a, b| a.party.cmp(&b.party));
        let roster = roster(members, &signers, began, primitives.as_ref());
        let link = sign(&roster, &signers, primitives.as_ref());
        let serials =
            plan.holders.iter().zip(1..).map(|((party, _services), serial)| (party.clone(), serial)).collect();
        Self { seed, primitives, suite, began, roster, link, keys, signers, serials }
    }

    /// The network's name.
    pub fn network(&self) -> Digest {
        self.link.digest()
    }

    /// The keys of an organisation.
    pub fn keys(&self, party: &PartyId) -> Option<&Keys> {
        self.keys.get(party)
    }

    /// A fresh gate as every node begins with.
    pub fn gate(&self) -> Option<Gate> {
        let chain = Chain::begin(self.network(), &self.link, self.primitives.as_ref()).ok()?;
        Some(Gate::begin(chain, vec![Arc::new(self.link.clone())]))
    }

    /// What the authority and the issuer publish at `now`: pulse and status list, with these serials revoked.
    pub fn notices(&self, now: Timestamp, revoked: &[u64], number: u64) -> Vec<Notice> {
        let Some(first) = self.signers.first() else { return Vec::new() };
        let pulse = Pulse {
            network: self.network(),
            roster: self.roster.version,
            digest: self.network(),
            lists: ISSUERS.map(|(name, _kind)| (party(name), number)).to_vec(),
            issued: now,
            expires: now.plus(LIFE),
        };
        let mut notices = vec![Notice::Pulse(pulse.sign(self.primitives.as_ref(), &self.roster.pulse, first).into())];
        for (name, _kind) in ISSUERS {
            let list = StatusList {
                network: self.network(),
                issuer: party(name),
                number,
                issued: now,
                expires: now.plus(LIFE),
                revoked: revoked.to_vec(),
            };
            if let Some(keys) = self.keys.get(&list.issuer) {
                let signed = list.sign(self.primitives.as_ref(), &keys.signing_public, &keys.signing);
                notices.push(Notice::StatusList(signed.into()));
            }
        }
        notices
    }

    /// The serial number of a holder's credential.
    pub fn serial(&self, party: &PartyId) -> Option<u64> {
        self.serials.get(party).copied()
    }

    /// A member's statement.
    pub fn statement(&self, party: &PartyId, now: Timestamp) -> Option<Vec<u8>> {
        let keys = self.keys.get(party)?;
        self.roster.member(party)?;
        let sealing = self.primitives.sealing_key(self.suite, &keys.sealing).ok()?;
        let statement = Statement {
            network: self.network(),
            party: party.clone(),
            number: now.unix_ms(),
            issued: now,
            expires: now.plus(LIFE),
            sealing: vec![SealingPublic { suite: self.suite, public: sealing.public() }],
            transport: vec![keys.transport],
            addresses: vec![format!("/simulated/{party}")],
        };
        Some(statement.sign(self.primitives.as_ref(), &keys.signing_public, &keys.signing))
    }

    /// A holder's credential.
    pub fn credential(&self, party: &PartyId, services: &[ServiceKind], now: Timestamp) -> Option<Vec<u8>> {
        let keys = self.keys.get(party)?;
        let (issuer, _kind) = ISSUERS.into_iter().find(|(_name, kind)| *kind == party.kind())?;
        let issuer = super::founding::party(issuer);
        let issuing = self.keys.get(&issuer)?;
        let credential = Credential {
            network: self.network(),
            party: party.clone(),
            name: party.to_string(),
            services: services.to_vec(),
            signing: keys.signing_public,
            next_signing: Digest::of(b"not made yet"),
            transport: vec![keys.transport],
            log: keys.log_public,
            issuer,
            serial: self.serial(party)?,
            issued: now,
            expires: now.plus(limits::CREDENTIAL_LIFE),
        };
        Some(credential.sign(self.primitives.as_ref(), &issuing.signing_public, &issuing.signing))
    }

    /// An organisation as a host serves it, and who signs its ledger.
    pub fn office(
        &self,
        seat: Seat,
        party: &PartyId,
        services: &[ServiceKind],
        now: Timestamp,
        steady: Steady,
    ) -> Option<(Office, Signer)> {
        let keys = self.keys.get(party)?;
        let origin = Origin::new(&self.network(), party, 1);
        let is_member = self.roster.member(party).is_some();
        let identity = Identity {
            seat,
            party: party.clone(),
            signing: self.primitives.signing_key(&keys.signing).into(),
            signing_public: keys.signing_public,
            credential: if is_member { None } else { Some(self.credential(party, services, now)?) },
            label: keys.label.clone(),
            suite: self.suite,
            fresh_encapsulations: false,
            life: limits::REQUEST_LIFE,
        };
        let sealing = self.primitives.sealing_key(self.suite, &keys.sealing).ok()?;
        let id = SealingPublic { suite: self.suite, public: sealing.public() }.id();
        let office = Office {
            requester: Requester::new(identity),
            machine: self.machine(seat, party, keys, &origin, steady),
            sealing: BTreeMap::from([(id, (self.suite, sealing.into()))]),
            statement: self.statement(party, now),
            cosigning: is_member.then(|| Cosigning::new(seat, COSIGN_EVERY, steady)),
        };
        Some((office, Signer { seat, origin, log_secret: keys.log.clone() }))
    }

    fn machine(
        &self,
        seat: Seat,
        party: &PartyId,
        keys: &Keys,
        origin: &Origin,
        steady: Steady,
    ) -> Option<Box<dyn protocol::machine::Machine>> {
        let desk = Desk { seat, party: party.clone(), origin: origin.clone(), policy: self.roster.policy };
        match party.kind() {
            PartyKind::Insurer => {
                let insurers: BTreeSet<_> = self.roster.member(party)?.insurers.iter().copied().collect();
                let machine = Municipality::new(desk, insurers, keys.label.clone(), Judge::shipped(), steady);
                Some(Box::new(machine))
            }
            PartyKind::Directory => Some(Box::new(Directory::new(desk))),
            PartyKind::Pseudonymiser => Some(Box::new(Pseudonymiser::new(desk, keys.oblivious.clone(), 200))),
            PartyKind::Witness => {
                let name = witness::name_of(party)?;
                Some(Box::new(Witness::new(desk, name, keys.cosigning.clone(), Arc::clone(&self.primitives))))
            }
            PartyKind::Office | PartyKind::Hospital | PartyKind::Authority | PartyKind::Issuer => None,
        }
    }

    /// The seed it was founded from.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// When it was founded.
    pub const fn began(&self) -> Timestamp {
        self.began
    }
}

/// A party by its text; a plan is written by hand, so a wrong one is our own mistake.
pub fn party(text: &str) -> PartyId {
    let party = PartyId::parse(text);
    assert!(party.is_some(), "not a party: {text}");
    party.unwrap_or_else(|| unreachable!())
}

fn keys(seed: u64, party: &PartyId, primitives: &dyn Primitives) -> Keys {
    let secret = |what: &str| Secret::random(&mut seed::stream(seed, &format!("{party} {what}")));
    let public = |secret: &Secret| PublicKey::from_bytes(primitives.signing_public(secret));
    let (signing, log) = (secret("signing"), secret("log"));
    Keys {
        transport: public(&secret("transport")),
        signing_public: public(&signing),
        log_public: public(&log),
        signing,
        log,
        sealing: secret("sealing"),
        label: secret("label"),
        oblivious: secret("oblivious"),
        cosigning: secret("cosigning"),
    }
}

fn member(party: &PartyId, keys: &BTreeMap<PartyId, Keys>, primitives: &dyn Primitives) -> Member {
    let own = keys.get(party);
    let public = |secret: &Secret| PublicKey::from_bytes(primitives.signing_public(secret));
    let oblivious = own.and_then(|keys| primitives.oblivious_public(&keys.oblivious).ok());
    let insurers = InsurerNumber::parse(party.number()).filter(|_number| party.kind() == PartyKind::Insurer);
    Member {
        party: party.clone(),
        name: party.to_string(),
        signing: own.map(|keys| keys.signing_public).into_iter().collect(),
        log: own.map(|keys| keys.log_public).into_iter().collect(),
        epoch: 1,
        insurers: insurers.into_iter().collect(),
        participates_from: Date::MIN,
        issues: (party.kind() == PartyKind::Issuer).then(|| IssuerLimits {
            kind: ISSUERS
                .iter()
                .find(|(name, _kind)| *name == party.to_string())
                .map_or(PartyKind::Office, |(_, kind)| *kind),
            prefixes: vec![String::new()],
            services: ServiceKind::ALL.to_vec(),
        }),
        oblivious: oblivious.filter(|_public| party.kind() == PartyKind::Pseudonymiser).map(PublicKey::from_bytes),
        cosigning: own.filter(|_keys| party.kind() == PartyKind::Witness).map(|keys| public(&keys.cosigning)),
    }
}

fn roster(members: Vec<Member>, signers: &[Secret], began: Timestamp, primitives: &dyn Primitives) -> Roster {
    let public = |secret: &Secret| PublicKey::from_bytes(primitives.signing_public(secret));
    let set = Signers { threshold: 2, keys: signers.iter().map(public).collect() };
    Roster {
        network: None,
        version: 1,
        issued: began,
        expires: began.plus(limits::ROSTER_LIFE),
        signers: set.clone(),
        next_signers: set,
        pulse: signers.first().map_or(PublicKey::from_bytes([0; 32]), public),
        suite_min: Suite::X25519,
        policy: Judge::shipped().digest(),
        witness_quorum: 1,
        members,
    }
}

fn sign(roster: &Roster, signers: &[Secret], primitives: &dyn Primitives) -> Link {
    let pairs: Vec<_> =
        signers.iter().map(|secret| (PublicKey::from_bytes(primitives.signing_public(secret)), secret)).collect();
    Link::sign(roster, primitives, &pairs)
}

impl core::fmt::Debug for Founding {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Founding").field("seed", &self.seed).finish_non_exhaustive()
    }
}
