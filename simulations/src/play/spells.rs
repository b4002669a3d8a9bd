//! Spells (一時の障害): what befalls some hosts for a while, and how each of them comes back from it.

use protocol::id::party::{PartyId, PartyKind};
use protocol::ledger::epoch;
use protocol::time::Span;
use toml::Spanned;

use super::{FALL_STEP, FALL_STEPS, PlayError, SEEN_BY_ALL, Stage, WRITES_MAX};
use crate::guarantee::{Decided, Ledger, SetBack};
use crate::played::Band;
use crate::scenario::{Ill, Spell};
use crate::seed::{below, pick};
use crate::world::fate::Edited;
use crate::world::wire::Parting;

impl Stage {
    /// Ends what ends before this question, and begins what begins.
    pub(super) fn turn_spells(&mut self, spells: &[Spanned<Spell>], number: u64) {
        let spells = || spells.iter().map(Spanned::get_ref);
        for spell in spells().filter(|spell| spell.until_question() == number) {
            let now = self.world.passed();
            let is_it = |band: &&mut Band| band.what == spell.what && band.whom == spell.whom;
            if let Some(band) = self.bands.iter_mut().filter(is_it).find(|band| band.until.is_none()) {
                band.until = Some(now);
            }
            for party in self.befallen(spell) {
                self.lift(spell, &party);
            }
        }
        for spell in spells().filter(|spell| spell.from_question == number) {
            let from = self.world.passed();
            self.bands.push(Band { what: spell.what, whom: spell.whom, from, until: None });
            for party in self.befallen(spell) {
                self.inflict(spell, &party);
            }
        }
        let lasts = |spell: &&Spell| spell.from_question <= number && number < spell.until_question();
        let parts = |spell: &Spell| {
            let hears = match spell.what {
                Ill::CutOff => false,
                Ill::Mute => true,
                Ill::Stopped
                | Ill::Clock
                | Ill::SetBack
                | Ill::Revoked
                | Ill::DiskFull
                | Ill::IndexLost
                | Ill::BitRot
                | Ill::Misevaluates
                | Ill::Paused
                | Ill::Drift => return None,
            };
            Some(Parting { some: self.befallen(spell).into_iter().collect(), hears })
        };
        let partings = spells().filter(lasts).filter_map(parts).collect();
        self.world.part_hosts(partings);
    }

    fn inflict(&mut self, spell: &Spell, party: &PartyId) {
        match spell.what {
            Ill::Stopped => {
                self.count.add(|injected| &mut injected.stopped);
                self.shut_down(party);
            }
            Ill::IndexLost => self.shut_down(party),
            Ill::DiskFull => self.world.cramp(party, spell.room_kib.unwrap_or(0).saturating_mul(1024)),
            Ill::Clock => {
                self.count.add(|injected| &mut injected.misset);
                self.world.set_clock(party, spell.off_s.unwrap_or(0));
            }
            Ill::SetBack | Ill::BitRot => {
                if let (Some(stands), Some(image)) = (self.world.stands(party), self.world.image(party)) {
                    self.images.insert(party.clone(), (stands, image));
                }
            }
            Ill::Revoked => {
                self.count.add(|injected| &mut injected.revoked);
                self.world.run();
                self.revoked.insert(party.clone());
                let next = self.world.edition().saturating_add(1);
                self.world.revoke(core::slice::from_ref(party), next);
            }
            Ill::Paused => {
                self.count.add(|injected| &mut injected.paused);
                self.world.pause(party);
            }
            Ill::Drift => {
                self.count.add(|injected| &mut injected.drifted);
                self.world.let_drift(party, spell.drift_ppm.unwrap_or(0));
            }
            Ill::Misevaluates => {
                self.count.add(|injected| &mut injected.misevaluated);
                self.evaluate_otherwise(party);
            }
            Ill::CutOff | Ill::Mute => {}
        }
    }

    fn lift(&mut self, spell: &Spell, party: &PartyId) {
        match spell.what {
            Ill::Stopped => self.start_again(party),
            Ill::IndexLost => {
                self.count.add(|injected| &mut injected.unindexed);
                self.world.lose_index(party);
                self.start_again(party);
            }
            Ill::DiskFull => {
                self.world.make_room(party);
                if !self.world.runs(party) {
                    self.start_again(party);
                }
            }
            Ill::Clock | Ill::Drift => self.world.set_clock(party, 0),
            Ill::Paused => self.world.resume(party),
            Ill::SetBack => self.set_back(party),
            Ill::BitRot => self.rot(party),
            Ill::Revoked => {
                self.revoked.remove(party);
                self.world.founding_mut().turn_signing(party, 1);
                self.world.renew(party);
                self.world.run();
            }
            Ill::Misevaluates => self.evaluate_otherwise(party),
            Ill::CutOff | Ill::Mute => {}
        }
    }

