//! The foes of a play (敵対者の手番): who acts, and what of it is noted.

use protocol::id::party::PartyKind;

use super::Stage;
use crate::adversary;
use crate::scenario::Foe;
use crate::society::Query;

impl Stage {
    /// Somebody who means harm acts.
    pub(super) fn harm(&mut self, foe: Foe) {
        let watch = self.watch.clone();
        let (world, dice) = (&mut self.world, &mut self.dice);
        match foe {
            Foe::Replayer if adversary::replay(world, &watch.lock(), dice) => {
                self.count.add(|injected| &mut injected.replayed);
            }
            Foe::Forger if adversary::forge(world, &watch.lock(), dice) => {
                self.count.add(|injected| &mut injected.forged);
            }
            Foe::Directory if adversary::swap_homes(world, dice) => {
                self.count.add(|injected| &mut injected.swapped);
            }
            Foe::Replayer | Foe::Forger | Foe::Directory => {}
            Foe::Flooder => {
                if let Some(office) = adversary::flood(world, dice) {
                    self.count.add(|injected| &mut injected.flooded);
                    self.flood = Some((office, self.world.passed()));
                }
            }
            Foe::Thief => {
                let of_holder = |query: &Query| matches!(query.asker.kind(), PartyKind::Office | PartyKind::Hospital);
                let query = self.society.query(dice).filter(of_holder);
                if let Some(theft) = query.and_then(|query| adversary::steal(world, &query, dice)) {
                    self.count.add(|injected| &mut injected.stolen);
                    self.evidence.thefts.push(theft);
                }
            }
            Foe::Issuer => {
                if let Some(intrusion) = adversary::intrude(world, &watch.0, dice) {
                    self.count.add(|injected| &mut injected.intruded);
                    self.evidence.intrusions.push(intrusion);
                }
            }
            Foe::Forker => {
                if let Some(fork) = adversary::fork(world, &watch.0, dice) {
                    self.count.add(|injected| &mut injected.forked);
                    self.evidence.forks.push(fork);
                }
            }
            Foe::Editor => {
                let victim = adversary::one_of(world, PartyKind::Insurer, dice);
                let edited = victim.and_then(|victim| Some((world.edit(&victim, dice)?, victim)));
                if let Some((edited, victim)) = edited {
                    self.count.add(|injected| &mut injected.edited);
                    self.evidence.edits.push((victim, edited));
                }
            }
        }
    }
}
