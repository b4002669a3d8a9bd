//! The gate (関門): a snapshot of whom this node believes — roster, pulse, statements, status lists — that
//! workers share without locks. Each change makes a new gate with a higher generation. The only maker
//! of [`Standing`].

use std::collections::BTreeMap;
use std::sync::Arc;

use minicbor::{Decode, Encode};

use crate::cbor;
use crate::code::service::ServiceKind;
use crate::credential::{Credential, CredentialError};
use crate::digest::Digest;
use crate::id::party::PartyId;
use crate::key::{KeyId, KeyUse, PublicKey};
use crate::limits;
use crate::primitives::Primitives;
use crate::roster::{Chain, Link, Member, Roster, RosterError};
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
    pub statement: Option<minicbor::bytes::ByteVec>,
    /// An office's or hospital's credential.
    #[n(3)]
    pub credential: Option<minicbor::bytes::ByteVec>,
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
    Pulse(#[n(0)] minicbor::bytes::ByteVec),
    /// A member's statement.
    #[n(2)]
    Statement(#[n(0)] minicbor::bytes::ByteVec),
    /// An issuer's status list.
    #[n(3)]
    StatusList(#[n(0)] minicbor::bytes::ByteVec),
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
        Self { generation: 1, chain, links, pulse: None, statements: BTreeMap::new(), lists: BTreeMap::new() }
    }

    /// Up by one with each change.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The network's name.
    pub const fn network(&self) -> Digest {
        self.chain.network()
    }

    /// The newest roster.
    pub const fn roster(&self) -> &Roster {
        self.chain.newest()
    }

    /// A member's newest statement, if it is valid at `now`.
    pub fn statement(&self, party: &PartyId, now: Timestamp) -> Option<&Statement> {
        self.statements.get(party).map(|signed| &signed.value).filter(|statement| statement.is_current(now))
    }

    /// An issuer's newest status list.
    pub fn list(&self, issuer: &PartyId) -> Option<&StatusList> {
        self.lists.get(issuer).map(|signed| &signed.value)
    }

    /// Everything a node that knows rosters up to `version` needs to catch up.
    pub fn notices_since(&self, version: u32) -> Vec<Notice> {
        let behind = self.links.iter().filter(|link| link.claimed().is_ok_and(|roster| roster.version > version));
        let mut notices: Vec<_> = behind.map(|link| Notice::Roster(link.as_ref().clone())).collect();
        notices.extend(self.pulse.iter().map(|pulse| Notice::Pulse(pulse.bytes.clone().into())));
        notices.extend(self.lists.values().map(|list| Notice::StatusList(list.bytes.clone().into())));
        notices.extend(self.statements.values().map(|signed| Notice::Statement(signed.bytes.clone().into())));
        notices
    }

    /// How far this gate is to be relied on at `now`.
    pub fn condition(&self, now: Timestamp) -> Condition {
        if !self.roster().is_current(now) {
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
    }

    fn admit_member(
        &self,
        member: &Member,
        statement: &[u8],
        peer: &PublicKey,
        now: Timestamp,
        primitives: &dyn Primitives,
    ) -> Result<Standing, NotAdmitted> {
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
        let list = self.list(&credential.issuer);
        credential.counts(list, now)?;
        if credential.party != *party || !credential.transport.contains(peer) {
            return Err(NotAdmitted::WrongTransport);
        }
        Ok(Standing {
            party: credential.party.clone(),
            services: credential.services.clone(),
            signing: vec![credential.signing],
            roster: self.roster().version,
            list: list.map_or(0, |list| list.number),
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

    /// Whether what was verified under an older gate still holds under this one.
    pub fn still_stands(&self, standing: &Standing, now: Timestamp) -> bool {
        match &standing.credential {
            None => self.roster().member(&standing.party).is_some_and(|member| member.signing == standing.signing),
            Some((_digest, credential)) => {
                let issuer = self.roster().member(&credential.issuer).and_then(|member| member.issues.as_ref());
                issuer.is_some_and(|limits| limits.permit(&credential.party, &credential.services))
                    && credential.is_current(now)
                    && credential.counts(self.list(&credential.issuer), now).is_ok()
            }
        }
    }

    /// The gate after believing `notice`; `None` if it tells nothing new.
    ///
    /// # Errors
    /// [`NoticeError`] if the notice is not to be believed.
    pub fn learn(
        &self,
        notice: &Notice,
        now: Timestamp,
        primitives: &dyn Primitives,
    ) -> Result<Option<Self>, NoticeError> {
        let mut next = self.clone();
        next.generation = self.generation.saturating_add(1);
        let is_news = match notice {
            Notice::Roster(link) => next.take_roster(link, primitives)?,
            Notice::Pulse(bytes) => next.take_pulse(bytes, now, primitives)?,
            Notice::Statement(bytes) => next.take_statement(bytes, now, primitives)?,
            Notice::StatusList(bytes) => next.take_list(bytes, now, primitives)?,
        };
        Ok(is_news.then_some(next))
    }

    fn take_roster(&mut self, link: &Link, primitives: &dyn Primitives) -> Result<bool, NoticeError> {
        let version = link.claimed()?.version;
        if version < self.roster().version || link.digest() == self.chain.digest() {
            return Ok(false);
        }
        self.chain = self.chain.extend(link, primitives)?;
        self.links.push(Arc::new(link.clone()));
        let roster = self.chain.newest();
        self.statements.retain(|party, _statement| roster.member(party).is_some());
        Ok(true)
    }

    fn take_pulse(&mut self, bytes: &[u8], now: Timestamp, primitives: &dyn Primitives) -> Result<bool, NoticeError> {
        if self.pulse.as_ref().is_some_and(|pulse| pulse.bytes == bytes) {
            return Ok(false);
        }
        let value = Pulse::verify(bytes, &self.network(), self.roster(), now, primitives)?;
        if self.pulse.as_ref().is_some_and(|pulse| pulse.value.issued >= value.issued) {
            return Ok(false);
        }
        self.pulse = Some(Arc::new(Signed { value, bytes: bytes.to_vec() }));
        Ok(true)
    }

    fn take_statement(
        &mut self,
        bytes: &[u8],
        now: Timestamp,
        primitives: &dyn Primitives,
    ) -> Result<bool, NoticeError> {
        if self.statements.values().any(|statement| statement.bytes == bytes) {
            return Ok(false);
        }
        let value = Statement::verify(bytes, &self.network(), self.roster(), now, primitives)?;
        if self.statements.get(&value.party).is_some_and(|known| known.value.number >= value.number) {
            return Ok(false);
        }
        let party = value.party.clone();
        self.statements.insert(party, Arc::new(Signed { value, bytes: bytes.to_vec() }));
        Ok(true)
    }

    fn take_list(&mut self, bytes: &[u8], now: Timestamp, primitives: &dyn Primitives) -> Result<bool, NoticeError> {
        if self.lists.values().any(|list| list.bytes == bytes) {
            return Ok(false);
        }
        let value = StatusList::verify(bytes, &self.network(), self.roster(), now, primitives)?;
        if self.lists.get(&value.issuer).is_some_and(|known| known.value.number >= value.number) {
            return Ok(false);
        }
        let issuer = value.issuer.clone();
        self.lists.insert(issuer, Arc::new(Signed { value, bytes: bytes.to_vec() }));
        Ok(true)
    }
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

    /// The signing key of that id.
    pub fn signing_key(&self, id: KeyId) -> Option<&PublicKey> {
        self.signing.iter().find(|key| key.id(KeyUse::Signing) == id)
    }

    /// SHA-256 of its credential.
    pub fn credential(&self) -> Option<Digest> {
        self.credential.as_ref().map(|(digest, _credential)| *digest)
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
