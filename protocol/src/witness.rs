//! The witness (立会): cosignatures under ledger heads, so that a ledger shown to one cannot differ from the
//! ledger shown to another. A witness remembers one head of each party, durably before it cosigns, and lets a
//! new epoch begin only where that head ends or is named. It never sees a leaf.

use minicbor::{Decode, Encode};

use crate::batch::Batch;
use crate::cbor;
use crate::digest::Digest;
use crate::duty::{self, Desk, Finding};
use crate::frame::{Frame, Verdict};
use crate::gate::{Gate, Standing};
use crate::id::party::PartyId;
use crate::ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::ledger::cosignature::{self, WitnessName};
use crate::ledger::epoch::Opening;
use crate::ledger::origin::Origin;
use crate::ledger::tree;
use crate::machine::{Action, Event, Machine, Outbox};
use crate::primitives::{Primitives, Secret};
use crate::refusal::Refusal;
use crate::store::StoreError;
use crate::table;
use crate::time::{Steady, Timestamp};
use crate::vault::Label;
use crate::verify::Verified;
use std::sync::Arc;

/// The machine of a witness.
pub struct Witness {
    desk: Desk,
    name: WitnessName,
    secret: Secret,
    primitives: Arc<dyn Primitives>,
}

/// What a witness remembers of a party's ledger: the newest head it cosigned, with its line.
#[derive(Debug, Encode, Decode)]
struct Witnessed {
    #[n(0)]
    origin: Origin,
    #[n(1)]
    size: u64,
    #[n(2)]
    root: Digest,
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    note: Vec<u8>,
}

impl Witnessed {
    fn head(&self) -> Checkpoint {
        Checkpoint { origin: self.origin.clone(), size: self.size, root: self.root }
    }
}

/// A head that came to be cosigned, and what is said of it.
#[derive(Clone, Copy, Debug)]
struct Submitted<'a> {
    note: &'a [u8],
    from: u64,
    proof: &'a [Digest],
    opening: Option<&'a [u8]>,
}

/// What the opening of an epoch says of the head that was cosigned before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Succession {
    /// It names that head.
    Names,
    /// It names a later one that a quorum cosigned. Whether the head cosigned here was on the way there, or on another,
    /// nobody has shown.
    Passes,
    /// It does not, but a quorum has let the epoch begin.
    HasBegun,
    /// It does not.
    LeavesOut,
    /// It is no opening of that epoch.
    Nothing,
}

/// Keeps a contradiction once for what it says, whoever else signed it, and the first few of each party: one is
/// evidence enough, and whoever sends more, under numbers of epochs as they please, must not fill the disk.
fn keep_evidence(claimed: &Checkpoint, note: &[u8], batch: &mut Batch<'_>) -> Result<(), StoreError> {
    let party = Digest::of(claimed.origin.party().to_string().as_bytes());
    let row = |text: &[u8]| [party.as_bytes().as_slice(), text].concat();
    let text = Digest::of(claimed.text().as_bytes());
    let (from, to) = (batch.key(table::CONTRADICTION, &row(&[])), batch.key(table::CONTRADICTION, &row(&[0xff; 33])));
    if batch.range(&from, &to, EVIDENCE_PER_PARTY_MAX)?.len() >= EVIDENCE_PER_PARTY_MAX {
        return Ok(());
    }
    batch.put(batch.key(table::CONTRADICTION, &row(text.as_bytes())), Some(note.to_vec()))
}

/// How many contradictions of one party's ledgers are kept.
const EVIDENCE_PER_PARTY_MAX: usize = 16;

/// The name under which a witness cosigns: its party.
pub fn name_of(party: &PartyId) -> Option<WitnessName> {
    WitnessName::parse(&party.to_string())
}

impl Witness {
    /// A witness that cosigns with `secret`.
    pub fn new(desk: Desk, name: WitnessName, secret: Secret, primitives: Arc<dyn Primitives>) -> Self {
        Self { desk, name, secret, primitives }
    }

