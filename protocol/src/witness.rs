//! The witness (立会) and those who go to it: cosignatures under ledger heads, so that a ledger shown to one
//! cannot differ from the ledger shown to another. A witness remembers one head per ledger, durably
//! before it cosigns; it never sees a leaf.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::batch::Batch;
use crate::cbor;
use crate::digest::Digest;
use crate::duty::{self, Desk, Finding};
use crate::frame::{Frame, Verdict};
use crate::gate::Gate;
use crate::id::exchange::ExchangeId;
use crate::id::party::{PartyId, PartyKind};
use crate::ledger::checkpoint::{Checkpoint, SignatureLine, SignedCheckpoint};
use crate::ledger::cosignature::{self, WitnessName};
use crate::ledger::tree;
use crate::machine::{Action, Event, Machine, Outbox};
use crate::primitives::{Primitives, Secret};
use crate::refusal::Refusal;
use crate::requester;
use crate::store::{Key, Seat, StoreError};
use crate::table;
use crate::time::{Span, Steady};
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

/// What a ledger's owner does about witnesses.
#[derive(Debug)]
pub struct Cosigning {
    seat: Seat,
    every: Span,
    next: Steady,
    sizes: BTreeMap<PartyId, u64>,
    attempts: BTreeMap<ExchangeId, PartyId>,
}

/// What a witness remembers of a ledger.
#[derive(Debug, Encode, Decode)]
struct Witnessed {
    #[n(0)]
    size: u64,
    #[n(1)]
    root: Digest,
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    note: Vec<u8>,
}

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
    #[expect(clippy::too_many_arguments, reason = "the parts of a witness's question, and where its answer goes")]
    fn cosign(
        &self,
        standings: &[PartyId],
        note: &[u8],
        from: u64,
        proof: &[Digest],
        gate: &Gate,
        batch: &mut Batch<'_>,
        out: &mut Outbox,
    ) -> Result<Verdict, StoreError> {
        let Some((signed, claimed)) = self.verified(standings, note, gate) else { return Ok(Verdict::Refused) };
        let key = batch.key(table::WITNESSED, Digest::of(claimed.origin.to_string().as_bytes()).as_bytes());
        let known: Option<Witnessed> = match batch.get(&key)? {
            Some(bytes) => Some(cbor::decode(&bytes).map_err(|_error| StoreError::Unreadable("witnessed heads"))?),
            None => None,
        };
        let (size, root) = known.map_or((0, None), |known| (known.size, Some(known.root)));
        if size != from {
            return Ok(Verdict::Stands(size));
        }
        let follows = match root {
            None => proof.is_empty(),
            Some(root) => tree::check_consistency((size, root), (claimed.size, claimed.root), proof),
        };
        if !follows {
            out.act(Action::Alarm("a ledger contradicts the head cosigned before"));
            let evidence = batch.key(table::CONTRADICTION, Digest::of(note).as_bytes());
            batch.put(evidence, Some(note.to_vec()))?;
            return Ok(Verdict::Refused);
        }
        let kept = Witnessed { size: claimed.size, root: claimed.root, note: note.to_vec() };
        batch.put(key, Some(cbor::encode(&kept)))?;
        let now = batch.now().wall;
        let line = cosignature::cosign(self.primitives.as_ref(), &self.name, &self.secret, &signed, now);
        Ok(Verdict::Line(line.to_string()))
    }

    /// The head, if it is one of a member that speaks on this connection, signed with its log key.
    fn verified(&self, standings: &[PartyId], note: &[u8], gate: &Gate) -> Option<(SignedCheckpoint, Checkpoint)> {
        let signed = SignedCheckpoint::parse(note).ok()?;
        let claimed = signed.claim().ok()?;
        let party = claimed.origin.party();
        let member = gate.roster().member(party).filter(|_member| standings.contains(party))?;
        let origin = requester::origin_of(gate, member);
        let good =
            member.log.iter().any(|log| signed.verify(self.primitives.as_ref(), &origin, log.as_bytes()).is_ok());
        good.then_some((signed, claimed))
    }
}

