//! A network founded from a seed: keys, roster, pulse, status list and credentials, as an authority and an
//! issuer would make them. For simulations and tests; real networks are founded by `tsunagi network init`.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use protocol::code::service::ServiceKind;
use protocol::cosigning::Cosigning;
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
use protocol::keyring::{Keyring, Pair};
use protocol::ledger::epoch;
use protocol::ledger::origin::Origin;
use protocol::limits;
use protocol::municipality::Municipality;
use protocol::noting::Noting;
use protocol::policy::judge::Judge;
use protocol::primitives::{Primitives, SealingKey, Secret, Suite};
use protocol::pseudonymiser::Pseudonymiser;
use protocol::requester::{Identity, Requester};
use protocol::roster::{Chain, IssuerLimits, Link, Member, Roster, Signers};
use protocol::statement::{Pulse, SealingPublic, Statement};
use protocol::status::StatusList;
use protocol::store::{Seat, Signer};
use protocol::time::{Span, Steady, Timestamp};
use protocol::witness::{self, Witness};

use crate::seed;

/// The secrets of one organisation that do not change, and the keys that do, generation by generation.
#[derive(Debug)]
pub struct Keys {
    /// Connections: in use, and then the one that follows or the one before.
    pub transport: Vec<PublicKey>,
    /// Requests and statements; the roster says which is in use, and an office's or hospital's own turn.
    pub signing: Vec<Pair>,
    /// Checkpoints; the roster says which is in use.
    pub log: Vec<Pair>,
    /// The generation of what is sealed to it.
    pub sealing: u32,
    /// The generation of an office's or hospital's signing key.
    pub turn: usize,
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
    links: Vec<Link>,
    keys: BTreeMap<PartyId, Keys>,
    signers: Vec<Secret>,
    /// The serial numbers of each holder's credentials, the newest last.
    serials: BTreeMap<PartyId, Vec<u64>>,
    cosign_every: Span,
}

/// Who takes part: members by party, offices and hospitals with their service kinds.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Members with a host; issuers are members, and have one only if they are named here.
    pub members: Vec<PartyId>,
    /// Holders of credentials.
    pub holders: Vec<(PartyId, Vec<ServiceKind>)>,
    /// Whether they are so many that hosts of holders are started when they first ask, and nobody keeps a roster of
    /// their own.
    pub is_nation: bool,
    /// How often heads that grew are shown to witnesses; every ten seconds unless told.
    pub cosign_every: Option<Span>,
}

impl Plan {
    /// Everybody with a host.
    pub fn parties(&self) -> impl Iterator<Item = &PartyId> {
        self.members.iter().chain(self.holders.iter().map(|(party, _services)| party))
    }
}

/// Who issues, and for whom.
const ISSUERS: [(&str, PartyKind); 2] = [("issuer:1", PartyKind::Office), ("issuer:2", PartyKind::Hospital)];
/// How long a founded network's signed objects hold.
const LIFE: Span = Span::from_h(24);
/// How many generations of each key there are from the beginning.
pub const GENERATIONS: u32 = 5;
/// How often heads are cosigned.
const COSIGN_EVERY: Span = Span::from_s(10);

/// Reading the policies takes longer than founding the rest, and they are the same in every world.
static JUDGE: LazyLock<Judge> = LazyLock::new(Judge::shipped);

impl Founding {
    /// Founds a network at `began`.
    pub fn new(seed: u64, plan: &Plan, suite: Suite, primitives: Arc<dyn Primitives>, began: Timestamp) -> Self {
        let mut issuers = ISSUERS.map(|(name, _kind)| party(name)).to_vec();
        issuers.retain(|issuer| !plan.members.contains(issuer));
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
            plan.holders.iter().zip(1..).map(|((party, _services), serial)| (party.clone(), vec![serial])).collect();
        let cosign_every = plan.cosign_every.unwrap_or(COSIGN_EVERY);
        Self { seed, primitives, suite, began, roster, links: vec![link], keys, signers, serials, cosign_every }
    }

