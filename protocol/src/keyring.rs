//! Our own keys over time (鍵束): the generations of an organisation's signing and log keys, of which roster or
//! credential say which is in use, and its sealing keys, which end with the last statement that names them.
//! Makes no key and keeps none on a disk; that is the node's.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::key::{KeyId, KeyUse, PublicKey};
use crate::limits;
use crate::primitives::{SealingKey, Secret, Suite};
use crate::statement::Statement;
use crate::time::Timestamp;

/// A signing or log key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// What others know.
    pub public: PublicKey,
    /// What only we know.
    pub secret: Secret,
}

/// The keys of one organisation.
#[derive(Default)]
pub struct Keyring {
    signing: Vec<Pair>,
    log: Vec<Pair>,
    sealing: BTreeMap<KeyId, Held>,
}

struct Held {
    suite: Suite,
    key: Arc<dyn SealingKey>,
    /// When the last statement naming it is over; none while no statement has named it.
    until: Option<Timestamp>,
}

impl Keyring {
    /// Signing and log keys, each in use or to follow.
    pub const fn new(signing: Vec<Pair>, log: Vec<Pair>) -> Self {
        Self { signing, log, sealing: BTreeMap::new() }
    }

    /// Holds one more sealing key; `until` if statements named it before this process began.
    pub fn hold(&mut self, suite: Suite, key: Arc<dyn SealingKey>, until: Option<Timestamp>) {
        let id = KeyId::of(KeyUse::sealing(suite), &key.public());
        self.sealing.insert(id, Held { suite, key, until });
    }

    /// Lets every sealing key that no statement has named yet end at `until`: others are made in their place, and a
    /// statement of before this process began may name them.
    pub fn retire_unnamed(&mut self, until: Timestamp) {
        self.sealing.values_mut().filter(|held| held.until.is_none()).for_each(|held| held.until = Some(until));
    }

    /// Holds one more signing key, to follow the one in use.
    pub fn follow_signing(&mut self, pair: Pair) {
        follow(&mut self.signing, pair);
    }

    /// Holds one more log key, to follow the one in use.
    pub fn follow_log(&mut self, pair: Pair) {
        follow(&mut self.log, pair);
    }

    /// The signing key in use: the first of those `named` that we hold.
    pub fn signing(&self, named: &[PublicKey]) -> Option<&Pair> {
        in_use(&self.signing, named)
    }

    /// The log key in use: the first of those `named` that we hold.
    pub fn log(&self, named: &[PublicKey]) -> Option<&Pair> {
        in_use(&self.log, named)
    }

    /// Every log key held, in use or not.
    pub fn logs(&self) -> impl Iterator<Item = &PublicKey> {
        self.log.iter().map(|pair| &pair.public)
    }

    /// What opens requests sealed to the key of that id at `now`.
    pub fn opener(&self, id: &KeyId, now: Timestamp) -> Option<(Suite, Arc<dyn SealingKey>)> {
        let held = self.sealing.get(id).filter(|held| held.until.is_none_or(|until| now < until))?;
        Some((held.suite, Arc::clone(&held.key)))
    }

    /// Takes note of a statement of ours: whoever holds it may seal to its keys until it is over, and a request
    /// sealed in its last moment may arrive a little later.
    pub fn named_in(&mut self, statement: &Statement) {
        let until = statement.expires.plus(limits::SKEW);
        for named in &statement.sealing {
            if let Some(held) = self.sealing.get_mut(&named.id()) {
                held.until = held.until.max(Some(until));
            }
        }
    }

    /// Lets go of every sealing key that no live statement names any more, and says which.
    pub fn destroy_over(&mut self, now: Timestamp) -> Vec<KeyId> {
        let over = |held: &Held| held.until.is_some_and(|until| until <= now);
        let destroyed: Vec<_> = self.sealing.iter().filter(|(_id, held)| over(held)).map(|(id, _held)| *id).collect();
        for id in &destroyed {
            self.sealing.remove(id);
        }
        destroyed
    }
}

fn follow(pairs: &mut Vec<Pair>, pair: Pair) {
    if !pairs.contains(&pair) {
        pairs.push(pair);
    }
}