    /// Checks a head against what was cosigned before, remembers it, and cosigns.
    fn cosign(
        &self,
        standings: &[Arc<Standing>],
        submitted: Submitted<'_>,
        gate: &Gate,
        batch: &mut Batch<'_>,
        out: &mut Outbox,
    ) -> Result<Verdict, StoreError> {
        let Some((signed, claimed, logs)) = self.verified(standings, submitted.note, gate, batch) else {
            return Ok(Verdict::Refused);
        };
        let key = batch.key(table::WITNESSED, Digest::of(claimed.origin.party().to_string().as_bytes()).as_bytes());
        let known: Option<Witnessed> = match batch.get(&key)? {
            Some(bytes) => Some(cbor::decode(&bytes).map_err(|_error| StoreError::Unreadable("witnessed heads"))?),
            None => None,
        };
        // An epoch begins once: what a quorum let begin is shown to whoever comes with another beginning.
        if let Some(begun) = gate.opening(claimed.origin.party())
            && begun.first.origin == claimed.origin
            && claimed.size == begun.first.size
            && claimed.root != begun.first.root
        {
            out.act(Action::Alarm("a ledger contradicts the beginning that a quorum cosigned"));
            keep_evidence(&claimed, submitted.note, batch)?;
            return Ok(Verdict::Stands(begun.first.size, begun.first_note.as_bytes().to_vec().into()));
        }
        let stands = match &known {
            // Never seen: whatever comes is taken, but a proof would begin at something.
            None => (submitted.from != 0).then(|| Verdict::Stands(0, Vec::new().into())),
            Some(known) => {
                let is_next = claimed.origin.epoch() > known.origin.epoch() && submitted.opening.is_some();
                let begins_there = claimed.origin == known.origin && submitted.from == known.size;
                (!is_next && !begins_there).then(|| Verdict::Stands(known.size, known.note.clone().into()))
            }
        };
        if let Some(stands) = stands {
            return Ok(stands);
        }
        let follows = match &known {
            None => submitted.proof.is_empty(),
            Some(known) if known.origin == claimed.origin => {
                let from = (known.size, known.root);
                tree::check_consistency(from, (claimed.size, claimed.root), submitted.proof)
            }
            Some(known) => match self.succession(known, submitted, &claimed, &logs, gate) {
                Succession::Names => true,
                Succession::Passes => {
                    keep_evidence(&known.head(), &known.note, batch)?;
                    true
                }
                Succession::Nothing => false,
                Succession::HasBegun => {
                    out.act(Action::Alarm("a head cosigned here is left out of an epoch that a quorum let begin"));
                    keep_evidence(&known.head(), &known.note, batch)?;
                    true
                }
                Succession::LeavesOut => {
                    out.act(Action::Alarm("a new epoch leaves out the head cosigned before"));
                    keep_evidence(&claimed, submitted.note, batch)?;
                    return Ok(Verdict::Stands(known.size, known.note.clone().into()));
                }
            },
        };
        if !follows {
            out.act(Action::Alarm("a ledger contradicts the head cosigned before"));
            keep_evidence(&claimed, submitted.note, batch)?;
            return Ok(Verdict::Refused);
        }
        let line = cosignature::cosign(self.primitives.as_ref(), &self.name, &self.secret, &signed, batch.now().wall);
        let note = signed.with_cosignatures(core::slice::from_ref(&line)).unwrap_or(signed);
        let Checkpoint { origin, size, root } = claimed;
        let kept = Witnessed { origin, size, root, note: note.as_bytes().to_vec() };
        batch.put(key, Some(cbor::encode(&kept)))?;
        Ok(Verdict::Line(line.to_string()))
    }

