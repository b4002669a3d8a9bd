//! What an auditor checks without trusting the node: that a ledger's head is that of its leaves, signed and
//! cosigned, how its epoch began, and what its keeper noted. One receipt, one history, and which exchanges an organisation
//! had are files of their own. Believes rosters only.

pub mod affected;
pub mod epoch;
pub mod history;
pub mod notes;
pub mod receipt;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use protocol::digest::Digest;
use protocol::gate::Notice;
use protocol::id::party::{PartyId, PartyKind};
use protocol::ledger::checkpoint::SignedCheckpoint;
use protocol::ledger::cosignature;
use protocol::ledger::leaf::{Leaf, LeafKind};
use protocol::ledger::origin::Origin;
use protocol::ledger::tree;
use protocol::primitives::Real;
use protocol::requester;
use protocol::roster::{Chain, Member, Roster};
use protocol::time::Timestamp;
use protocol::witness;
use serde_json::{Value, json};

use crate::files;
use crate::line::Line;
use crate::message::{Code, Report, Trouble, moment};
use epoch::Epoch;
use notes::Notes;

/// The rosters of a network, oldest first, each signed as the one before it says.
#[derive(Clone, Debug)]
pub struct Rosters {
    network: Digest,
    /// Whether the network was named, and not taken from the first file.
    is_compared: bool,
    versions: Vec<(Roster, Option<Digest>)>,
}

/// What a ledger was found to be.
#[derive(Clone, Debug)]
pub struct Found {
    /// Whose.
    pub party: PartyId,
    /// Its name, the epoch in it.
    pub origin: Origin,
    /// How its epoch began.
    pub epoch: Epoch,
    /// What its keeper noted in it.
    pub notes: Notes,
    /// The leaves that begin an epoch or note something, those before a day's own that it need not count, and those asked for.
    pub leaves: BTreeMap<u64, Leaf>,
    /// How many leaves.
    pub size: u64,
    /// Their root, computed here.
    pub root: Digest,
    /// Whether the head is signed by the log key in the roster; none if the organisation is not in it, as
    /// offices and hospitals are not.
    pub is_signed: Option<bool>,
    /// Heads that witnesses cosigned and that this ledger still begins with.
    pub cosigned: Vec<Cosigned>,
}

/// A head that a witness cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// Which witness.
    pub witness: PartyId,
    /// How many leaves the head covers.
    pub size: u64,
    /// Their root.
    pub root: Digest,
    /// When.
    pub at: Timestamp,
}

/// How many leaves are fetched before progress is told.
const LEAVES_PER_STEP: u64 = 4096;

impl Rosters {
    /// Walks the files in the order of their versions. Without `network` the first names the network, which is
    /// right only if it came by a way that can be trusted.
    ///
    /// # Errors
    /// [`Code::File`], [`Code::Malformed`]; [`Code::Roster`] if a link does not hold or is missing.
    pub fn read(paths: &[PathBuf], network: Option<Digest>) -> Result<Self, Trouble> {
        let refused = |error: &dyn core::fmt::Display| Trouble::new(Code::Roster, error);
        let mut links = Vec::new();
        for path in paths {
            // As the authority signed it, or as it lies among the notices.
            let link = match files::read_cbor(path) {
                Ok(Notice::Roster(link)) => link,
                _ => files::read_cbor(path)?,
            };
            links.push((link.claimed().map_err(|error| refused(&error))?.version, link));
        }
        links.sort_by_key(|(version, _link)| *version);
        let versions: Vec<u32> = links.iter().map(|(version, _link)| *version).collect();
        if let Some(gaps) = gaps(&versions) {
            return Err(refused(&gaps));
        }
        let mut links = links.into_iter().map(|(_version, link)| link);
        let first = links.next().ok_or_else(|| refused(&"--roster"))?;
        let is_compared = network.is_some();
        let network = network.unwrap_or_else(|| first.digest());
        let mut chain = Chain::begin(network, &first, &Real).map_err(|error| refused(&error))?;
        let mut versions = vec![(chain.newest().clone(), Some(chain.digest()))];
        for link in links {
            chain = chain.extend(&link, &Real).map_err(|error| refused(&error))?;
            versions.push((chain.newest().clone(), Some(chain.digest())));
        }
        Ok(Self { network, is_compared, versions })
    }

    /// One roster that was verified before.
    pub fn known(network: Digest, roster: Roster) -> Self {
        Self { network, is_compared: true, versions: vec![(roster, None)] }
    }

    /// The newest of them.
    pub fn newest(&self) -> Option<&Roster> {
        self.all().last()
    }

    fn all(&self) -> impl Iterator<Item = &Roster> {
        self.versions.iter().map(|(roster, _digest)| roster)
    }

