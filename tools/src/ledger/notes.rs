//! What the keeper of a ledger noted in it of its own accord – the map of each day, the rosters it acted under, the
//! credentials it issued – each held against its leaf.

use std::collections::BTreeMap;

use protocol::access_log::note::{Note, Noted};
use protocol::access_log::proof;
use protocol::ledger::leaf::{Label, Leaf, LeafKind};
use protocol::time::Timestamp;
use serde_json::{Value, json};

use super::Rosters;
use crate::line::Line;
use crate::message::moment;

/// What was noted, each opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// How many days were closed.
    pub days: u64,
    /// Until when the newest daily leaf counted everything.
    pub last_day: Option<Timestamp>,
    /// How many leaves before this epoch the daily leaves say that there are; none if no day is closed.
    pub begins: Option<u64>,
    /// Which roster the keeper acted under from which leaf on.
    pub rosters: Vec<(u64, u32)>,
    /// How many credentials it issued.
    pub credentials: u64,
}

/// Whether the keeper writes leaves of this kind of its own accord.
pub(super) const fn is_noted(kind: LeafKind) -> bool {
    matches!(kind, LeafKind::Daily | LeafKind::Roster | LeafKind::Credential)
}

/// What is noted in the first `size` leaves, as the node says it.
///
/// # Errors
/// A text saying which call failed.
pub(super) fn read(line: &Line, size: u64) -> Result<Vec<Noted>, String> {
    Ok(line.notes()?.into_iter().filter(|noted| noted.leaf < size).collect())
}

/// The leaves before each day's own that it need not have counted.
pub(super) fn uncovered(noted: &[Noted]) -> impl Iterator<Item = u64> {
    let mut ranges: Vec<(u64, u64)> = noted
        .iter()
        .filter_map(|noted| match noted.note {
            Note::Day(begins, covers, _root) => Some((covers.checked_sub(begins)?, noted.leaf)),
            Note::Roster(..) | Note::Credential(..) => None,
        })
        .collect();
    ranges.sort_unstable();
    let mut done = 0;
    ranges.into_iter().flat_map(move |(from, to)| {
        let rest = from.max(done)..to;
        done = done.max(to);
        rest
    })
}

/// Opens every such leaf among `leaves`, and judges what each day covers. Those named by [`uncovered`] are among them.
///
/// # Errors
/// A text saying which leaf does not open, or which day is none.
pub(super) fn check(noted: &[Noted], rosters: &Rosters, leaves: &BTreeMap<u64, Leaf>) -> Result<Notes, String> {
    let mut notes = Notes::default();
    let mut unopened: BTreeMap<u64, &Leaf> =
        leaves.iter().filter(|(_leaf, own)| is_noted(own.kind())).map(|(leaf, own)| (*leaf, own)).collect();
    for noted in noted {
        let leaf = noted.leaf;
        let own = unopened.remove(&leaf).filter(|own| opens(own, noted));
        if own.is_none() {
            return Err(format!("葉 {leaf} は、書き留めとして示された内容と違います / not what the leaf commits to"));
        }
        notes.take(noted, rosters, leaves)?;
    }
    match unopened.first_key_value() {
        None => Ok(notes),
        Some((leaf, own)) => Err(format!("葉 {leaf} ({:?}) の内容が示されません / a leaf is not opened", own.kind())),
    }
}

fn opens(leaf: &Leaf, noted: &Noted) -> bool {
    leaf.kind() == noted.note.kind()
        && leaf.time() == noted.at
        && leaf.opens(Label::Request, &noted.salt, noted.note.digest())
}

