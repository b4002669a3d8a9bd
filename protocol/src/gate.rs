//! The gate (関門): a snapshot of whom this node believes — roster, pulse, statements, status lists — that
//! workers share without locks. Each change makes a new gate with a higher generation. The only maker
//! of [`Standing`].

pub mod behind;
mod learning;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use behind::Behind;
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::cbor;
use crate::code::service::ServiceKind;
use crate::credential::{Credential, CredentialError};
use crate::digest::Digest;
use crate::id::party::{PartyId, PartyKind};
use crate::key::{KeyId, KeyUse, PublicKey};
use crate::ledger::cosignature::{self, WitnessName};
use crate::ledger::epoch::{self, Begun, OpeningError};
use crate::ledger::origin::Origin;
use crate::limits;
use crate::primitives::Primitives;
use crate::refusal::Refusal;
use crate::roster::{Chain, Link, Member, Roster, RosterError};
use crate::sign1::Unverified;
use crate::statement::{Pulse, Statement, StatementError};
use crate::status::StatusList;
use crate::time::Timestamp;

/// Whom this node believes, at one generation.
#[derive(Clone, Debug)]
pub struct Gate {
    generation: u64,
    chain: Chain,
    links: Vec<Arc<Link>>,
    pulse: Option<Arc<Signed<Pulse>>>,
    statements: BTreeMap<PartyId, Arc<Signed<Statement>>>,
    lists: BTreeMap<PartyId, Arc<Signed<StatusList>>>,
    behind: Behind,
    openings: BTreeMap<PartyId, Vec<Arc<Signed<Begun>>>>,
    /// Every log key that a roster of the chain ever named.
    logs: Arc<BTreeMap<PartyId, BTreeSet<PublicKey>>>,
}

/// A believed object and the bytes it came as, so that it can be handed on.
#[derive(Clone, Debug)]
pub struct Signed<T> {
    /// What it says.
    pub value: T,
    /// The signed bytes.
    pub bytes: Vec<u8>,
}

/// How an organisation introduces itself on a new connection (名乗り).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Presentation {
    /// The network it takes part in.
    #[n(0)]
    pub network: Digest,
    /// Who it is.
    #[n(1)]
    pub party: PartyId,
    /// A member's statement.
    #[n(2)]
    pub statement: Option<ByteVec>,
    /// An office's or hospital's credential.
    #[n(3)]
    pub credential: Option<ByteVec>,
    /// The newest roster version it knows.
    #[n(4)]
    pub roster: u32,
}

/// An organisation whose presentation was verified: what it may sign with, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    party: PartyId,
    services: Vec<ServiceKind>,
    signing: Vec<PublicKey>,
    credential: Option<(Digest, Credential)>,
    /// The key that vouched: the member's own under its statement, the issuer's under a credential.
    voucher: KeyId,
    /// The newest roster version its presentation named.
    named: u32,
    roster: u32,
    list: u64,
}

