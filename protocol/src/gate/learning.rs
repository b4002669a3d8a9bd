//! How the gate learns (周知): a notice is judged first, against what is believed already, and only what is believed
//! is copied into the next gate. Never undoes anything.

use std::sync::Arc;

use crate::cbor;
use crate::id::party::PartyId;
use crate::key::KeyUse;
use crate::ledger::cosignature;
use crate::ledger::epoch::{Opening, OpeningError};
use crate::limits;
use crate::primitives::Primitives;
use crate::roster::{Chain, Link, RosterError};
use crate::statement::{Pulse, Statement};
use crate::status::StatusList;
use crate::time::Timestamp;

use super::{Gate, Learnt, Notice, NoticeError, Signed, name_logs, voucher};

impl Gate {
    /// The gate after believing `notice`; `None` if it tells nothing new. Nothing is copied before it is believed.
    ///
    /// # Errors
    /// [`NoticeError`] if the notice is not to be believed.
    pub fn learn(
        &self,
        notice: &Notice,
        now: Timestamp,
        primitives: &dyn Primitives,
    ) -> Result<Option<Self>, NoticeError> {
        let learnt = match notice {
            Notice::Roster(link) => self.judge_roster(link, primitives)?,
            Notice::Pulse(bytes) => self.judge_pulse(bytes, now, primitives)?,
            Notice::Statement(bytes) => self.judge_statement(bytes, now, primitives)?,
            Notice::StatusList(bytes) => self.judge_list(bytes, now, primitives)?,
            Notice::Opening(bytes) => self.judge_opening(bytes, primitives)?,
        };
        Ok(learnt.map(|learnt| self.with(learnt, now)))
    }

    /// The next gate, which knows this too.
    pub(super) fn with(&self, learnt: Learnt, now: Timestamp) -> Self {
        let mut next = self.clone();
        next.generation = self.generation.saturating_add(1);
        match learnt {
            Learnt::Statement(said) => {
                next.statements.insert(said.value.party.clone(), Arc::new(said));
                return next;
            }
            Learnt::Roster(chain, link) => next.follow(*chain, link),
            Learnt::Pulse(pulse) => next.pulse = Some(Arc::new(pulse)),
            Learnt::List(list) => {
                next.lists.insert(list.value.issuer.clone(), Arc::new(list));
            }
            Learnt::Opening(opened) => {
                let party = opened.value.first.origin.party().clone();
                let known = next.openings.entry(party).or_default();
                known.push(Arc::new(*opened));
                let over = known.len().saturating_sub(limits::OPENINGS_KEPT_MAX);
                known.drain(..over);
            }
        }
        next.compare(now);
        next
    }

    /// Holds what is known against what the pulse names.
    pub(super) fn compare(&mut self, now: Timestamp) {
        let Some(pulse) = &self.pulse else { return };
        let list = |issuer: &PartyId| match self.roster().member(issuer) {
            Some(_issuer) => self.list(issuer).map_or(0, |list| list.number),
            // Whoever is not in the roster issues nothing that would count.
            None => u64::MAX,
        };
        let roster = (self.roster().version, self.chain.digest());
        self.behind = self.behind.after(&pulse.value, roster, &list, now);
    }

    pub(super) fn judge_roster(&self, link: &Link, primitives: &dyn Primitives) -> Result<Option<Learnt>, NoticeError> {
        let version = link.version().ok_or(RosterError::Malformed)?;
        // Versions go up by one from 1, so that a version is a place.
        let place = usize::try_from(version).unwrap_or(usize::MAX).saturating_sub(1);
        if let Some(known) = self.links.get(place) {
            let is_evidence = link.contradicts(known, primitives);
            return if is_evidence { Err(NoticeError::TwoRosters(version)) } else { Ok(None) };
        }
        let chain = self.chain.extend(link, primitives)?;
        Ok(Some(Learnt::Roster(Box::new(chain), link.clone())))
    }

    /// Goes by one more roster.
    pub(super) fn follow(&mut self, chain: Chain, link: Link) {
        self.chain = chain;
        self.links.push(Arc::new(link));
        let roster = self.chain.newest();
        name_logs(Arc::make_mut(&mut self.logs), roster);
        // Whoever signs with a key that the roster no longer names has to say it again.
        let is_signed = |party: &PartyId, bytes: &[u8]| {
            let keys = roster.member(party).map(|member| member.signing.as_slice()).unwrap_or_default();
            voucher(bytes).is_some_and(|key| keys.iter().any(|known| known.id(KeyUse::Signing) == key))
        };
        self.statements.retain(|party, said| is_signed(party, &said.bytes));
        self.lists.retain(|issuer, list| is_signed(issuer, &list.bytes));
        self.openings.retain(|party, _opened| roster.member(party).is_some());
    }