    /// Whether a new epoch begins where what was cosigned ends, leaving nothing of it out: its opening names the
    /// very head, or a later one that a quorum cosigned. Where a quorum has let it begin without the head cosigned
    /// here, that quorum has seen to all that a quorum ever cosigned; this head is held as evidence.
    fn succession(
        &self,
        known: &Witnessed,
        submitted: Submitted<'_>,
        claimed: &Checkpoint,
        logs: &[[u8; 32]],
        gate: &Gate,
    ) -> Succession {
        let Some(Ok(came)) = submitted.opening.map(cbor::decode::<Opening>) else { return Succession::Nothing };
        let opening = Opening { first: submitted.note.to_vec().into(), ..came.clone() };
        let Ok(found) = opening.check(self.primitives.as_ref(), logs) else { return Succession::Nothing };
        if !submitted.proof.is_empty() || found.first != *claimed {
            return Succession::Nothing;
        }
        let party = claimed.origin.party();
        let is_cosigned = |note: &SignedCheckpoint| {
            cosignature::count(self.primitives.as_ref(), note, &gate.witnesses(party)) >= gate.quorum(party)
        };
        let names = SignedCheckpoint::parse(&known.note).is_ok_and(|held| opening.names(&held));
        let is_before = (known.origin.epoch(), known.size) < (found.previous.origin.epoch(), found.previous.size);
        let has_begun = || {
            let first = SignedCheckpoint::parse(&came.first).ok();
            first.is_some_and(|first| first.text() == claimed.text() && is_cosigned(&first))
        };
        if names {
            Succession::Names
        } else if is_before && is_cosigned(&found.previous_note) {
            Succession::Passes
        } else if has_begun() {
            Succession::HasBegun
        } else {
            Succession::LeavesOut
        }
    }

    /// The head, if it is one of somebody who speaks on this connection, signed with their log key.
    fn verified(
        &self,
        standings: &[Arc<Standing>],
        note: &[u8],
        gate: &Gate,
        batch: &Batch<'_>,
    ) -> Option<(SignedCheckpoint, Checkpoint, Vec<[u8; 32]>)> {
        let signed = SignedCheckpoint::parse(note).ok()?;
        let claimed = signed.claim().ok()?;
        let party = claimed.origin.party();
        let standing = standings.iter().find(|standing| standing.party() == party)?;
        if !claimed.origin.is_in(&gate.network()) || gate.still_admitted(standing, batch.now().wall).is_none() {
            return None;
        }
        let listed = gate.roster().member(party).map(|member| member.log.clone()).unwrap_or_default();
        let logs: Vec<_> = listed.iter().chain(&standing.log()).map(|log| *log.as_bytes()).collect();
        let is_good = |log: &[u8; 32]| signed.verify(self.primitives.as_ref(), &claimed.origin, log).is_ok();
        logs.iter().any(is_good).then_some((signed, claimed, logs))
    }
}

impl Machine for Witness {
    fn handle(&mut self, event: Event, gate: &Gate, batch: &mut Batch<'_>, out: &mut Outbox) -> Result<(), StoreError> {
        match event {
            Event::Cosign { route, standings, note, from, proof, opening } => {
                let submitted =
                    Submitted { note: &note, from, proof: &proof, opening: opening.as_deref().map(Vec::as_slice) };
                let verdict = self.cosign(&standings, submitted, gate, batch, out)?;
                out.act(Action::Reply(route, Frame::Cosigned(route.id, verdict)));
                Ok(())
            }
            Event::Request(verified, route) => {
                let mut find = |_verified: &Verified, _at, _batch: &mut Batch<'_>, _out: &mut Outbox| {
                    Ok(Finding::refused(Refusal::NotOurs, Label::GENERAL, Vec::new()))
                };
                duty::answer(&self.desk, &verified, route, gate, batch, out, &mut find)
            }
            _ => Ok(()),
        }
    }

    fn deadline(&self) -> Option<(Steady, &'static str)> {
        None
    }

    fn stand(&mut self, origin: &Origin, quorum_at: Option<Timestamp>) {
        self.desk.stand(origin, quorum_at);
    }
}

impl core::fmt::Debug for Witness {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Witness").field("desk", &self.desk).finish_non_exhaustive()
    }
}