/// A signed object that nodes hand on to each other.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Notice {
    /// One roster of the chain.
    #[n(0)]
    Roster(#[n(0)] Link),
    /// The pulse.
    #[n(1)]
    Pulse(#[n(0)] ByteVec),
    /// A member's statement.
    #[n(2)]
    Statement(#[n(0)] ByteVec),
    /// An issuer's status list.
    #[n(3)]
    StatusList(#[n(0)] ByteVec),
    /// The beginning of a member's epoch: an [`Opening`](crate::ledger::epoch::Opening).
    #[n(4)]
    Opening(#[n(0)] ByteVec),
}

/// Why somebody was not admitted on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum NotAdmitted {
    /// The presentation is malformed or of another network.
    #[error("the presentation is malformed or of another network")]
    Malformed,
    /// Neither a member nor the holder of a credential.
    #[error("neither a member nor the holder of a credential")]
    Stranger,
    /// The connection's transport key is not one of the organisation's.
    #[error("the connection is not the organisation's")]
    WrongTransport,
    /// Our own roster is out of date; nobody is admitted.
    #[error("our roster is out of date")]
    NoCurrentRoster,
    /// The credential does not count.
    #[error("the credential does not count: {0}")]
    Credential(#[from] CredentialError),
}

/// How far the gate itself is to be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Roster and pulse are current.
    Fresh,
    /// No fresh pulse, for less than [`limits::PULSE_GRACE`].
    Degraded,
    /// No current roster, or no pulse for too long: nothing is decided.
    Closed,
}

impl Gate {
    /// The first gate, from a chain of at least one roster and the links it was made of.
    pub fn begin(chain: Chain, links: Vec<Arc<Link>>) -> Self {
        let mut logs = BTreeMap::new();
        links.iter().filter_map(|link| link.claimed().ok()).for_each(|roster| name_logs(&mut logs, &roster));
        Self {
            generation: 1,
            chain,
            links,
            logs: Arc::new(logs),
            pulse: None,
            statements: BTreeMap::new(),
            lists: BTreeMap::new(),
            behind: Behind::default(),
            openings: BTreeMap::new(),
        }
    }

    /// Up by one with each change.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The network's name.
    pub const fn network(&self) -> Digest {
        self.chain.network()
    }

    /// The digest of the newest roster.
    pub const fn roster_digest(&self) -> Digest {
        self.chain.digest()
    }

    /// Every log key that a roster of the chain ever named for a member.
    pub fn logs(&self, party: &PartyId) -> impl Iterator<Item = &PublicKey> {
        self.logs.get(party).into_iter().flatten()
    }

    /// The newest roster.
    pub fn roster(&self) -> &Roster {
        self.chain.newest()
    }

    /// A member's newest statement, if it is valid at `now`.
    pub fn statement(&self, party: &PartyId, now: Timestamp) -> Option<&Statement> {
        self.statements.get(party).map(|signed| &signed.value).filter(|statement| statement.is_current(now))
    }

    /// Whether statements are wanted of whoever is met under this transport key: nobody is known to have it, a statement
    /// that was known is over, or one of somebody whom everybody needs is not known.
    pub fn lacks_statements(&self, peer: &PublicKey, now: Timestamp) -> bool {
        let is_known = self.statements.values().any(|said| said.value.transport.contains(peer));
        let kinds = [PartyKind::Directory, PartyKind::Pseudonymiser, PartyKind::Witness];
        let mut needed = kinds.into_iter().flat_map(|kind| self.roster().of_kind(kind));
        let is_over = |said: &Arc<Signed<Statement>>| !said.value.is_current(now);
        !is_known
            || self.statements.values().any(is_over)
            || needed.any(|member| self.statement(&member.party, now).is_none())
    }

    /// An issuer's newest status list.
    pub fn list(&self, issuer: &PartyId) -> Option<&StatusList> {
        self.lists.get(issuer).map(|signed| &signed.value)
    }

    /// What the pulse names and this gate does not have.
    pub const fn behind(&self) -> &Behind {
        &self.behind
    }

    /// The ledger a member keeps: that of its open epoch, which is the roster's unless a later one was opened.
    pub fn origin(&self, member: &Member) -> Origin {
        let opened = self.opening(&member.party).map(|opened| opened.first.origin.clone());
        opened.unwrap_or_else(|| Origin::new(&self.network(), &member.party, member.epoch))
    }

    /// The ledger that anybody keeps: a member's as [`Gate::origin`] says, everybody else's first; so an office's, and
    /// that of whoever starts before a roster names it.
    pub fn ledger_of(&self, party: &PartyId) -> Origin {
        let member = self.roster().member(party);
        member.map_or_else(|| Origin::new(&self.network(), party, epoch::FIRST), |member| self.origin(member))
    }

    /// How a member's open epoch began, unless it is its first.
    pub fn opening(&self, party: &PartyId) -> Option<&Begun> {
        self.openings.get(party)?.last().map(|signed| &signed.value)
    }

    /// The members whose open epoch is not their first.
    pub fn reopened(&self) -> impl Iterator<Item = (&PartyId, &Begun)> {
        self.openings.iter().filter_map(|(party, opened)| Some((party, &opened.last()?.value)))
    }

    /// The witnesses of `party`'s ledger: all of the roster but itself.
    pub fn witnesses(&self, party: &PartyId) -> Vec<cosignature::Witness> {
        let others = self.roster().of_kind(PartyKind::Witness).filter(|member| member.party != *party);
        let witness = |member: &Member| {
            let name = WitnessName::parse(&member.party.to_string())?;
            Some(cosignature::Witness { name, public: *member.cosigning?.as_bytes() })
        };
        others.filter_map(witness).collect()
    }

    /// How many witnesses must have cosigned a head of `party`'s ledger; 0 in a network without witnesses.
    pub fn quorum(&self, party: &PartyId) -> usize {
        usize::from(self.roster().witness_quorum).min(self.witnesses(party).len())
    }

    /// The rosters above `version`, at most `count` of them, the oldest first.
    pub fn rosters_since(&self, version: u32, count: usize) -> Vec<Notice> {
        // Versions go up by one from 1, so that a version is a place.
        let known = usize::try_from(version).unwrap_or(usize::MAX);
        self.links.iter().skip(known).take(count).map(|link| Notice::Roster(link.as_ref().clone())).collect()
    }

    /// What a node that knows rosters up to `version` needs to catch up, without the first `skipped`: rosters first, and
    /// pulse, lists, epochs and (if `statements`) statements only behind the last of them, because they are believed by
    /// it. Nothing is copied before it is taken.
    pub fn notices_since(&self, version: u32, statements: bool, skipped: usize) -> impl Iterator<Item = Notice> {
        let rosters = self.rosters_since(version, limits::LINKS_PER_FETCH_MAX);
        let reached = usize::try_from(version).unwrap_or(usize::MAX).saturating_add(rosters.len());
        let beside = (reached >= self.links.len()).then(|| self.beside(statements)).into_iter().flatten();
        let beside = beside.skip(skipped.saturating_sub(rosters.len()));
        rosters.into_iter().skip(skipped).chain(beside.map(|(make, bytes)| make(bytes.to_vec().into())))
    }

    /// Pulse, status lists, beginnings of epochs and, if wanted, statements.
    pub fn beside_rosters(&self, statements: bool) -> Vec<Notice> {
        self.beside(statements).map(|(make, bytes)| make(bytes.to_vec().into())).collect()
    }

    /// The same by reference, with what makes a notice of each.
    fn beside(&self, statements: bool) -> impl Iterator<Item = (fn(ByteVec) -> Notice, &[u8])> {
        let of = |make: fn(ByteVec) -> Notice| move |bytes| (make, bytes);
        let pulse = self.pulse.iter().map(|pulse| pulse.bytes.as_slice()).map(of(Notice::Pulse));
        let lists = self.lists.values().map(|list| list.bytes.as_slice()).map(of(Notice::StatusList));
        let signed = self.statements.values().filter(move |_statement| statements);
        let signed = signed.map(|signed| signed.bytes.as_slice()).map(of(Notice::Statement));
        let opened = self.openings.values().filter_map(|opened| Some(opened.last()?.bytes.as_slice()));
        pulse.chain(lists).chain(signed).chain(opened.map(of(Notice::Opening)))
    }

    /// How far this gate is to be relied on at `now`.
    pub fn condition(&self, now: Timestamp) -> Condition {
        if !self.roster().is_current(now) || self.behind.roster_overdue(now) {
            return Condition::Closed;
        }
        match &self.pulse {
            Some(pulse) if now < pulse.value.expires => Condition::Fresh,
            Some(pulse) if now < pulse.value.expires.plus(limits::PULSE_GRACE) => Condition::Degraded,
            _ => Condition::Closed,
        }
    }

    /// Verifies a presentation made on a connection whose other end proved `peer`.
    ///
    /// # Errors
    /// [`NotAdmitted`] saying why not.
    pub fn admit(
        &self,
        bytes: &[u8],
        peer: &PublicKey,
        now: Timestamp,
        primitives: &dyn Primitives,
    ) -> Result<Standing, NotAdmitted> {
        let shown: Presentation = cbor::decode(bytes).map_err(|_error| NotAdmitted::Malformed)?;
        if shown.network != self.network() {
            return Err(NotAdmitted::Malformed);
        }
        if !self.roster().is_current(now) {
            return Err(NotAdmitted::NoCurrentRoster);
        }
        match (self.roster().member(&shown.party), &shown.statement, &shown.credential) {
            (Some(member), Some(statement), None) => self.admit_member(member, statement, peer, now, primitives),
            (None, None, Some(credential)) => self.admit_holder(&shown.party, credential, peer, now, primitives),
            _ => Err(NotAdmitted::Stranger),
        }
        .map(|standing| Standing { named: shown.roster, ..standing })
    }

    fn admit_member(
        &self,
        member: &Member,
        statement: &[u8],
        peer: &PublicKey,
        now: Timestamp,
        primitives: &dyn Primitives,
    ) -> Result<Standing, NotAdmitted> {
        let voucher = voucher(statement).ok_or(NotAdmitted::Malformed)?;
        let statement = Statement::verify(statement, &self.network(), self.roster(), now, primitives)
            .map_err(|_error| NotAdmitted::Stranger)?;
        if statement.party != member.party || !statement.transport.contains(peer) {
            return Err(NotAdmitted::WrongTransport);
        }
        Ok(Standing {
            party: member.party.clone(),
            services: Vec::new(),
            signing: member.signing.clone(),
            credential: None,
            voucher,
            named: self.roster().version,
            roster: self.roster().version,
            list: 0,
        })
    }

    fn admit_holder(
        &self,
        party: &PartyId,
        bytes: &[u8],
        peer: &PublicKey,
        now: Timestamp,
        primitives: &dyn Primitives,
    ) -> Result<Standing, NotAdmitted> {
        let credential = Credential::verify(bytes, &self.network(), self.roster(), now, primitives)?;
        self.counts(&credential, now)?;
        if credential.party != *party || !credential.transport.contains(peer) {
            return Err(NotAdmitted::WrongTransport);
        }
        Ok(Standing {
            party: credential.party.clone(),
            services: credential.services.clone(),
            signing: vec![credential.signing],
            voucher: voucher(bytes).ok_or(NotAdmitted::Malformed)?,
            named: self.roster().version,
            roster: self.roster().version,
            list: self.list(&credential.issuer).map_or(0, |list| list.number),
            credential: Some((Digest::of(bytes), credential)),
        })
    }

    /// The standing of an organisation that this very process serves: it needs no connection.
    pub fn own(
        &self,
        party: &PartyId,
        credential: Option<&[u8]>,
        now: Timestamp,
        primitives: &dyn Primitives,
    ) -> Option<Standing> {
        match credential {
            None => self.roster().member(party).map(|member| Standing {
                party: member.party.clone(),
                services: Vec::new(),
                signing: member.signing.clone(),
                credential: None,
                // Nobody vouches: this process answers for itself.
                voucher: KeyId::from_bytes([0; 16]),
                named: self.roster().version,
                roster: self.roster().version,
                list: 0,
            }),
            Some(bytes) => {
                let own = Credential::verify(bytes, &self.network(), self.roster(), now, primitives).ok()?;
                let transport = *own.transport.first()?;
                self.admit_holder(party, bytes, &transport, now, primitives).ok()
            }
        }
    }

    /// Whether a credential counts: not revoked by a list that is at hand, current, and not older than the pulse
    /// has named for longer than [`limits::CATCH_UP`].
    ///
    /// # Errors
    /// [`CredentialError`] saying why not.
    pub fn counts(&self, credential: &Credential, now: Timestamp) -> Result<(), CredentialError> {
        credential.counts(self.list(&credential.issuer), now)?;
        if self.behind.list_overdue(&credential.issuer, now) { Err(CredentialError::ListBehind) } else { Ok(()) }
    }

    /// Whether what was verified under an older gate, by the signing key of that id, holds under this one. All
    /// that verification took from its gate is asked again here, so that a request passes only as it would
    /// if it were opened now.
    ///
    /// # Errors
    /// [`Refusal::NoLongerStanding`]; [`Refusal::OutOfDate`] if it is our own status list that is missing.
    pub fn stands(&self, standing: &Standing, key: KeyId, now: Timestamp) -> Result<(), Refusal> {
        self.holds(standing, now)?;
        let keys = match (&standing.credential, self.roster().member(&standing.party)) {
            (None, Some(member)) => member.signing.as_slice(),
            _ => standing.signing.as_slice(),
        };
        let is_known = keys.iter().any(|known| known.id(KeyUse::Signing) == key);
        if is_known { Ok(()) } else { Err(Refusal::NoLongerStanding) }
    }

    /// The standing as it is under this gate: the keys, roster and list of now.
    ///
    /// # Errors
    /// As [`Gate::stands`].
    pub fn renewed(&self, standing: &Standing, now: Timestamp) -> Result<Standing, Refusal> {
        self.holds(standing, now)?;
        let roster = self.roster().version;
        let signing = match (&standing.credential, self.roster().member(&standing.party)) {
            (None, Some(member)) => member.signing.clone(),
            _ => standing.signing.clone(),
        };
        let list = standing.issuer().and_then(|issuer| self.list(issuer)).map_or(0, |list| list.number);
        Ok(Standing { signing, roster, list, ..standing.clone() })
    }

    /// Whether a member is still one, and a credential still counts.
    fn holds(&self, standing: &Standing, now: Timestamp) -> Result<(), Refusal> {
        let Some(credential) = standing.shown() else {
            return self.roster().member(&standing.party).map(|_member| ()).ok_or(Refusal::NoLongerStanding);
        };
        let issuer = self.roster().member(&credential.issuer).ok_or(Refusal::NoLongerStanding)?;
        let limits = issuer.issues.as_ref();
        let is_issued = limits.is_some_and(|limits| limits.permit(&credential.party, &credential.services))
            && issuer.signing.iter().any(|key| key.id(KeyUse::Signing) == standing.voucher);
        if !is_issued || !credential.is_current(now) {
            return Err(Refusal::NoLongerStanding);
        }
        self.counts(credential, now).map_err(|error| match error {
            CredentialError::ListBehind => Refusal::OutOfDate,
            _ => Refusal::NoLongerStanding,
        })
    }

    /// The standing for its connection: as [`Gate::renewed`], but a member's statement must still be signed by a
    /// key of the roster.
    pub fn still_admitted(&self, standing: &Standing, now: Timestamp) -> Option<Standing> {
        let renewed = match self.renewed(standing, now) {
            // Not revoked: our own list is missing, and each question is refused for it.
            Err(Refusal::OutOfDate) => standing.clone(),
            renewed => renewed.ok()?,
        };
        let is_vouched = renewed.credential.is_some() || renewed.signing_key(renewed.voucher).is_some();
        is_vouched.then_some(renewed)
    }
}

/// What a notice told that is new, and believed.
enum Learnt {
    Roster(Box<Chain>, Link),
    Pulse(Signed<Pulse>),
    Statement(Signed<Statement>),
    List(Signed<StatusList>),
    Opening(Box<Signed<Begun>>),
}

/// Why a notice was not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoticeError {
    /// Not the next roster.
    #[error(transparent)]
    Roster(#[from] RosterError),
    /// Not a statement, pulse or list to be believed.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// A second roster of a version that is known, signed by the same signers: evidence against them.
    #[error("two rosters of version {0} are signed")]
    TwoRosters(u32),
    /// Not the beginning of an epoch.
    #[error(transparent)]
    Opening(#[from] OpeningError),
}

/// Takes note of the log keys that a roster names.
fn name_logs(logs: &mut BTreeMap<PartyId, BTreeSet<PublicKey>>, roster: &Roster) {
    for member in &roster.members {
        logs.entry(member.party.clone()).or_default().extend(&member.log);
    }
}

/// The id of the key that signed.
fn voucher(bytes: &[u8]) -> Option<KeyId> {
    Unverified::parse(bytes).ok().map(|signed| signed.key())
}

impl Standing {
    /// Who it is.
    pub const fn party(&self) -> &PartyId {
        &self.party
    }

    /// The service kinds it is designated for.
    pub fn services(&self) -> &[ServiceKind] {
        &self.services
    }

    /// The issuer of its credential.
    pub fn issuer(&self) -> Option<&PartyId> {
        self.credential.as_ref().map(|(_digest, credential)| &credential.issuer)
    }

    /// The signing key of that id.
    pub fn signing_key(&self, id: KeyId) -> Option<&PublicKey> {
        self.signing.iter().find(|key| key.id(KeyUse::Signing) == id)
    }

    /// Its credential, unless it is a member.
    pub fn shown(&self) -> Option<&Credential> {
        self.credential.as_ref().map(|(_digest, credential)| credential)
    }

    /// The key of its ledger, if it holds a credential; that of a member is in the roster.
    pub fn log(&self) -> Option<PublicKey> {
        self.credential.as_ref().map(|(_digest, credential)| credential.log)
    }

    /// SHA-256 of its credential.
    pub fn credential(&self) -> Option<Digest> {
        self.credential.as_ref().map(|(digest, _credential)| *digest)
    }

    /// The newest roster version its presentation named.
    pub const fn named(&self) -> u32 {
        self.named
    }

    /// The roster version it was verified under.
    pub const fn roster(&self) -> u32 {
        self.roster
    }

    /// The number of the status list it was verified under; 0 for members.
    pub const fn list(&self) -> u64 {
        self.list
    }
}