    pub(super) fn judge_pulse(
        &self,
        bytes: &[u8],
        now: Timestamp,
        primitives: &dyn Primitives,
    ) -> Result<Option<Learnt>, NoticeError> {
        if self.pulse.as_ref().is_some_and(|pulse| pulse.bytes == bytes) {
            return Ok(None);
        }
        let value = Pulse::verify(bytes, &self.network(), self.roster(), now, primitives)?;
        let is_news = self.pulse.as_ref().is_none_or(|pulse| pulse.value.issued < value.issued);
        Ok(is_news.then(|| Learnt::Pulse(Signed { value, bytes: bytes.to_vec() })))
    }

    pub(super) fn judge_statement(
        &self,
        bytes: &[u8],
        now: Timestamp,
        primitives: &dyn Primitives,
    ) -> Result<Option<Learnt>, NoticeError> {
        let is_known =
            |said: &Statement| self.statements.get(&said.party).is_some_and(|known| known.value.number >= said.number);
        // Of what is older than the one at hand no signature is worth verifying.
        if Statement::own(bytes).is_some_and(|claimed| is_known(&claimed)) {
            return Ok(None);
        }
        let value = Statement::verify(bytes, &self.network(), self.roster(), now, primitives)?;
        Ok((!is_known(&value)).then(|| Learnt::Statement(Signed { value, bytes: bytes.to_vec() })))
    }

    pub(super) fn judge_list(
        &self,
        bytes: &[u8],
        now: Timestamp,
        primitives: &dyn Primitives,
    ) -> Result<Option<Learnt>, NoticeError> {
        if self.lists.values().any(|list| list.bytes == bytes) {
            return Ok(None);
        }
        let value = StatusList::verify(bytes, &self.network(), self.roster(), now, primitives)?;
        let is_news = self.lists.get(&value.issuer).is_none_or(|known| known.value.number < value.number);
        Ok(is_news.then(|| Learnt::List(Signed { value, bytes: bytes.to_vec() })))
    }

    /// The next epoch of a member: signed by its log key, its old end cosigned, its beginning cosigned by a quorum.
    /// Numbers may be left out: of beginnings that too few cosigned nobody is told.
    pub(super) fn judge_opening(
        &self,
        bytes: &[u8],
        primitives: &dyn Primitives,
    ) -> Result<Option<Learnt>, NoticeError> {
        if bytes.len() > limits::OPENING_BYTES_MAX {
            return Err(OpeningError::Malformed.into());
        }
        let opening: Opening = cbor::decode(bytes).map_err(|_malformed| OpeningError::Malformed)?;
        let party = opening.claimed().ok_or(OpeningError::Malformed)?;
        let member = self.roster().member(&party).ok_or(OpeningError::NotAMember)?;
        if self.openings.get(&party).into_iter().flatten().any(|known| known.bytes == bytes) {
            return Ok(None);
        }
        // An epoch may have begun under a log key that the roster has retired since; the witnesses vouch for it.
        let logs: Vec<_> = self.logs.get(&party).into_iter().flatten().map(|key| *key.as_bytes()).collect();
        let found = opening.check(primitives, &logs)?;
        if !found.first.origin.is_in(&self.network()) {
            return Err(OpeningError::Malformed.into());
        }
        let mut known = self.openings.get(&party).into_iter().flatten();
        let known = known.find(|known| known.value.first.origin == found.first.origin);
        if known.is_some_and(|known| known.value.first == found.first) {
            return Ok(None);
        }
        if known.is_none() && found.first.origin.epoch() <= self.origin(member).epoch() {
            return Err(OpeningError::NotNext.into());
        }
        let (witnesses, quorum) = (self.witnesses(&party), self.quorum(&party));
        let ended = cosignature::count(primitives, &found.previous_note, &witnesses) >= quorum.min(1);
        let begun = cosignature::count(primitives, &found.first_note, &witnesses) >= quorum;
        match (ended && begun, known) {
            (false, _) => Err(OpeningError::TooFewWitnesses.into()),
            (true, Some(_first)) => Err(OpeningError::Forked.into()),
            (true, None) => Ok(Some(Learnt::Opening(Box::new(Signed { value: found, bytes: bytes.to_vec() })))),
        }
    }
}