impl Machine for Witness {
    fn handle(&mut self, event: Event, gate: &Gate, batch: &mut Batch<'_>, out: &mut Outbox) -> Result<(), StoreError> {
        match event {
            Event::Cosign { route, standings, note, from, proof } => {
                let verdict = self.cosign(&standings, &note, from, &proof, gate, batch, out)?;
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
}

impl Cosigning {
    /// Goes to every witness of the roster each `every`.
    pub const fn new(seat: Seat, every: Span, now: Steady) -> Self {
        Self { seat, every, next: now, sizes: BTreeMap::new(), attempts: BTreeMap::new() }
    }

    /// When to go next.
    pub const fn deadline(&self) -> Steady {
        self.next
    }

    /// Goes to the witnesses if it is time.
    pub fn go(&mut self, gate: &Gate, batch: &mut Batch<'_>, out: &mut Outbox) {
        let now = batch.now().steady;
        if now < self.next {
            return;
        }
        self.next = now.plus(self.every);
        self.attempts.clear();
        if batch.ledger_size() == 0 {
            return;
        }
        let witnesses: Vec<_> = gate.roster().of_kind(PartyKind::Witness).map(|member| member.party.clone()).collect();
        for to in witnesses {
            self.ask(to, batch, out);
        }
    }

    fn ask(&mut self, to: PartyId, batch: &mut Batch<'_>, out: &mut Outbox) {
        let attempt = ExchangeId::random(batch.dice());
        let from = self.sizes.get(&to).copied().unwrap_or(0);
        self.attempts.insert(attempt, to.clone());
        out.act(Action::Cosign { seat: self.seat, to, attempt, from });
    }

    /// Takes a witness's verdict. `sent` is the head it was about.
    ///
    /// # Errors
    /// [`StoreError`] if the store refuses to keep the cosignature.
    #[expect(clippy::too_many_arguments, reason = "the parts of a verdict, and what it is judged by")]
    pub fn take(
        &mut self,
        attempt: ExchangeId,
        verdict: Verdict,
        sent: Option<&SignedCheckpoint>,
        gate: &Gate,
        primitives: &dyn Primitives,
        batch: &mut Batch<'_>,
        out: &mut Outbox,
    ) -> Result<(), StoreError> {
        let Some(party) = self.attempts.remove(&attempt) else { return Ok(()) };
        match verdict {
            Verdict::Stands(size) => {
                self.sizes.insert(party.clone(), size);
                self.ask(party, batch, out);
                Ok(())
            }
            Verdict::Refused => {
                out.act(Action::Alarm("a witness did not cosign our head"));
                Ok(())
            }
            Verdict::Line(line) => {
                let Some(cosigned) = sent.and_then(|sent| believed(&party, &line, sent, gate, primitives)) else {
                    out.act(Action::Alarm("a witness's cosignature does not hold"));
                    return Ok(());
                };
                if let Ok(head) = cosigned.claim() {
                    self.sizes.insert(party.clone(), head.size);
                }
                let key = cosigned_key(self.seat, &party);
                batch.put(key, Some(cosigned.as_bytes().to_vec()))
            }
        }
    }
}

/// The row of the newest head a witness cosigned.
pub fn cosigned_key(seat: Seat, witness: &PartyId) -> Key {
    Key::new(seat, table::COSIGNATURE, Digest::of(witness.to_string().as_bytes()).as_bytes())
}

/// The head with the witness's line under it, if the line holds under the key the roster names.
fn believed(
    party: &PartyId,
    line: &str,
    sent: &SignedCheckpoint,
    gate: &Gate,
    primitives: &dyn Primitives,
) -> Option<SignedCheckpoint> {
    let public = gate.roster().member(party)?.cosigning?;
    let cosigned = sent.with_cosignatures(&[SignatureLine::parse(line)?]).ok()?;
    let witness = cosignature::Witness { name: name_of(party)?, public: *public.as_bytes() };
    cosignature::verify(primitives, &cosigned, &witness).ok()?;
    Some(cosigned)
}

impl core::fmt::Debug for Witness {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Witness").field("desk", &self.desk).finish_non_exhaustive()
    }
}