    /// The network's name.
    pub fn network(&self) -> Digest {
        self.links.first().map_or(Digest::from_bytes([0; 32]), Link::digest)
    }

    /// The newest roster.
    pub const fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The authority signs the next version, made by `edit` of the newest.
    pub fn next_roster(&mut self, now: Timestamp, edit: &dyn Fn(&mut Roster)) -> Notice {
        let (roster, link) = self.draft(now, edit);
        self.roster = roster;
        self.links.push(link.clone());
        Notice::Roster(link)
    }

    /// The authority's signers sign a next version that they keep to themselves.
    pub fn hidden_roster(&self, now: Timestamp, edit: &dyn Fn(&mut Roster)) -> Notice {
        Notice::Roster(self.draft(now, edit).1)
    }

    /// Every roster above a version, the oldest first: what the authority hands to whoever asks.
    pub fn rosters_since(&self, version: u32) -> impl Iterator<Item = Notice> {
        let known = usize::try_from(version).unwrap_or(usize::MAX);
        self.links.iter().skip(known).cloned().map(Notice::Roster)
    }

    fn draft(&self, now: Timestamp, edit: &dyn Fn(&mut Roster)) -> (Roster, Link) {
        let mut roster = self.roster.clone();
        roster.network = Some(self.network());
        roster.version = roster.version.saturating_add(1);
        (roster.issued, roster.expires) = (now, now.plus(limits::ROSTER_LIFE));
        roster.signers = roster.next_signers.clone();
        edit(&mut roster);
        let link = sign(&roster, &self.signers, self.primitives.as_ref());
        (roster, link)
    }

    /// The keys of an organisation.
    pub fn keys(&self, party: &PartyId) -> Option<&Keys> {
        self.keys.get(party)
    }

    /// The signing key an organisation uses by what roster or credential say now.
    pub fn signing(&self, party: &PartyId) -> Option<&Pair> {
        let keys = self.keys.get(party)?;
        match self.roster.member(party) {
            Some(member) => {
                member.signing.iter().find_map(|public| keys.signing.iter().find(|pair| pair.public == *public))
            }
            None => keys.signing.get(keys.turn),
        }
    }

    /// An organisation makes its next sealing key; its next statement names that one only.
    pub fn rotate_sealing(&mut self, party: &PartyId) -> Option<Arc<dyn SealingKey>> {
        let keys = self.keys.get_mut(party)?;
        keys.sealing = keys.sealing.saturating_add(1);
        self.sealing(party)
    }

    /// The suite of all sealing keys.
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    fn sealing(&self, party: &PartyId) -> Option<Arc<dyn SealingKey>> {
        self.sealing_of(party, self.keys.get(party)?.sealing)
    }

    fn sealing_of(&self, party: &PartyId, generation: u32) -> Option<Arc<dyn SealingKey>> {
        let secret = secret(self.seed, party, "sealing", generation);
        Some(self.primitives.sealing_key(self.suite, &secret).ok()?.into())
    }

    /// An organisation names the transport key that will follow.
    pub fn announce_transport(&mut self, party: &PartyId) {
        let secret = secret(self.seed, party, "transport", 1);
        let next = PublicKey::from_bytes(self.primitives.signing_public(&secret));
        if let Some(keys) = self.keys.get_mut(party) {
            keys.transport.push(next);
        }
    }

    /// The announced transport key takes the place of the one in use, which stays named behind it.
    pub fn swap_transport(&mut self, party: &PartyId) {
        if let Some(keys) = self.keys.get_mut(party) {
            keys.transport.rotate_left(1);
        }
    }

    /// The pseudonymiser evaluates with another key than the roster names, or with that one again.
    pub fn swap_oblivious(&mut self, party: &PartyId) {
        let (seed, other) = (self.seed, secret(self.seed, party, "oblivious", 1));
        if let Some(keys) = self.keys.get_mut(party) {
            let is_other = keys.oblivious.expose() == other.expose();
            keys.oblivious = if is_other { secret(seed, party, "oblivious", 0) } else { other };
        }
    }

