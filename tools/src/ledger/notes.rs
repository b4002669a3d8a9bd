//! What the keeper of a ledger noted in it of its own accord – the map of each day, the rosters it acted under, the
//! credentials it issued – each held against its leaf.

use std::collections::BTreeMap;

use protocol::access_log::note::{Note, Noted};
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
    /// When the newest daily leaf was written.
    pub last_day: Option<Timestamp>,
    /// Which roster the keeper acted under from which leaf on.
    pub rosters: Vec<(u64, u32)>,
    /// How many credentials it issued.
    pub credentials: u64,
}

/// Whether the keeper writes leaves of this kind of its own accord.
pub(super) const fn is_noted(kind: LeafKind) -> bool {
    matches!(kind, LeafKind::Daily | LeafKind::Roster | LeafKind::Credential)
}

/// Opens every such leaf among `leaves`, which are those of the first `size`.
///
/// # Errors
/// A text saying which leaf does not open, or which call failed.
pub(super) fn check(line: &Line, rosters: &Rosters, leaves: &BTreeMap<u64, Leaf>, size: u64) -> Result<Notes, String> {
    let mut notes = Notes::default();
    let mut unopened: BTreeMap<u64, &Leaf> =
        leaves.iter().filter(|(_leaf, own)| is_noted(own.kind())).map(|(leaf, own)| (*leaf, own)).collect();
    for noted in line.notes()?.into_iter().filter(|noted| noted.leaf < size) {
        let leaf = noted.leaf;
        let own = unopened.remove(&leaf).filter(|own| opens(own, &noted));
        if own.is_none() {
            return Err(format!("葉 {leaf} は、書き留めとして示された内容と違います / not what the leaf commits to"));
        }
        notes.take(&noted, rosters)?;
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
    fn take(&mut self, noted: &Noted, rosters: &Rosters) -> Result<(), String> {
        match &noted.note {
            Note::Day(..) => {
                self.days = self.days.saturating_add(1);
                self.last_day = Some(noted.at);
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
            |at| format!("✓ 日締めの葉 {} 枚(最新 {})", self.days, moment(at)),
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