impl Notes {
    fn take(&mut self, noted: &Noted, rosters: &Rosters, leaves: &BTreeMap<u64, Leaf>) -> Result<(), String> {
        match &noted.note {
            Note::Day(begins, covers, _root) => {
                let leaf = |at: u64| leaves.get(&at).copied();
                if !proof::may_begin_at(*begins, &leaf) || self.begins.is_some_and(|before| before != *begins) {
                    return Err(format!(
                        "葉 {}: 日締めが、この時代より前に葉が {begins} 枚あるとしています / the day says this epoch began elsewhere",
                        noted.leaf
                    ));
                }
                let Some(until) = proof::covered_until(*begins, *covers, noted.leaf, &leaf) else {
                    return Err(format!(
                        "葉 {}: 日締めが葉 {covers} 枚目までしか数えず、より古い葉を残しています / the day left out older leaves",
                        noted.leaf
                    ));
                };
                self.begins = Some(*begins);
                self.days = self.days.saturating_add(1);
                self.last_day = Some(until);
            }
            Note::Roster(version, digest) => {
                if rosters.digest(*version).is_some_and(|known| known != *digest) {
                    return Err(format!(
                        "葉 {}: 第 {version} 版の別の名簿に従っています / acts under another roster of that version",
                        noted.leaf
                    ));
                }
                self.rosters.push((noted.leaf, *version));
            }
            Note::Credential(..) => self.credentials = self.credentials.saturating_add(1),
        }
        Ok(())
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let day = self.last_day.map_or_else(
            || "– 日締めの葉はまだありません".to_owned(),
            |at| format!("✓ 日締めの葉 {} 枚(最新は {} までを数えています)", self.days, moment(at)),
        );
        let mut text = day;
        if let Some((leaf, version)) = self.rosters.last() {
            text.push_str(&format!("\n✓ 葉 {leaf} から名簿 第 {version} 版に従っています"));
        }
        if self.credentials > 0 {
            text.push_str(&format!("\n✓ 発行した資格証の葉 {} 枚", self.credentials));
        }
        text
    }

    /// For machines.
    pub(super) fn data(&self) -> Value {
        let rosters: Value =
            self.rosters.iter().map(|(leaf, version)| json!({ "leaf": leaf, "version": version })).collect();
        json!({ "days": self.days, "last_day_ms": self.last_day.map(Timestamp::unix_ms), "rosters": rosters,
            "credentials": self.credentials })
    }
}

#[cfg(test)]
mod tests {
    use protocol::digest::Digest;
    use protocol::ledger::leaf::{Contents, Salt, Salts};
    use protocol::time::Span;

    use super::*;

    const AT: Timestamp = Timestamp::from_unix_ms(1_790_000_000_000);

    /// Four leaves, half an hour between the second and the third; the last is a day that says so.
    fn found(first: LeafKind, begins: u64, covers: u64) -> Result<Notes, String> {
        let salt = |byte: u8| Salt::from_bytes([byte; 32]);
        let salts = Salts { request: salt(1), answer: salt(2), detail: salt(3), person: salt(4) };
        let nothing = Digest::of(&[]);
        let leaf = |kind, at, request| {
            Leaf::new(kind, at, &salts, &Contents { request, answer: nothing, detail: nothing, person: nothing })
        };
        let (note, later) = (Note::Day(begins, covers, nothing), AT.plus(Span::from_s(1800)));
        let leaves = [
            leaf(first, AT, nothing),
            leaf(LeafKind::Exchange, AT, nothing),
            leaf(LeafKind::Exchange, later, nothing),
            leaf(LeafKind::Daily, later, note.digest()),
        ];
        let noted = [Noted { leaf: 3, at: later, note, salt: salt(1) }];
        let rosters = Rosters { network: nothing, versions: Vec::new(), is_compared: false };
        check(&noted, &rosters, &(0..).zip(leaves).collect())
    }

    #[test]
    fn a_day_that_left_out_older_leaves_or_began_elsewhere_is_refused() {
        for (begins, covers) in [(0, 3), (0, 2), (100, 103), (100, 102)] {
            let first = if begins == 0 { LeafKind::Exchange } else { LeafKind::Epoch };
            let notes = found(first, begins, covers).unwrap();
            assert_eq!((notes.days, notes.begins), (1, Some(begins)));
        }
        for (begins, covers) in [(0, 0), (0, 1), (0, 4), (100, 0), (100, 101), (100, 104)] {
            let first = if begins == 0 { LeafKind::Exchange } else { LeafKind::Epoch };
            assert!(found(first, begins, covers).unwrap_err().contains("left out"), "{begins} {covers}");
        }
        assert!(found(LeafKind::Exchange, 100, 103).unwrap_err().contains("elsewhere"));
    }
}