    /// An office or hospital goes `turns` signing keys on; its next credential has a serial number of its own.
    pub fn turn_signing(&mut self, party: &PartyId, turns: usize) {
        if let Some(keys) = self.keys.get_mut(party) {
            keys.turn = keys.turn.saturating_add(turns);
        }
        let last = self.serials.values().flatten().max().copied().unwrap_or(0);
        self.serials.entry(party.clone()).or_default().push(last.saturating_add(1));
    }

    /// A fresh gate as every node begins with.
    pub fn gate(&self) -> Option<Gate> {
        let first = self.links.first()?;
        let chain = Chain::begin(self.network(), first, self.primitives.as_ref()).ok()?;
        Some(Gate::begin(chain, vec![Arc::new(first.clone())]))
    }

    /// A gate that knows what everybody was told at `now`: rosters, pulse, lists, and the statements of those members.
    pub fn informed_gate(&self, now: Timestamp, whom: &dyn Fn(&PartyId) -> bool) -> Option<Gate> {
        let members = self.roster.members.iter().filter(|member| whom(&member.party));
        let statements = members.filter_map(|member| self.statement(&member.party, now));
        let notices = self.rosters_since(1).chain(self.notices(now, &[], 1));
        let notices = notices.chain(statements.map(|signed| Notice::Statement(signed.into())));
        let primitives = self.primitives.as_ref();
        Some(
            notices
                .fold(self.gate()?, |gate, notice| gate.learn(&notice, now, primitives).ok().flatten().unwrap_or(gate)),
        )
    }

    /// What the authority and the issuer publish at `now`: pulse and status list, with these serials revoked.
    pub fn notices(&self, now: Timestamp, revoked: &[u64], number: u64) -> Vec<Notice> {
        let Some(first) = self.signers.first() else { return Vec::new() };
        let pulse = Pulse {
            network: self.network(),
            roster: self.roster.version,
            digest: self.links.last().map_or(self.network(), Link::digest),
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
            if let Some(pair) = self.signing(&list.issuer) {
                let signed = list.sign(self.primitives.as_ref(), &pair.public, &pair.secret);
                notices.push(Notice::StatusList(signed.into()));
            }
        }
        notices
    }

    /// The serial number of a holder's newest credential.
    pub fn serial(&self, party: &PartyId) -> Option<u64> {
        self.serials(party).last().copied()
    }

    /// The serial numbers of all credentials a holder had.
    pub fn serials(&self, party: &PartyId) -> &[u64] {
        self.serials.get(party).map(Vec::as_slice).unwrap_or_default()
    }

    /// A member's statement.
    pub fn statement(&self, party: &PartyId, now: Timestamp) -> Option<Vec<u8>> {
        let keys = self.keys.get(party)?;
        self.roster.member(party)?;
        let (sealing, pair) = (self.sealing(party)?, self.signing(party)?);
        let statement = Statement {
            network: self.network(),
            party: party.clone(),
            number: now.unix_ms(),
            issued: now,
            expires: now.plus(LIFE),
            sealing: vec![SealingPublic { suite: self.suite, public: sealing.public() }],
            transport: keys.transport.clone(),
            addresses: vec![format!("/simulated/{party}")],
        };
        Some(statement.sign(self.primitives.as_ref(), &pair.public, &pair.secret))
    }

