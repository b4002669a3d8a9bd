//! What the host hears of rosters, pulse, lists and statements (聞き知り): believed or not, kept, passed on; fetched
//! from whoever has newer ones. Decides no question.

use std::sync::Arc;

use super::{Admitted, BUSY_MS, Drop, Effect, Host, reply, send};
use crate::cbor;
use crate::digest::Digest;
use crate::frame::Frame;
use crate::gate::{Notice, NoticeError, Standing};
use crate::ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::ledger::epoch::{Opening, OpeningError};
use crate::limits;
use crate::machine::Route;
use crate::news::Heed;
use crate::statement::Statement;
use crate::table;
use crate::time::{Now, Span, Steady};

/// How soon what is behind the pulse is asked for again, doubled each time.
const BEHIND_FIRST: Span = Span::from_s(2);
/// See [`BEHIND_FIRST`].
const BEHIND_LAST_MS: u64 = 600_000;
/// How many connections are asked at once for what is behind.
const ASKED_AT_ONCE_MAX: usize = 4;

impl Host {
    /// Whether a request made under roster version `named` has to wait for that roster; the asker is then told to
    /// ask again.
    pub(super) fn waits_for_news(&mut self, route: Route, named: u32, now: Steady, out: &mut Vec<Effect>) -> bool {
        let waits = self.compare(route.connection, named, now, out);
        if waits {
            reply(out, route.connection, &Frame::Busy(route.id, BUSY_MS));
        }
        waits
    }

    /// Whoever has the older roster fetches first: the other end is told of ours, or asked for its own. Whether
    /// its own is newer and may still come.
    pub(super) fn compare(&mut self, connection: u64, named: u32, now: Steady, out: &mut Vec<Effect>) -> bool {
        let own = self.gate.roster().version;
        let Some(link) = self.links.get_mut(&connection) else { return false };
        match link.news.heed(named, own, now) {
            Heed::Nothing => {
                if named > own && link.news.fetch(own, now) {
                    self.peers.fetch(&link.peer, now);
                    send(out, connection, &Frame::Fetch(own, false));
                }
                false
            }
            Heed::Tell => {
                for notice in self.gate.rosters_since(named, limits::LINKS_PER_FETCH_MAX) {
                    send(out, connection, &Frame::Notice(notice));
                }
                false
            }
            Heed::Wait => {
                if link.news.fetch(own, now) {
                    self.peers.fetch(&link.peer, now);
                    send(out, connection, &Frame::Fetch(own, false));
                }
                true
            }
        }
    }

    pub(super) fn learn(&mut self, notice: &Notice, from: Option<u64>, now: Now, out: &mut Vec<Effect>) {
        match self.gate.learn(notice, now.wall, self.primitives.as_ref()) {
            Ok(None) => {}
            Err(NoticeError::TwoRosters(version)) => {
                self.keep_evidence(notice, &version.to_be_bytes(), "two rosters of one version are signed", out);
            }
            Err(NoticeError::Opening(OpeningError::Forked)) => {
                let what = "two beginnings of one epoch of a ledger are cosigned";
                self.keep_evidence(notice, &claimed_epoch(notice), what, out);
            }
            Err(_error) => out.push(Effect::Dropped(Drop::NoticeNotBelieved)),
            Ok(Some(next)) => {
                self.gate = Arc::new(next);
                self.keep(notice);
                if !matches!(notice, Notice::Statement(_)) {
                    self.renew_standings(now, out);
                    self.look_behind(now.steady);
                }
                match notice {
                    Notice::Roster(_) => {
                        self.use_signing_keys();
                        self.fetch_next(from, now.steady, out);
                    }
                    Notice::Statement(bytes) => self.withdraw_connections(bytes, now.steady, out),
                    Notice::Opening(_) => {
                        self.offices.values_mut().for_each(|office| office.requester.hear_of_epoch(now.steady));
                    }
                    Notice::Pulse(_) | Notice::StatusList(_) => {}
                }
                for connection in self.links.keys().filter(|connection| Some(**connection) != from) {
                    send(out, *connection, &Frame::Notice(notice.clone()));
                }
            }
        }
    }

    /// A connection by a transport key that its member no longer names speaks for it no more.
    fn withdraw_connections(&mut self, statement: &[u8], now: Steady, out: &mut Vec<Effect>) {
        let Some(said) = Statement::own(statement) else { return };
        for (connection, link) in self.links.iter_mut().filter(|(_, link)| !said.transport.contains(&link.peer)) {
            if link.standings.remove(&said.party).is_some() && link.standings.is_empty() && !link.outbound {
                self.strangers.push_back((now.plus(limits::STRANGER_LIMIT), *connection));
                out.push(Effect::Estranged { connection: *connection });
            }
        }
    }

    /// A second of what there is one of, a version of the roster or an epoch of a ledger: kept, told to everybody, and
    /// an operator must see it. Ours stays the one that came first.
    fn keep_evidence(&mut self, notice: &Notice, of: &[u8], alarm: &'static str, out: &mut Vec<Effect>) {
        if self.forks.insert(of.to_vec()) {
            out.push(Effect::Alarm(alarm));
            self.rows.push((table::FORK, of.to_vec(), cbor::encode(notice)));
            for connection in self.links.keys() {
                send(out, *connection, &Frame::Notice(notice.clone()));
            }
        }
    }

