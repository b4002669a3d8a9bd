//! The adversaries (敵対者): what somebody who means harm does with what they saw on the wire or stole. Judges nothing;
//! whether it did harm is for the guarantees to say.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Mutex;

use protocol::cbor;
use protocol::credential::Credential;
use protocol::digest::Digest;
use protocol::envelope::Header;
use protocol::frame::{self, Frame, Verdict};
use protocol::gate::Presentation;
use protocol::host::Input;
use protocol::id::exchange::ExchangeId;
use protocol::id::party::{PartyId, PartyKind};
use protocol::key::{KeyId, KeyUse};
use protocol::ledger::checkpoint::Checkpoint;
use protocol::limits;
use protocol::machine::{Done, Draft, Event, Wish, Work};
use protocol::message::{Question, Reading, Request};
use protocol::table;
use protocol::time::Span;
use rand_core::Rng;

use crate::founding::party;
use crate::passage::Passage;
use crate::seed::{below, pick, stream};
use crate::society::Query;
use crate::world::{SEAT, World, claimed};

/// What was seen on the wire.
#[derive(Debug, Default)]
pub struct Seen {
    /// How many frames passed.
    pub frames: u64,
    /// Who sent a frame in which a number of somebody's card could be read.
    pub readable: Vec<PartyId>,
    /// Every request that was sent, and by whom.
    pub requests: BTreeSet<(PartyId, Digest)>,
    /// What witnesses said to each checkpoint they were shown: whether they cosigned it.
    verdicts: BTreeMap<u64, bool>,
    /// The numbers of the presentations that were believed.
    welcomed: BTreeSet<u64>,
    /// The last frames.
    last: VecDeque<Passage>,
}

/// Another history that was shown to a witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    /// Whose ledger it was said to be.
    pub party: PartyId,
    /// Whether the witness put its name to it.
    pub is_cosigned: bool,
    /// Simulated milliseconds until the witness raised the alarm. None if it did not: to what is older than what it
    /// cosigned last it only says where it stands.
    pub found_after_ms: Option<u64>,
}

/// A request that was sent under a stolen key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theft {
    /// Whose key it is.
    pub victim: PartyId,
    /// Who was asked.
    pub asked: PartyId,
    /// SHA-256 of the request's envelope.
    pub request: Digest,
}

/// A credential that an issuer may not issue, shown to an insurer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intrusion {
    /// To whom.
    pub shown_to: PartyId,
    /// For whom it was made out.
    pub vouches_for: PartyId,
    /// Whether the insurer let them in.
    pub is_admitted: bool,
}

/// How many frames are kept to be sent again.
const KEPT: usize = 256;
/// How long a witness gets to find a fork, in milliseconds.
const FORK_MS: u64 = 5_000;
/// How long an insurer gets to look at a presentation, in milliseconds.
const INTRUSION_MS: u64 = 100;
/// Who issues credentials to care offices, and to nobody else.
const ISSUER: &str = "issuer:1";
/// What a witness says that was shown another history.
const CONTRADICTED: &str = "a ledger contradicts the head cosigned before";

impl Seen {
    /// A frame passes.
    pub fn keep(&mut self, passage: &Passage) {
        self.frames = self.frames.saturating_add(1);
        match frame::parse(&passage.bytes) {
            Ok(Frame::Request(_number, envelope)) => {
                self.requests.insert((passage.from.clone(), Digest::of(&envelope)));
            }
            Ok(Frame::Welcome(number)) => {
                self.welcomed.insert(number);
            }
            Ok(Frame::Cosigned(number, verdict)) => {
                self.verdicts.insert(number, matches!(verdict, Verdict::Line(_)));
            }
            _ => {}
        }
        if self.last.len() >= KEPT {
            self.last.pop_front();
        }
        self.last.push_back(passage.clone());
    }

    fn request(&self, dice: &mut dyn Rng) -> Option<Passage> {
        let is_request = |passage: &&Passage| matches!(frame::parse(&passage.bytes), Ok(Frame::Request(..)));
        let requests: Vec<_> = self.last.iter().filter(is_request).collect();
        pick(dice, &requests).map(|passage| (*passage).clone())
    }

    fn any(&self, dice: &mut dyn Rng) -> Option<Passage> {
        let at = below(dice, u64::try_from(self.last.len()).unwrap_or_default());
        self.last.get(usize::try_from(at).ok()?).cloned()
    }
}

/// Sends a request again, over the line it came by or over another's. Whether there was a line.
pub fn replay(world: &mut World, seen: &Seen, dice: &mut dyn Rng) -> bool {
    let Some(passage) = seen.request(dice) else { return false };
    let by = if below(dice, 2) == 0 { Some(passage.from) } else { pick(dice, &world.parties()).cloned() };
    hand_over(world, by, &passage.to, passage.bytes)
}