    /// The digest of a version, if it was read.
    fn digest(&self, version: u32) -> Option<Digest> {
        self.versions.iter().find(|(roster, _digest)| roster.version == version)?.1
    }

    /// Every log key that one of them names for a member.
    fn logs(&self, party: &PartyId) -> impl Iterator<Item = [u8; 32]> {
        let members = self.all().filter_map(move |roster| roster.member(party));
        members.flat_map(|member| member.log.iter().map(|key| *key.as_bytes()))
    }

    /// How many witnesses must have cosigned a head of that ledger.
    fn quorum(&self, party: &PartyId) -> usize {
        let others = |roster: &Roster| roster.of_kind(PartyKind::Witness).filter(|one| one.party != *party).count();
        self.newest().map_or(0, |roster| usize::from(roster.witness_quorum).min(others(roster)))
    }

    /// Which versions the node acts under that were not read: from and to.
    fn missing(&self, line: &Line) -> Option<(u32, u32)> {
        let known = self.newest()?.version;
        let acts_under = line.status().ok()?.get("roster_version").and_then(Value::as_u64)?;
        let newest = u32::try_from(acts_under).ok()?;
        (newest > known).then(|| (known.saturating_add(1), newest))
    }
}

impl Found {
    /// Up to which size at least `quorum` witnesses have cosigned; 0 if nothing has a quorum.
    pub fn quorum_size(&self, quorum: u8) -> u64 {
        let mut sizes: Vec<u64> = self.cosigned.iter().map(|head| head.size).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        match quorum.checked_sub(1) {
            None => self.size,
            Some(at) => sizes.get(usize::from(at)).copied().unwrap_or(0),
        }
    }
}

/// Which versions are missing before the last of `versions`, which are sorted, and what to do.
fn gaps(versions: &[u32]) -> Option<String> {
    let mut before = 0;
    let mut missing = Vec::new();
    for version in versions {
        missing.extend(range(before, *version));
        before = *version;
    }
    (!missing.is_empty()).then(|| {
        format!(
            "名簿 第 {} 版がありません。--roster で足してください(運営主体から受け取るか、notices の roster-*.cbor) / \
             rosters are missing",
            missing.join("、")
        )
    })
}

/// The versions strictly between two, in words.
fn range(before: u32, after: u32) -> Option<String> {
    let (first, last) = (before.saturating_add(1), after.saturating_sub(1));
    match first.cmp(&last) {
        core::cmp::Ordering::Greater => None,
        core::cmp::Ordering::Equal => Some(first.to_string()),
        core::cmp::Ordering::Less => Some(format!("{first}〜{last}")),
    }
}

/// Computes a node's ledger anew from its leaves and holds head, signature and cosignatures against it, how its epoch
/// began, and what its keeper noted. `step` hears how many leaves of how many are done.
///
/// # Errors
/// A text saying what does not hold, or which call failed.
pub fn check(line: &Line, rosters: &Rosters, step: &dyn Fn(u64, u64)) -> Result<Found, String> {
    check_keeping(line, rosters, &BTreeSet::new(), step)
}

/// The same, with the leaves at `wanted` among those found.
fn check_keeping(
    line: &Line,
    rosters: &Rosters,
    wanted: &BTreeSet<u64>,
    step: &dyn Fn(u64, u64),
) -> Result<Found, String> {
    let cosigned = cosigned(line, rosters)?;
    let note = line.checkpoint()?;
    let signed = SignedCheckpoint::parse(note.as_bytes()).map_err(|error| error.to_string())?;
    let head = signed.claim().map_err(|error| error.to_string())?;
    if !head.origin.is_in(&rosters.network) {
        return Err("別の網の台帳です / the ledger of another network".to_owned());
    }
    let noted = notes::read(line, head.size)?;
    let wanted: BTreeSet<u64> = wanted.iter().copied().chain(notes::uncovered(&noted)).collect();
    let mut nodes = Nodes(Vec::new());
    let mut kept = BTreeMap::new();
    let mut done = 0;
    while done < head.size {
        let leaves = line.leaves(done, head.size.min(done.saturating_add(LEAVES_PER_STEP)))?;
        for leaf in &leaves {
            nodes.append(done, leaf);
            if notes::is_noted(leaf.kind()) || leaf.kind() == LeafKind::Epoch || done == 0 || wanted.contains(&done) {
                kept.insert(done, *leaf);
            }
            done = done.saturating_add(1);
        }
        step(done, head.size);
    }
    if nodes.root(head.size) != head.root {
        return Err("根が葉から計算した値と違います / the root is not that of the leaves".to_owned());
    }
    for seen in &cosigned {
        if seen.size > head.size {
            return Err(format!("立会 {} が署名した大きさ {} より縮んでいます / shrunk", seen.witness, seen.size));
        }
        if nodes.root(seen.size) != seen.root {
            return Err(format!("立会 {} が署名した先端と食い違います / another history was cosigned", seen.witness));
        }
    }
    let party = head.origin.party().clone();
    let member = rosters.newest().and_then(|roster| roster.member(&party));
    let is_signed = member.map(|member| {
        let origin = origin_named(&head.origin.to_string(), rosters, member);
        let is_by = |log: &[u8; 32]| origin.as_ref().is_some_and(|origin| signed.verify(&Real, origin, log).is_ok());
        member.log.iter().any(|log| is_by(log.as_bytes()))
    });
    if is_signed.is_none() && !matches!(party.kind(), PartyKind::Office | PartyKind::Hospital) {
        return Err(format!("{party} が名簿にありません / not in the roster"));
    }
    if is_signed == Some(false) {
        return Err("先端が台帳の鍵で署名されていません / the head is not signed with the log key".to_owned());
    }
    let epoch = epoch::check(line, rosters, &head, kept.get(&0))?;
    let notes = notes::check(&noted, rosters, &kept)?;
    let (origin, size, root) = (head.origin, head.size, head.root);
    Ok(Found { party, origin, epoch, notes, leaves: kept, size, root, is_signed, cosigned })
}

