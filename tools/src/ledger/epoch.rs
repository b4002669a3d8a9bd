//! How the open epoch of a ledger began, checked against its first leaf: that it follows the last cosigned head of
//! the epoch before. Believes rosters only.

use protocol::cbor;
use protocol::id::party::PartyKind;
use protocol::ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use protocol::ledger::cosignature;
use protocol::ledger::epoch::{self, Begun, Opening};
use protocol::ledger::leaf::{Label, Leaf, LeafKind};
use protocol::primitives::Real;
use protocol::witness;
use serde_json::{Value, json};

use super::Rosters;
use crate::line::Line;

/// The open epoch of a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Its number.
    pub number: u32,
    /// What it follows; none if it is the first.
    pub after: Option<After>,
}

/// The epoch before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct After {
    /// The size of its last cosigned head.
    pub size: u64,
    /// How many of its leaves the keeper still has.
    pub kept: u64,
    /// How many witnesses cosigned that head, and the beginning of the new epoch; none of an office or hospital, whose
    /// log key no roster names.
    pub cosigned: Option<(usize, usize)>,
}

/// Checks how the epoch of `head` began, whose first leaf is `first`.
///
/// # Errors
/// A text saying what does not hold, or which call failed.
pub(super) fn check(line: &Line, rosters: &Rosters, head: &Checkpoint, first: Option<&Leaf>) -> Result<Epoch, String> {
    let number = head.origin.epoch();
    let party = head.origin.party();
    let member = rosters.newest().and_then(|roster| roster.member(party));
    let first = match first {
        Some(first) if first.kind() == LeafKind::Epoch && number <= 1 => {
            return Err("第一の時代の前に時代はありません / no epoch comes before the first".to_owned());
        }
        Some(first) if first.kind() == LeafKind::Epoch => first,
        // A ledger that holds nothing yet, or its first epoch: whoever is in no roster begins with 1.
        None => return Ok(Epoch { number, after: None }),
        Some(_other) if number == member.map_or(1, |member| member.epoch) => return Ok(Epoch { number, after: None }),
        Some(_other) => {
            return Err(format!(
                "時代 {number} の最初の葉が前の時代を名指していません / no leaf names the epoch before"
            ));
        }
    };
    let missing = || format!("時代 {number} の始まりが示されません / how the epoch began is not shown");
    let opening: Opening = cbor::decode(&line.opening()?.ok_or_else(missing)?).map_err(|error| error.to_string())?;
    if *opening.leaf != first.to_bytes() {
        return Err(format!("時代 {number} の始まりが最初の葉と違います / the opening is of another leaf"));
    }
    if member.is_none() {
        return unsigned(number, &opening, first);
    }
    let logs: Vec<[u8; 32]> = rosters.logs(party).collect();
    let begun = opening.check(&Real, &logs).map_err(|error| format!("時代 {number} の始まり: {error}"))?;
    if begun.first.origin != head.origin {
        return Err(format!("時代 {number} の始まりではありません / the opening of another epoch"));
    }
    let cosigned = cosigned(&begun, rosters);
    let quorum = rosters.quorum(party);
    if cosigned.0 < quorum.min(1) || cosigned.1 < quorum {
        return Err(format!(
            "時代 {number} の始まりに立会の署名が足りません(前の時代 {}、新しい時代 {}、定足数 {quorum}) / too few witnesses",
            cosigned.0, cosigned.1
        ));
    }
    let after = After { size: begun.previous.size, kept: begun.kept, cosigned: Some(cosigned) };
    Ok(Epoch { number, after: Some(after) })
}

/// Of whoever is in no roster only this can be told: the first leaf names the epoch before.
fn unsigned(number: u32, opening: &Opening, first: &Leaf) -> Result<Epoch, String> {
    let claimed = |note: &[u8]| {
        let claimed = SignedCheckpoint::parse(note).and_then(|note| note.claim());
        claimed.map_err(|error| format!("時代 {number} の始まり: {error}"))
    };
    let previous = claimed(&opening.previous)?;
    let others = opening.others.iter().map(|other| Ok((claimed(&other.note)?, other.kept)));
    let others = others.collect::<Result<Vec<_>, String>>()?;
    if first.opens(Label::Request, &opening.salt, epoch::content(&previous, opening.kept, &others)) {
        let after = After { size: previous.size, kept: opening.kept, cosigned: None };
        Ok(Epoch { number, after: Some(after) })
    } else {
        Err(format!("時代 {number} の最初の葉が前の時代を名指していません / no leaf names the epoch before"))
    }
}

/// How many witnesses that a roster names cosigned the old end and the new beginning.
fn cosigned(begun: &Begun, rosters: &Rosters) -> (usize, usize) {
    let own = begun.first.origin.party();
    let members = rosters.all().flat_map(|roster| roster.of_kind(PartyKind::Witness));
    let witness = |member: &protocol::roster::Member| {
        let (name, public) = (witness::name_of(&member.party)?, member.cosigning?);
        Some(cosignature::Witness { name, public: *public.as_bytes() })
    };
    let witnesses: Vec<_> = members.filter(|member| member.party != *own).filter_map(witness).collect();
    let count = |note| cosignature::count(&Real, note, &witnesses);
    (count(&begun.previous_note), count(&begun.first_note))
}

impl Epoch {
    /// For people.
    pub(super) fn text(&self) -> String {
        let number = self.number;
        match &self.after {
            None => format!("– 時代 {number}: 最初の時代です"),
            Some(After { size, kept, cosigned: Some((old, new)) }) => format!(
                "✓ 時代 {number}: 前の時代の大きさ {size} の先端に続くことを最初の葉が示します\n  (立会の署名 前 {old}・新 {new}。\
                 前の時代の葉は {kept} 枚残っています)"
            ),
            Some(After { size, kept, cosigned: None }) => format!(
                "✓ 時代 {number}: 前の時代の大きさ {size} の先端に続くことを最初の葉が示します(前の時代の葉は {kept} 枚)\n– \
                 その先端の署名は、この名簿では確かめられません"
            ),
        }
    }

    /// For machines.
    pub(super) fn data(&self) -> Value {
        let after = self.after.as_ref();
        json!({ "number": self.number, "after": after.map(|after| json!({ "size": after.size, "kept": after.kept,
            "cosigned": after.cosigned.map(|(old, new)| json!([old, new])) })) })
    }
}
