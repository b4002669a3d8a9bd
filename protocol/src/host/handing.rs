//! What a host hands out when it is asked what is new (配布): a portion at a time, so that the answer to one Fetch never
//! fills the connection it goes out on. Begins anew when asked anew; what changes meanwhile goes out as news anyway.

use crate::cbor;
use crate::frame::Frame;
use crate::limits;
use crate::time::Steady;

use super::{Effect, Host};

/// How far an answer has come.
#[derive(Debug)]
pub(super) struct Handing {
    version: u32,
    statements: bool,
    /// The roster under which it began: with another one it begins anew, for what is told may have lost its place.
    roster: u32,
    next: usize,
    at: Steady,
}

impl Host {
    /// Hands out what is newer than roster `version`: the first portion now, the others one by one.
    pub(super) fn hand_out(
        &mut self,
        connection: u64,
        (version, statements): (u32, bool),
        now: Steady,
        out: &mut Vec<Effect>,
    ) {
        self.handing
            .insert(connection, Handing { version, statements, roster: self.gate.roster().version, next: 0, at: now });
        self.hand_on(now, out);
    }

    /// The portions that are due.
    pub(super) fn hand_on(&mut self, now: Steady, out: &mut Vec<Effect>) {
        let is_due = |handing: &Handing| handing.at <= now;
        let due: Vec<_> = self.handing.iter().filter(|(_to, handing)| is_due(handing)).map(|(to, _)| *to).collect();
        for connection in due {
            let Some(mut handing) = self.handing.remove(&connection) else { continue };
            if !self.links.contains_key(&connection) {
                continue;
            }
            let roster = self.gate.roster().version;
            if handing.roster != roster {
                (handing.roster, handing.next) = (roster, 0);
            }
            let notices = self.gate.notices_since(handing.version, handing.statements, handing.next);
            let mut notices = notices.peekable();
            let mut bytes: usize = 0;
            for notice in notices.by_ref().take(limits::NOTICES_PER_PORTION_MAX) {
                let frame = cbor::encode(&Frame::Notice(notice));
                bytes = bytes.saturating_add(frame.len());
                out.push(Effect::Send { connection, bytes: frame });
                handing.next = handing.next.saturating_add(1);
                if bytes >= limits::PORTION_BYTES_MAX {
                    break;
                }
            }
            if notices.peek().is_some() {
                handing.at = now.plus(limits::PORTION_EVERY);
                self.handing.insert(connection, handing);
            }
        }
    }

    /// When the next portion is due.
    pub(super) fn next_portion(&self) -> Option<Steady> {
        self.handing.values().map(|handing| handing.at).min()
    }
}