fn in_use<'p>(pairs: &'p [Pair], named: &[PublicKey]) -> Option<&'p Pair> {
    named.iter().find_map(|public| pairs.iter().find(|pair| pair.public == *public))
}

impl core::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let sealing: Vec<_> = self.sealing.iter().map(|(id, held)| (id, held.until)).collect();
        f.debug_struct("Keyring").field("sealing", &sealing).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::id::party::PartyId;
    use crate::primitives::{Primitives as _, Real};
    use crate::statement::SealingPublic;
    use crate::time::Span;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_780_000_000_000);

    fn pair(seed: u8) -> Pair {
        let secret = Secret::from_bytes([seed; 32]);
        Pair { public: PublicKey::from_bytes(Real.signing_public(&secret)), secret }
    }

    fn sealing(seed: u8) -> (Arc<dyn SealingKey>, SealingPublic, KeyId) {
        let key: Arc<dyn SealingKey> =
            Arc::from(Real.sealing_key(Suite::X25519, &Secret::from_bytes([seed; 32])).unwrap());
        let public = SealingPublic { suite: Suite::X25519, public: key.public() };
        let id = public.id();
        (key, public, id)
    }

    fn statement(sealing: Vec<SealingPublic>, issued: Timestamp) -> Statement {
        Statement {
            network: Digest::of(b"network"),
            party: PartyId::parse("insurer:131235").unwrap(),
            number: 1,
            issued,
            expires: issued.plus(limits::STATEMENT_LIFE),
            sealing,
            transport: Vec::new(),
            addresses: Vec::new(),
        }
    }

    #[test]
    fn the_roster_says_which_generation_is_in_use() {
        let (old, new, foreign) = (pair(1), pair(2), pair(3));
        let keys = Keyring::new(vec![old.clone(), new.clone()], Vec::new());
        let in_use = |named: &[&Pair]| {
            let named: Vec<_> = named.iter().map(|pair| pair.public).collect();
            keys.signing(&named).map(|pair| pair.public)
        };
        assert_eq!(in_use(&[&old]), Some(old.public));
        assert_eq!(in_use(&[&old, &new]), Some(old.public), "announced");
        assert_eq!(in_use(&[&new, &old]), Some(new.public), "in use, and the old one still accepted");
        assert_eq!(in_use(&[&new]), Some(new.public));
        assert_eq!(in_use(&[&foreign]), None);
    }

    #[test]
    fn a_sealing_key_ends_with_the_last_statement_that_names_it() {
        let ((first, first_public, first_id), (second, second_public, second_id)) = (sealing(1), sealing(2));
        let mut keys = Keyring::default();
        keys.hold(Suite::X25519, first, None);
        keys.named_in(&statement(vec![first_public.clone()], NOW));
        let later = NOW.plus(Span::from_h(24));
        keys.named_in(&statement(vec![first_public], later));
        keys.hold(Suite::X25519, second, None);
        keys.named_in(&statement(vec![second_public], later.plus(Span::from_h(24))));
        let over = later.plus(limits::STATEMENT_LIFE).plus(limits::SKEW);
        let before = over.minus(Span::from_ms(1));
        assert!(keys.destroy_over(before).is_empty() && keys.opener(&first_id, before).is_some());
        assert!(keys.opener(&first_id, over).is_none(), "it opens nothing even before it is destroyed");
        assert_eq!(keys.destroy_over(over), [first_id]);
        assert!(keys.opener(&first_id, before).is_none(), "gone, whatever a clock says");
        assert!(keys.opener(&second_id, over).is_some());
    }

    #[test]
    fn keys_of_before_a_restart_end_though_this_process_never_named_them() {
        let ((first, _, first_id), (second, _, second_id)) = (sealing(1), sealing(2));
        let mut keys = Keyring::default();
        keys.hold(Suite::X25519, first, None);
        keys.retire_unnamed(NOW);
        keys.hold(Suite::X25519, second, None);
        assert_eq!(keys.destroy_over(NOW), [first_id]);
        assert!(keys.opener(&second_id, NOW).is_some());
    }
}