    /// A holder's credential.
    pub fn credential(&self, party: &PartyId, services: &[ServiceKind], now: Timestamp) -> Option<Vec<u8>> {
        let keys = self.keys.get(party)?;
        let (issuer, _kind) = ISSUERS.into_iter().find(|(_name, kind)| *kind == party.kind())?;
        let issuer = super::founding::party(issuer);
        let issuing = self.signing(&issuer)?;
        let next = keys.signing.get(keys.turn.saturating_add(1))?;
        let credential = Credential {
            network: self.network(),
            party: party.clone(),
            name: party.to_string(),
            services: services.to_vec(),
            signing: self.signing(party)?.public,
            next_signing: next.public.digest(),
            transport: keys.transport.clone(),
            log: keys.log.first()?.public,
            issuer,
            serial: self.serial(party)?,
            issued: now,
            expires: now.plus(limits::CREDENTIAL_LIFE),
        };
        Some(credential.sign(self.primitives.as_ref(), &issuing.public, &issuing.secret))
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
        let member = self.roster.member(party);
        let is_member = member.is_some();
        let signing = self.signing(party)?;
        let identity = Identity {
            seat,
            party: party.clone(),
            signing: self.primitives.signing_key(&signing.secret).into(),
            signing_public: signing.public,
            credential: if is_member { None } else { Some(self.credential(party, services, now)?) },
            label: keys.label.clone(),
            suite: self.suite,
            fresh_encapsulations: false,
            life: limits::REQUEST_LIFE,
        };
        let mut ring = Keyring::new(keys.signing.clone(), keys.log.clone());
        ring.hold(self.suite, self.sealing(party)?, None);
        // Statements that named the keys before it may still be about.
        for generation in 0..keys.sealing {
            ring.hold(self.suite, self.sealing_of(party, generation)?, Some(now.plus(LIFE)));
        }
        let log = match member {
            Some(member) => ring.log(&member.log)?.clone(),
            None => keys.log.first()?.clone(),
        };
        let office = Office {
            requester: Requester::new(identity),
            machine: self.machine(seat, party, keys, &origin, steady),
            keys: ring,
            statement: self.statement(party, now),
            cosigning: Some(Cosigning::new(seat, party.clone(), log.public, self.cosign_every, steady)),
            noting: Noting::new(steady),
        };
        Some((office, Signer { seat, origin, log_secret: log.secret }))
    }

    fn machine(
        &self,
        seat: Seat,
        party: &PartyId,
        keys: &Keys,
        origin: &Origin,
        steady: Steady,
    ) -> Option<Box<dyn protocol::machine::Machine>> {
        let desk =
            Desk { seat, party: party.clone(), origin: origin.clone(), policy: self.roster.policy, quorum_at: None };
        match party.kind() {
            PartyKind::Insurer => {
                let machine = Municipality::new(desk, keys.label.clone(), JUDGE.clone(), steady);
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

fn secret(seed: u64, party: &PartyId, what: &str, generation: u32) -> Secret {
    let name = if generation == 0 { format!("{party} {what}") } else { format!("{party} {what} {generation}") };
    Secret::random(&mut seed::stream(seed, &name))
}

fn keys(seed: u64, party: &PartyId, primitives: &dyn Primitives) -> Keys {
    let secret = |what: &str, generation| secret(seed, party, what, generation);
    let public = |secret: &Secret| PublicKey::from_bytes(primitives.signing_public(secret));
    let pair = |secret: Secret| Pair { public: public(&secret), secret };
    let pairs = |what: &str| (0..GENERATIONS).map(|generation| pair(secret(what, generation))).collect();
    Keys {
        transport: vec![public(&secret("transport", 0))],
        signing: pairs("signing"),
        log: pairs("log"),
        sealing: 0,
        turn: 0,
        label: secret("label", 0),
        oblivious: secret("oblivious", 0),
        cosigning: secret("cosigning", 0),
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
        signing: own.and_then(|keys| keys.signing.first()).map(|pair| pair.public).into_iter().collect(),
        log: own.and_then(|keys| keys.log.first()).map(|pair| pair.public).into_iter().collect(),
        epoch: epoch::FIRST,
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
    let witnesses = members.iter().filter(|member| member.party.kind() == PartyKind::Witness).count();
    Roster {
        network: None,
        version: 1,
        issued: began,
        expires: began.plus(limits::ROSTER_LIFE),
        signers: set.clone(),
        next_signers: set,
        pulse: signers.first().map_or(PublicKey::from_bytes([0; 32]), public),
        suite_min: Suite::X25519,
        policy: JUDGE.digest(),
        // The smallest majority.
        witness_quorum: u8::try_from(witnesses / 2 + 1).unwrap_or(u8::MAX),
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
