//! Rotation (鍵の交代): keys replaced as a network replaces them, step by step, in the middle of everything else: a key is
//! announced, in use beside the old one, alone. Breaks nothing by itself; whoever is told of a step late has to catch up.

use std::collections::{BTreeMap, BTreeSet};

use protocol::host::Input;
use protocol::id::party::{PartyId, PartyKind};
use protocol::key::PublicKey;
use protocol::limits;
use protocol::roster::Member;
use protocol::time::Steady;
use rand_core::Rng;

use crate::adversary::one_of;
use crate::founding::GENERATIONS;
use crate::seed::{below, pick};
use crate::world::World;

/// How far each organisation is with its keys.
#[derive(Debug, Default)]
pub struct Rotations {
    /// Steps taken, by whom and of which key.
    steps: BTreeMap<(PartyId, Key), usize>,
    /// When an office or hospital last was given a credential for another key: whoever remembers the one before learns of no
    /// second one while that holds.
    followed: BTreeMap<PartyId, Steady>,
    /// Who started again under the transport key announced before.
    swapped: BTreeSet<PartyId>,
}

/// Whose generations a roster names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Signing,
    Log,
}

/// The steps from one generation to the next: which of them a roster names, counted from the older.
const STEPS: [&[usize]; 3] = [&[0, 1], &[1, 0], &[1]];
/// Whom a member started under a new transport key meets first.
const MEETS: PartyKind = PartyKind::Witness;

impl Rotations {
    /// Somebody takes the next step with one of their keys. Whether there was one to take; nobody of `spared` takes any.
    pub fn go_on(&mut self, world: &mut World, spared: &BTreeSet<PartyId>, dice: &mut dyn Rng) -> bool {
        match below(dice, 6) {
            0 => renew_sealing(world, dice),
            1 => self.follow_announced(world, spared, dice),
            2 => self.follow_transport(world, dice),
            3 => self.name_next(world, Key::Log, dice),
            4 => self.name_next(world, Key::Signing, dice),
            _ => {
                let Some(first) = one_of(world, member_kind(dice), dice) else { return false };
                world.next_roster(&|_roster| {});
                tell_some(world, &first, dice);
                true
            }
        }
    }

    /// The next roster takes a member one step further with a key.
    fn name_next(&mut self, world: &mut World, key: Key, dice: &mut dyn Rng) -> bool {
        // Who is in the middle of it goes on; so most that begin come to the end.
        let is_amid = |((_who, of), step): &(&(PartyId, Key), &usize)| *of == key && *step % STEPS.len() != 0;
        let under_way: Vec<_> = self.steps.iter().filter(is_amid).map(|((who, _of), _step)| who.clone()).collect();
        let Some(party) = pick(dice, &under_way).cloned().or_else(|| one_of(world, member_kind(dice), dice)) else {
            return false;
        };
        let taken = self.steps.entry((party.clone(), key)).or_default();
        let (generation, step) = (*taken / STEPS.len(), *taken % STEPS.len());
        let Some(keys) = world.founding().keys(&party) else { return false };
        let pairs = match key {
            Key::Signing => &keys.signing,
            Key::Log => &keys.log,
        };
        let named = STEPS.get(step).copied().unwrap_or_default();
        let named: Option<Vec<PublicKey>> =
            named.iter().map(|further| Some(pairs.get(generation.checked_add(*further)?)?.public)).collect();
        let Some(named) = named else { return false };
        *taken = taken.saturating_add(1);
        world.next_roster(&|roster| {
            let own = roster.members.iter_mut().filter(|member| member.party == party);
            own.for_each(|member: &mut Member| match key {
                Key::Signing => member.signing.clone_from(&named),
                Key::Log => member.log.clone_from(&named),
            });
        });
        world.remark(&party, &format!("step {step} with its {key:?} key"));
        tell_some(world, &party, dice);
        // What a member says of itself is signed with the key it uses now.
        world.renew(&party);
        true
    }

    /// An office or hospital is given a credential for the signing key that the last one announced.
    fn follow_announced(&mut self, world: &mut World, spared: &BTreeSet<PartyId>, dice: &mut dyn Rng) -> bool {
        let kind = if below(dice, 3) == 0 { PartyKind::Hospital } else { PartyKind::Office };
        let Some(party) = one_of(world, kind, dice).filter(|party| !spared.contains(party)) else { return false };
        let has_next = |turn: usize| u32::try_from(turn).is_ok_and(|turn| turn.saturating_add(2) < GENERATIONS);
        if !world.founding().keys(&party).is_some_and(|keys| has_next(keys.turn)) {
            return false;
        }
        let now = world.now().steady;
        if self.followed.get(&party).is_some_and(|at| now.since(*at) < limits::CREDENTIAL_LIFE) {
            return false;
        }
        self.followed.insert(party.clone(), now);
        world.remark(&party, "a credential for the announced signing key");
        world.founding_mut().turn_signing(&party, 1);
        world.renew(&party);
        true
    }

    /// A member names the transport key that will follow; if it has, it starts anew under that one. Each does so once.
    fn follow_transport(&mut self, world: &mut World, dice: &mut dyn Rng) -> bool {
        let Some(party) = one_of(world, member_kind(dice), dice) else { return false };
        if self.swapped.contains(&party) {
            return false;
        }
        world.remark(&party, "a step with its transport key");
        if world.founding().keys(&party).is_some_and(|keys| keys.transport.len() == 1) {
            world.founding_mut().announce_transport(&party);
        } else {
            world.run();
            self.swapped.insert(party.clone());
            if !world.swap_transport(&party) {
                return false;
            }
            if let Some(other) = one_of(world, MEETS, dice).filter(|other| *other != party) {
                world.meet(&party, &other);
            }
        }
        world.renew(&party);
        true
    }
}

/// A member makes another sealing key.
fn renew_sealing(world: &mut World, dice: &mut dyn Rng) -> bool {
    let Some(party) = one_of(world, member_kind(dice), dice) else { return false };
    world.remark(&party, "another sealing key");
    world.rotate_sealing(&party);
    true
}

/// Insurers more often than what there is one of.
fn member_kind(dice: &mut dyn Rng) -> PartyKind {
    match below(dice, 6) {
        0 => PartyKind::Directory,
        1 => PartyKind::Pseudonymiser,
        2 => PartyKind::Witness,
        _ => PartyKind::Insurer,
    }
}

/// The authority has a new roster. The one it concerns and about half of the others fetch at once what they do not have yet;
/// the rest have to learn of it from them.
fn tell_some(world: &mut World, concerned: &PartyId, dice: &mut dyn Rng) {
    for party in world.parties() {
        if *concerned == party || below(dice, 2) == 0 {
            let version = world.gate(&party).map_or(0, |gate| gate.roster().version);
            let news: Vec<_> = world.founding().rosters_since(version).collect();
            news.into_iter().for_each(|notice| world.push_now(&party, Input::Notice(notice)));
        }
    }
}