/// The heads of a node's ledger that witnesses of the roster cosigned. Whether the ledger still begins with them
/// is for [`check`].
///
/// # Errors
/// A text if a cosignature does not hold, or the call failed.
pub fn cosigned(line: &Line, rosters: &Rosters) -> Result<Vec<Cosigned>, String> {
    let mut found: Vec<Cosigned> = Vec::new();
    let mut notes = Vec::new();
    for note in line.cosigned()? {
        let signed = SignedCheckpoint::parse(note.as_bytes()).map_err(|error| error.to_string())?;
        let head = signed.claim().map_err(|error| error.to_string())?;
        notes.push((signed, head));
    }
    // A witness that was not there since a new epoch began holds a head of the one before.
    let open = notes.iter().map(|(_signed, head)| head.origin.epoch()).max();
    for (signed, head) in notes.into_iter().filter(|(_signed, head)| Some(head.origin.epoch()) == open) {
        for member in rosters.newest().into_iter().flat_map(|roster| roster.of_kind(PartyKind::Witness)) {
            let (Some(name), Some(public)) = (witness::name_of(&member.party), member.cosigning) else { continue };
            let known = cosignature::Witness { name, public: *public.as_bytes() };
            match cosignature::verify(&Real, &signed, &known) {
                Ok(at) => {
                    let seen = Cosigned { witness: member.party.clone(), size: head.size, root: head.root, at };
                    found.retain(|before| before.witness != seen.witness || before.size > seen.size);
                    if !found.iter().any(|before| before.witness == seen.witness) {
                        found.push(seen);
                    }
                }
                Err(cosignature::CosignatureError::Missing) => {}
                Err(error) => return Err(format!("{}: {error}", member.party)),
            }
        }
    }
    Ok(found)
}

/// `tsunagi ledger verify`.
///
/// # Errors
/// None but those of reading; what does not hold is in the report.
pub fn verify(line: &Line, rosters: &Rosters, step: &dyn Fn(u64, u64)) -> Result<Report, Trouble> {
    let found = match check(line, rosters, step) {
        Ok(found) => found,
        Err(why) => return Ok(unbelieved(&why, rosters.missing(line))),
    };
    let quorum = rosters.newest().map_or(0, |roster| roster.witness_quorum);
    let covered = found.quorum_size(quorum);
    // Of an office or hospital the roster names no key, so that a quorum is shown, not asked for.
    let has_quorum = found.is_signed.is_none() || found.size == 0 || covered > 0;
    let mut text = format!(
        "台帳: {}\n✓ 葉 {} 枚から根を計算し直し、先端と一致しました\n  根 {}\n",
        found.party, found.size, found.root
    );
    text.push_str(match found.is_signed {
        Some(_good) => "✓ 先端は名簿にある台帳の鍵で署名されています\n",
        None => "– 事業所・医療機関は名簿にないため、先端の署名はこの名簿では確かめられません\n",
    });
    text.push_str(&format!("{}\n{}\n", found.epoch.text(), found.notes.text()));
    if let Some((from, to)) = rosters.missing(line) {
        text.push_str(&format!("– ノードは名簿 第 {to} 版に従っています。第 {from}〜{to} 版はここでは見ていません\n"));
    }
    for head in &found.cosigned {
        text.push_str(&format!("✓ 立会 {}: 大きさ {} に {} に署名\n", head.witness, head.size, moment(head.at)));
    }
    text.push_str(&match (found.is_signed, has_quorum) {
        (None, _) if covered == 0 => "– 立会はまだこの台帳を見ていません".to_owned(),
        (_, true) => format!(
            "✓ 定足数 {quorum}: 大きさ {covered} まで立会済み(その後の葉 {} 枚は次の立会を待っています)",
            found.size.saturating_sub(covered)
        ),
        (_, false) => format!(
            "✗ 定足数 {quorum} の立会が署名した先端は、まだ空の台帳だけです(署名した立会 {})\n  → 立会ノードが動いているか\
             確認し、数十秒後にやり直してください",
            found.cosigned.len()
        ),
    });
    let cosigned: Vec<Value> = found
        .cosigned
        .iter()
        .map(|head| json!({ "witness": head.witness.to_string(), "size": head.size, "at_ms": head.at.unix_ms() }))
        .collect();
    let data = json!({ "ok": has_quorum, "party": found.party.to_string(), "size": found.size,
        "root": found.root.to_string(), "signed": found.is_signed, "cosigned": cosigned, "quorum": quorum,
        "quorum_size": covered, "epoch": found.epoch.data(), "notes": found.notes.data(),
        "missing_rosters": missing_to_json(rosters.missing(line)) });
    Ok(Report { text, data, good: has_quorum })
}