    /// Behind a full portion of rosters there may be more.
    fn fetch_next(&mut self, from: Option<u64>, now: Steady, out: &mut Vec<Effect>) {
        let version = self.gate.roster().version;
        let Some((connection, link)) = from.and_then(|from| Some((from, self.links.get_mut(&from)?))) else { return };
        if link.news.is_portion_full(version) && link.news.fetch(version, now) {
            self.peers.fetch(&link.peer, now);
            send(out, connection, &Frame::Fetch(version, true));
        }
    }

    /// Begins or ends asking for what the pulse names and we do not have.
    pub(super) fn look_behind(&mut self, now: Steady) {
        self.behind = match (self.gate.behind().is_any(), self.behind) {
            (false, _) => None,
            (true, None) => Some((now, BEHIND_FIRST, 0)),
            (true, going) => going,
        };
    }

    /// Asks a few connections for what is behind, more and more seldom.
    pub(super) fn catch_up(&mut self, now: Steady, out: &mut Vec<Effect>) {
        let Some((at, wait, first)) = self.behind else { return };
        if at > now {
            return;
        }
        let longer = Span::from_ms(wait.ms().saturating_mul(2).min(BEHIND_LAST_MS));
        self.behind = Some((now.plus(wait), longer, first.saturating_add(ASKED_AT_ONCE_MAX)));
        let version = self.gate.roster().version;
        // Those we dialled are members; of the others, whoever was admitted.
        let mut known: Vec<_> =
            self.links.iter_mut().filter(|(_, link)| link.outbound || !link.standings.is_empty()).collect();
        known.sort_by_key(|(connection, link)| (!link.outbound, **connection));
        let count = known.len();
        let start = first.checked_rem(count).unwrap_or(0);
        for (place, (connection, link)) in known.into_iter().enumerate() {
            let turn = place.saturating_add(count).saturating_sub(start).checked_rem(count).unwrap_or(0);
            if turn < ASKED_AT_ONCE_MAX && link.news.fetch(version, now) {
                self.peers.fetch(&link.peer, now);
                send(out, *connection, &Frame::Fetch(version, false));
            }
        }
    }

    /// Every standing as it is under the new gate; whoever no longer stands is no longer admitted.
    fn renew_standings(&mut self, now: Now, out: &mut Vec<Effect>) {
        let gate = Arc::clone(&self.gate);
        let renewed = |standing: &Standing| gate.still_admitted(standing, now.wall).map(Arc::new);
        for (connection, link) in &mut self.links {
            let was_admitted = !link.standings.is_empty();
            link.standings = std::mem::take(&mut link.standings)
                .into_iter()
                .filter_map(|(party, admitted)| {
                    let before = admitted.before.and_then(|before| renewed(&before));
                    Some((party, Admitted { now: renewed(&admitted.now)?, before }))
                })
                .collect();
            if was_admitted && link.standings.is_empty() && !link.outbound {
                self.strangers.push_back((now.steady.plus(limits::STRANGER_LIMIT), *connection));
                out.push(Effect::Estranged { connection: *connection });
            }
        }
    }

    fn keep(&mut self, notice: &Notice) {
        let bytes = cbor::encode(notice);
        let rest = match notice {
            Notice::Roster(link) => match link.claimed() {
                Ok(roster) => roster.version.to_be_bytes().to_vec(),
                Err(_error) => return,
            },
            Notice::Pulse(_bytes) => Vec::new(),
            Notice::Statement(signed) | Notice::StatusList(signed) => claimed_party(signed),
            // The newest of a party takes the place of the one before.
            Notice::Opening(bytes) => opened(bytes).map_or_else(Vec::new, |first| party_row(&first)),
        };
        let table = match notice {
            Notice::Roster(_) => table::ROSTER,
            Notice::Pulse(_) => table::PULSE,
            Notice::Statement(_) => table::STATEMENT,
            Notice::StatusList(_) => table::STATUS_LIST,
            Notice::Opening(_) => table::OPENING,
        };
        self.rows.push((table, rest, bytes));
    }

    /// Keeps with the next commit everything that the gate holds, so that a restart forgets nothing of it.
    pub fn keep_gate(&mut self) {
        let rosters = self.gate.rosters_since(0, usize::MAX);
        for notice in rosters.into_iter().chain(self.gate.beside_rosters(true)) {
            self.keep(&notice);
        }
    }
}

/// A short name for whoever signed, for the key of a row.
fn claimed_party(signed: &[u8]) -> Vec<u8> {
    let key = crate::sign1::Unverified::parse(signed).map(|signed| signed.key());
    key.map_or_else(|_error| Digest::of(signed).as_bytes().to_vec(), |key| key.as_bytes().to_vec())
}

/// Of which epoch of whose ledger a notice tells the beginning.
fn claimed_epoch(notice: &Notice) -> Vec<u8> {
    match notice {
        Notice::Opening(bytes) => opened_epoch(bytes),
        Notice::Roster(_) | Notice::Pulse(_) | Notice::Statement(_) | Notice::StatusList(_) => Vec::new(),
    }
}

/// Party and number of an epoch, for the key of its row: a party's epochs stand in order.
fn opened_epoch(opening: &[u8]) -> Vec<u8> {
    let key = |first: Checkpoint| [&party_row(&first)[..], &first.origin.epoch().to_be_bytes()].concat();
    opened(opening).map_or_else(Vec::new, key)
}

fn party_row(first: &Checkpoint) -> Vec<u8> {
    Digest::of(first.origin.party().to_string().as_bytes()).as_bytes().to_vec()
}

/// The first head of an epoch, as its opening claims it.
fn opened(opening: &[u8]) -> Option<Checkpoint> {
    SignedCheckpoint::parse(&cbor::decode::<Opening>(opening).ok()?.first).ok()?.claim().ok()
}