    pub(super) fn shut_down(&mut self, party: &PartyId) {
        self.orphan(party);
        self.world.stop(party);
    }

    /// A pseudonymiser starts anew with another key, or with its own again.
    fn evaluate_otherwise(&mut self, party: &PartyId) {
        self.shut_down(party);
        self.world.founding_mut().swap_oblivious(party);
        self.start_again(party);
    }

    /// A host that does not run starts on what lies there.
    pub(super) fn start_again(&mut self, party: &PartyId) {
        let failure = self.world.wake(party).err().map(|error| error.to_string());
        self.evidence.restarts.push((party.clone(), failure));
    }

    /// A bit flips in a copy of an insurer's files; if no host starts on that, the insurer goes on from the backup.
    fn rot(&mut self, party: &PartyId) {
        let Some(edited) = self.world.edit(party, &mut self.dice) else { return };
        self.count.add(|injected| &mut injected.rotted);
        self.evidence.edits.push((party.clone(), edited));
        if edited == Edited::Found {
            self.set_back(party);
        }
    }

    /// An insurer's disk is lost when its witness has seen all of it; it goes on from the backup, and is told again
    /// what is true.
    fn set_back(&mut self, party: &PartyId) {
        let Some((backup, image)) = self.images.remove(party) else { return };
        self.world.wait(SEEN_BY_ALL);
        self.orphan(party);
        let Some(lost) = self.world.stands(party) else { return };
        self.keep(party);
        self.count.add(|injected| &mut injected.set_back);
        let failure = self.world.restore(party, &image).err().map(|error| error.to_string());
        self.evidence.restarts.push((party.clone(), failure));
        let since = if self.world.unsettled(party).is_some() { None } else { self.world.stands(party) };
        self.evidence.set_backs.push(SetBack { party: party.clone(), backup, lost, since });
        if let Err(PlayError(failure)) = self.import(party) {
            self.evidence.restarts.push((party.clone(), Some(failure)));
        }
    }

    /// Notes what the ledger of a host is, and what it answered in its first epoch.
    pub(super) fn keep(&mut self, party: &PartyId) {
        let Some(epoch) = self.world.stands(party).map(|head| head.origin.epoch()) else { return };
        let ledger = Ledger { begins: self.world.epoch_begins(party), leaves: self.world.leaves(party) };
        self.evidence.ledgers.insert((party.clone(), epoch), ledger);
        for asker in self.askers(party).into_iter().filter(|_asker| epoch == epoch::FIRST) {
            let decided = self.world.answered(party, &asker).into_iter();
            let decided = decided.map(|(request, leaf)| Decided {
                responder: party.clone(),
                asker: asker.clone(),
                request,
                leaf,
            });
            self.evidence.decided.extend(decided);
        }
    }

    /// Whoever may have asked a host: in a nation, where nobody means harm, whoever dialled it.
    fn askers(&self, party: &PartyId) -> Vec<PartyId> {
        if self.society.plan.is_nation {
            self.world.dialled(party).chain([party]).cloned().collect()
        } else {
            self.society.plan.parties().cloned().collect()
        }
    }

    fn befallen(&self, spell: &Spell) -> Vec<PartyId> {
        self.society.plan.parties().filter(|party| spell.befalls(party)).cloned().collect()
    }

    /// What this host asked has nobody left who could be told.
    fn orphan(&mut self, party: &PartyId) {
        self.gather();
        self.leave_untold(party);
    }

    pub(super) fn leave_untold(&mut self, party: &PartyId) {
        for (_ask, at) in &self.open {
            if let Some(asked) = self.evidence.asked.get_mut(*at).filter(|asked| asked.query.asker == *party) {
                asked.is_orphaned = true;
            }
        }
    }

    /// An insurer's machine loses its power, amid a write if it writes.
    pub(super) fn crash(&mut self, span: Span) {
        let parties = self.world.parties();
        let is_victim = |party: &PartyId| party.kind() == PartyKind::Insurer && !self.world.is_cramped(party);
        let insurers: Vec<_> = parties.into_iter().filter(is_victim).collect();
        let Some(victim) = pick(&mut self.dice, &insurers) else { return };
        self.count.add(|injected| &mut injected.crashed);
        self.world.doom(victim, below(&mut self.dice, WRITES_MAX));
        for _step in 0..FALL_STEPS {
            self.world.pass(FALL_STEP);
            if !self.world.runs(victim) {
                break;
            }
        }
        self.world.lose_power(victim);
        self.orphan(victim);
        self.world.pass(span);
        self.start_again(victim);
    }
}