/// Sends the beginning of one frame with the end of another, or a frame with other bytes in it. Whether there was a
/// line.
pub fn forge(world: &mut World, seen: &Seen, dice: &mut dyn Rng) -> bool {
    let (Some(first), Some(second)) = (seen.any(dice), seen.any(dice)) else { return false };
    let mut bytes = first.bytes;
    let at = usize::try_from(below(dice, u64::try_from(bytes.len()).unwrap_or_default())).unwrap_or_default();
    if below(dice, 2) == 0 {
        let other: Vec<_> = second.bytes.into_iter().skip(at).collect();
        bytes.truncate(at);
        bytes.extend(other);
    } else {
        bytes.iter_mut().skip(at).take(8).for_each(|byte| *byte = byte.wrapping_add(1));
    }
    let by = if below(dice, 2) == 0 { Some(first.from) } else { pick(dice, &world.parties()).cloned() };
    hand_over(world, by, &first.to, bytes)
}

/// An admitted office asks an insurer for everything, more often than it may. Which office, if one has a line.
pub fn flood(world: &mut World, dice: &mut dyn Rng) -> Option<PartyId> {
    let (office, insurer) = (one_of(world, PartyKind::Office, dice)?, one_of(world, PartyKind::Insurer, dice)?);
    let connection = world.wire(&office, &insurer)?;
    let bytes = cbor::encode(&Frame::Fetch(1, true));
    for _frame in 0..limits::FETCHES_PER_PEER_MAX.saturating_mul(2) {
        world.push_now(&insurer, Input::Frame { connection, bytes: bytes.clone() });
    }
    Some(office)
}

/// Whoever stole the key of an insurer's ledger shows a witness another history of it, as long as the true one or
/// longer.
pub fn fork(world: &mut World, seen: &Mutex<Seen>, dice: &mut dyn Rng) -> Option<Fork> {
    let (party, witness) = (one_of(world, PartyKind::Insurer, dice)?, one_of(world, PartyKind::Witness, dice)?);
    let cosigned = claimed(&world.cosigned(&party, &witness)?)?;
    let stolen = world.founding().keys(&party)?.log.first()?.secret.clone();
    let connection = world.wire(&party, &witness)?;
    let size = cosigned.size.saturating_add(below(dice, 2));
    let other = Checkpoint { origin: cosigned.origin, size, root: Digest::of(&dice.next_u64().to_be_bytes()) };
    let note = other.sign(world.primitives(), &stolen).as_bytes().to_vec();
    // A number that no host comes to by counting.
    let number = dice.next_u64() | 1 << 63;
    let frame = Frame::Cosign(number, note.into(), cosigned.size, Vec::new(), None);
    let alarms =
        |world: &World| world.alarms().iter().filter(|(at, what)| *at == witness && *what == CONTRADICTED).count();
    let before = alarms(world);
    world.push_now(&witness, Input::Frame { connection, bytes: cbor::encode(&frame) });
    let found = (0..FORK_MS).find(|_ms| {
        world.pass(Span::from_ms(1));
        alarms(world) > before
    });
    let is_cosigned = seen.lock().is_ok_and(|seen| seen.verdicts.get(&number) == Some(&true));
    Some(Fork { party, is_cosigned, found_after_ms: found.map(|ms| ms.saturating_add(1)) })
}