/// What does not hold. With rosters missing it may be their keys and witnesses that are.
fn unbelieved(why: &str, missing: Option<(u32, u32)>) -> Report {
    let text = match missing {
        None => format!("✗ この台帳は信じられません: {why}\n  → 運営主体と監査人に知らせてください"),
        Some((from, to)) => format!(
            "✗ 名簿が足りないため判断できません: ノードは第 {to} 版に従っていますが、第 {from}〜{to} 版が渡されていません\n  \
             ({why})\n  → 運営主体から第 {from}〜{to} 版を受け取り、--roster で足してやり直してください"
        ),
    };
    Report {
        text,
        data: json!({ "ok": false, "reason": why, "missing_rosters": missing_to_json(missing) }),
        good: false,
    }
}

fn missing_to_json(missing: Option<(u32, u32)>) -> Value {
    missing.map_or(Value::Null, |(from, to)| json!({ "from": from, "to": to }))
}

/// The ledger of that name, if it can be this member's: of its first epoch or a later one.
fn origin_named(text: &str, rosters: &Rosters, member: &Member) -> Option<Origin> {
    let first = requester::origin_of_member(&rosters.network, member);
    Origin::parse(text).filter(|origin| first.of_epoch(origin.epoch()) == *origin && origin.epoch() >= first.epoch())
}

/// Hashes of the tree in stored order.
struct Nodes(Vec<Digest>);

impl Nodes {
    fn append(&mut self, index: u64, leaf: &Leaf) {
        let Ok(new) = tree::nodes_of_leaf(index, leaf.hash(), self);
        self.0.extend(new);
    }

    fn root(&self, size: u64) -> Digest {
        let Ok(root) = tree::root(size, self);
        root
    }
}

impl tree::Nodes for Nodes {
    type Error = core::convert::Infallible;

    fn node(&self, index: u64) -> Result<Digest, Self::Error> {
        let at = usize::try_from(index).ok().and_then(|at| self.0.get(at));
        Ok(at.copied().unwrap_or(Digest::from_bytes([0; 32])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quorum_reaches_as_far_as_enough_witnesses_went() {
        let seen = |name: &str, size| Cosigned {
            witness: PartyId::parse(name).unwrap(),
            size,
            root: Digest::of(b""),
            at: Timestamp::from_unix_ms(0),
        };
        let cosigned = vec![seen("witness:a", 5), seen("witness:b", 9), seen("witness:c", 7)];
        let party = PartyId::parse("insurer:131235").unwrap();
        let found = Found {
            origin: Origin::new(&Digest::of(b""), &party, 1),
            epoch: Epoch { number: 1, after: None },
            notes: Notes::default(),
            leaves: BTreeMap::new(),
            party,
            size: 10,
            root: Digest::of(b""),
            is_signed: Some(true),
            cosigned,
        };
        assert_eq!([0, 1, 2, 3, 4].map(|quorum| found.quorum_size(quorum)), [10, 9, 7, 5, 0]);
    }

    #[test]
    fn the_versions_that_are_missing_are_named() {
        assert_eq!(gaps(&[1, 2, 3]), None);
        assert!(gaps(&[1, 3]).unwrap().contains("第 2 版"));
        assert!(gaps(&[2, 4, 8]).unwrap().contains("第 1、3、5〜7 版"));
        assert!(gaps(&[u32::MAX]).unwrap().contains("第 1〜4294967294 版"));
    }
}
