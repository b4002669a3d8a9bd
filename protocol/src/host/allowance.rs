//! What the other end of a connection may cost the deciding thread within a minute (手加減). Counts only; what
//! happens beyond is the host's affair.

use std::collections::BTreeMap;

use crate::key::PublicKey;
use crate::limits;
use crate::time::Steady;

/// So many within one minute.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    since: Option<Steady>,
    taken: u32,
}

/// What a peer sends that costs us, whomever it speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cost {
    /// A presentation.
    Hello,
    /// A question for what is newer.
    Fetch,
    /// A piece of news.
    Notice,
}

/// The peers that spoke for somebody within the last minute, by transport key: another connection is no other peer.
#[derive(Debug, Default)]
pub(super) struct Peers {
    peers: BTreeMap<PublicKey, Peer>,
}

#[derive(Debug, Default)]
struct Peer {
    heard: Option<Steady>,
    hellos: Allowance,
    fetches: Allowance,
    notices: Allowance,
    /// How much news is to come because we fetched it, and since when.
    fetched: Option<(Steady, u32)>,
}

/// The most peers whose cost is kept in mind.
const PEERS_MAX: usize = 16_384;

impl Allowance {
    /// Takes one; whether there was one left of `most`.
    pub(super) fn take(&mut self, now: Steady, most: u32) -> bool {
        if self.since.is_none_or(|since| now.since(since) >= limits::COST_WINDOW) {
            *self = Self { since: Some(now), taken: 0 };
        }
        self.taken = self.taken.saturating_add(1);
        self.taken <= most
    }
}

impl Peers {
    /// Whether a peer may cost us this now. A stranger is minded only if it spoke for somebody a moment ago: what others
    /// may do is bounded by connection, and they must not fill our memory.
    pub(super) fn may(&mut self, peer: &PublicKey, cost: Cost, is_stranger: bool, now: Steady) -> bool {
        if is_stranger && !self.peers.contains_key(peer) {
            return true;
        }
        let peer = self.peer(peer, now);
        match cost {
            Cost::Hello => peer.hellos.take(now, limits::HELLOS_PER_PEER_MAX),
            Cost::Fetch => peer.fetches.take(now, limits::FETCHES_PER_PEER_MAX),
            Cost::Notice => peer.was_fetched() || peer.notices.take(now, limits::NOTICES_PER_PEER_MAX),
        }
    }

    /// We fetch from a peer: what it tells next was asked for. Once a minute, because a peer can make us fetch.
    pub(super) fn fetch(&mut self, peer: &PublicKey, now: Steady) {
        let peer = self.peer(peer, now);
        if peer.fetched.is_none_or(|(since, _left)| now.since(since) >= limits::COST_WINDOW) {
            peer.fetched = Some((now, limits::NOTICES_PER_FETCH_MAX));
        }
    }

    fn peer(&mut self, peer: &PublicKey, now: Steady) -> &mut Peer {
        if self.peers.len() >= PEERS_MAX && !self.peers.contains_key(peer) {
            let is_recent = |heard: Option<Steady>| heard.is_some_and(|at| now.since(at) < limits::COST_WINDOW);
            self.peers.retain(|_peer, known| is_recent(known.heard));
            if self.peers.len() >= PEERS_MAX {
                self.peers.pop_first();
            }
        }
        let known = self.peers.entry(*peer).or_default();
        known.heard = Some(now);
        known
    }
}

impl Peer {
    /// Takes one of what we fetched, if any is left.
    fn was_fetched(&mut self) -> bool {
        let Some((_since, left)) = &mut self.fetched else { return false };
        let is_left = *left > 0;
        *left = left.saturating_sub(1);
        is_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(peers: &mut Peers, peer: u8, cost: Cost, at_ms: u64, tries: u32) -> usize {
        let peer = PublicKey::from_bytes([peer; 32]);
        (0..tries).filter(|_try| peers.may(&peer, cost, false, Steady::from_ms(at_ms))).count()
    }

    #[test]
    fn each_peer_has_its_own_allowance_for_each_thing_every_minute() {
        let mut peers = Peers::default();
        let most = [
            (Cost::Hello, limits::HELLOS_PER_PEER_MAX),
            (Cost::Fetch, limits::FETCHES_PER_PEER_MAX),
            (Cost::Notice, limits::NOTICES_PER_PEER_MAX),
        ];
        for (cost, most) in most {
            for (peer, at_ms) in [(1, 0), (2, 0), (1, 60_000)] {
                let taken = count(&mut peers, peer, cost, at_ms, most + 5);
                assert_eq!(taken, usize::try_from(most).unwrap(), "{cost:?} of {peer} at {at_ms}");
            }
            assert_eq!(count(&mut peers, 2, cost, 59_999, 1), 0, "{cost:?}: the minute is not over");
        }
    }

    #[test]
    fn what_was_fetched_is_not_counted_and_being_made_to_fetch_again_gains_nothing() {
        let mut peers = Peers::default();
        let peer = PublicKey::from_bytes([1; 32]);
        let all = limits::NOTICES_PER_FETCH_MAX + limits::NOTICES_PER_PEER_MAX;
        for _ in 0..3 {
            peers.fetch(&peer, Steady::from_ms(0));
        }
        assert_eq!(count(&mut peers, 1, Cost::Notice, 1, all + 5), usize::try_from(all).unwrap());
        peers.fetch(&peer, Steady::from_ms(30_000));
        assert_eq!(count(&mut peers, 1, Cost::Notice, 30_000, 5), 0);
        peers.fetch(&peer, Steady::from_ms(60_001));
        assert_eq!(count(&mut peers, 1, Cost::Notice, 60_001, 5), 5);
    }

    #[test]
    fn a_crowd_is_not_kept_in_mind() {
        let mut peers = Peers::default();
        for number in 0..40_000_u32 {
            let key = [number.to_be_bytes(); 8].concat();
            let key: [u8; 32] = key.try_into().unwrap();
            assert!(peers.may(&PublicKey::from_bytes(key), Cost::Fetch, false, Steady::from_ms(1)));
        }
        assert_eq!(peers.peers.len(), PEERS_MAX);
        assert!(peers.may(&PublicKey::from_bytes([255; 32]), Cost::Fetch, true, Steady::from_ms(1)));
        assert!(!peers.peers.contains_key(&PublicKey::from_bytes([255; 32])), "a stranger leaves no trace");
    }
}