/// Whoever stole an office's signing key asks with it, over a line of their own, what the office might ask. Nothing if they
/// have no line.
pub fn steal(world: &mut World, query: &Query, dice: &mut dyn Rng) -> Option<Theft> {
    let (victim, now) = (query.asker.clone(), world.now());
    let asked = party(&format!("insurer:{}", query.person.insurer()));
    let credential = world.credential(&victim)?;
    let lines: Vec<_> = world.parties().into_iter().filter(|thief| *thief != victim && *thief != asked).collect();
    let lines: Vec<_> = lines.iter().filter_map(|thief| world.wire(thief, &asked)).collect();
    let connection = *pick(dice, &lines)?;
    let (gate, suite) = (world.gate(&victim)?, world.founding().suite());
    let sealing = gate.statement(&asked, now.wall)?.sealing_key(suite, suite)?.clone();
    let stolen = world.founding().signing(&victim)?.clone();
    let ask = query.ask();
    let Wish::Records { kinds, valid_on, known_at, versions } = ask.wish else { return None };
    let mut dice = stream(dice.next_u64(), "theft");
    let request = Request {
        sender: victim.clone(),
        recipient: asked.clone(),
        exchange: ExchangeId::draw(now.wall, &mut dice),
        issued: now.wall,
        expires: now.wall.plus(limits::REQUEST_LIFE),
        credential: Some(Digest::of(&credential)),
        roster: gate.roster().version,
        seen: None,
        staff: ask.staff,
        purpose: ask.purpose,
        question: Question::Read(Reading { person: ask.person, kinds, valid_on, known_at, versions }),
    };
    let draft = Draft {
        exchange: request.exchange,
        request: cbor::encode(&request),
        header: Header {
            network: gate.network(),
            suite,
            sender: victim.clone(),
            recipient: asked.clone(),
            signing_key: stolen.public.id(KeyUse::Signing),
            sealing_key: KeyId::of(KeyUse::sealing(suite), &sealing.public),
            enc: Vec::new(),
            nonce: [0; 16],
        },
        sealing: sealing.public,
        signing: world.primitives().signing_key(&stolen.secret).into(),
        reuse: None,
    };
    let sealed = Work::SealRequest(Box::new(draft)).perform(SEAT, now, &mut dice, world.primitives());
    let Done::Event(_seat, Event::Sealed(_exchange, drafted)) = sealed else { return None };
    let frame = Frame::Request(dice.next_u64() | 1 << 63, drafted.outgoing.bytes.into());
    world.push_now(&asked, Input::Frame { connection, bytes: cbor::encode(&frame) });
    Some(Theft { victim, asked, request: drafted.outgoing.digest })
}

/// The issuer of offices makes out a credential to a hospital, to its own key; somebody shows it to an insurer over a line of
/// theirs.
pub fn intrude(world: &mut World, seen: &Mutex<Seen>, dice: &mut dyn Rng) -> Option<Intrusion> {
    let (thief, shown_to) = (one_of(world, PartyKind::Office, dice)?, one_of(world, PartyKind::Insurer, dice)?);
    let connection = world.wire(&thief, &shown_to)?;
    let (now, network) = (world.now().wall, world.founding().network());
    let (issuer, vouches_for) = (party(ISSUER), party(&format!("hospital:13123{:05}", 90_000 + below(dice, 9_999))));
    let (pair, keys) = (world.founding().signing(&issuer)?.clone(), world.founding().keys(&thief)?);
    let own = keys.signing.first()?.public;
    let credential = Credential {
        network,
        party: vouches_for.clone(),
        name: vouches_for.to_string(),
        services: Vec::new(),
        signing: own,
        next_signing: own.digest(),
        transport: keys.transport.clone(),
        log: keys.log.first()?.public,
        issuer,
        serial: dice.next_u64() >> 1,
        issued: now,
        expires: now.plus(limits::CREDENTIAL_LIFE),
    };
    let shown = Presentation {
        network,
        party: vouches_for.clone(),
        statement: None,
        credential: Some(credential.sign(world.primitives(), &pair.public, &pair.secret).into()),
        roster: world.gate(&shown_to)?.roster().version,
    };
    let number = dice.next_u64() | 1 << 63;
    let frame = Frame::Hello(number, cbor::encode(&shown).into());
    world.push_now(&shown_to, Input::Frame { connection, bytes: cbor::encode(&frame) });
    world.pass(Span::from_ms(INTRUSION_MS));
    let is_admitted = seen.lock().is_ok_and(|seen| seen.welcomed.contains(&number));
    Some(Intrusion { shown_to, vouches_for, is_admitted })
}

/// The directory puts under each of two tags what was registered under the other. Whether it has two.
pub fn swap_homes(world: &mut World, dice: &mut dyn Rng) -> bool {
    let Some(directory) = one_of(world, PartyKind::Directory, dice) else { return false };
    let mut is_done = false;
    world.stage(&directory, |batch| {
        let (from, to) = (batch.key(table::BINDING, &[]), batch.key(table::BINDING.saturating_add(1), &[]));
        let rows = batch.range(&from, &to, usize::MAX).unwrap_or_default();
        let (Some(one), Some(other)) = (pick(dice, &rows).cloned(), pick(dice, &rows).cloned()) else { return };
        is_done =
            one.1 != other.1 && batch.put(one.0, Some(other.1)).is_ok() && batch.put(other.0, Some(one.1)).is_ok();
    });
    is_done
}

fn hand_over(world: &mut World, by: Option<PartyId>, to: &PartyId, bytes: Vec<u8>) -> bool {
    let Some(connection) = by.and_then(|by| world.wire(&by, to)) else { return false };
    world.push_now(to, Input::Frame { connection, bytes });
    true
}

/// One that runs.
pub fn one_of(world: &World, kind: PartyKind, dice: &mut dyn Rng) -> Option<PartyId> {
    let running: Vec<_> = world.parties().into_iter().filter(|party| party.kind() == kind).collect();
    pick(dice, &running).cloned()
}
