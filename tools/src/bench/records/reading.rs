//! The reading: everything of one kind of one person, as of a day and as known at an instant thrown from three years, under
//! a permit of the published policy, from the store of a node that is stopped.

use std::time::{Duration, Instant};

use chacha20::ChaCha20Rng;
use node::assemble::Ground;
use node::clock::Clock;
use node::config::NodeConfig;
use node::dice::OsDice;
use protocol::access_log;
use protocol::batch::Batch;
use protocol::code::job::Job;
use protocol::code::purpose::Purpose;
use protocol::code::record_kind::RecordKind;
use protocol::date::Date;
use protocol::digest::Digest;
use protocol::fact::vector::{ConsentState, Facts, ProtectionState, ServiceClass};
use protocol::id::handle::Handle;
use protocol::id::party::PartyKind;
use protocol::id::person::PersonId;
use protocol::limits;
use protocol::message::Versions;
use protocol::municipality::file;
use protocol::policy;
use protocol::policy::judge::Judge;
use protocol::record::disclosure::Content;
use protocol::record::timeline::AsOf;
use protocol::store::Seat;
use protocol::store::staged::Staged;
use protocol::time::Timestamp;
use rand_core::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use simulations::population::{self, Plan};

use crate::seat;

/// What was read, how fast.
#[derive(Debug)]
pub(super) struct Read {
    /// The versions in force.
    pub(super) in_force: Latencies,
    /// Every version there ever was.
    pub(super) every_version: Latencies,
    /// How many versions came out in all.
    pub(super) versions: u64,
}

/// How long each took.
#[derive(Debug, Default)]
pub(super) struct Latencies(Vec<Duration>);

/// The most persons who are asked about.
const PERSONS_ASKED_ABOUT_MAX: usize = 20_000;
/// How far back days and instants are thrown.
const DAYS_BACK: u64 = 3 * 365;

const SEAT: Seat = Seat::new(1);

/// Reads `reads` times, half of it what is in force and half of it every version.
pub(super) fn measure(config: &NodeConfig, plan: &Plan, reads: u64) -> Result<Read, String> {
    let text = |error: &dyn core::fmt::Display| error.to_string();
    let now = Clock::start().now();
    let ground = Ground::read(config).map_err(|error| text(&error))?;
    let store = ground.assemble(config, Vec::new(), now).map_err(|error| text(&error))?.store;
    let file = config.seats.first().map(|seat| seat.keys.as_str()).ok_or("no seat")?;
    let secrets = seat::load(&config.keys, file).map_err(|trouble| trouble.to_string())?;
    let label = seat::secret(&secrets, seat::LABEL).map_err(|trouble| trouble.to_string())?;
    let persons: Vec<PersonId> = population::persons(plan)
        .filter(|person| person.care_level().is_some())
        .take(PERSONS_ASKED_ABOUT_MAX)
        .map(|person| PersonId::new(plan.insurer, person.insured().clone()))
        .collect();
    let mut judge = Judge::shipped();
    let mut dice = ChaCha20Rng::from_seed(*Digest::of(b"tsunagi bench records").as_bytes());
    let mut read = Read { in_force: Latencies::default(), every_version: Latencies::default(), versions: 0 };
    for turn in 0..reads {
        let person = thrown(&mut dice, &persons).ok_or("nobody to read of")?;
        let kind = *thrown(&mut dice, &RecordKind::ALL).ok_or("no kinds")?;
        let (day, known) = (back(&mut dice, now.wall), back(&mut dice, now.wall));
        let as_of = AsOf { valid_on: Date::from_timestamp_japan(day), recorded_by: known };
        let wanted = (turn % 2 == 1).then_some(Versions::All);
        let permit = policy::authorise(&mut judge, &facts(kind), person, kind);
        // Some kinds are for no officer.
        let Ok(permit) = permit else { continue };
        let began = Instant::now();
        let mut staged = Staged::new();
        let mut dice = OsDice;
        let batch = Batch::new(now, SEAT, &store, &mut staged, &mut dice).map_err(|error| text(&error))?;
        let label = access_log::label(label, &Handle::Care(person.clone()));
        let selected = file::read(&permit, label, (as_of, wanted), limits::RECORDS_BYTES_MAX, &batch)
            .map_err(|error| text(&error))?;
        let took = began.elapsed();
        let of = if wanted.is_some() { &mut read.every_version } else { &mut read.in_force };
        of.0.push(took);
        let content = Content::decode(&selected.bytes).map_err(|_fault| "what was read is no disclosure")?;
        read.versions += u64::try_from(content.versions().len()).unwrap_or(0);
    }
    Ok(read)
}

impl Latencies {
    pub(super) fn push(&mut self, took: Duration) {
        self.0.push(took);
    }

    pub(super) fn to_json(&self) -> Value {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = |permille: usize| {
            let last = sorted.len().saturating_sub(1);
            let took = sorted.get(last * permille / 1000).copied().unwrap_or_default();
            u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
        };
        json!({ "count": sorted.len(), "p50": at(500), "p99": at(990), "p999": at(999), "most": at(1000) })
    }
}

/// An officer of the insurer at their work, who sees the most kinds.
fn facts(kind: RecordKind) -> Facts {
    Facts {
        role: PartyKind::Insurer,
        own_insurer: true,
        service: ServiceClass::of(&[], None),
        job: Job::MunicipalOfficer,
        purpose: Purpose::BenefitAdministration,
        kind,
        relationship: None,
        consent: ConsentState::Absent,
        protection: ProtectionState::None,
        staff_proven: false,
        disaster: false,
        by_self: false,
    }
}

fn thrown<'a, T>(dice: &mut ChaCha20Rng, all: &'a [T]) -> Option<&'a T> {
    let count = u64::try_from(all.len()).ok()?.max(1);
    all.get(usize::try_from(dice.next_u64() % count).ok()?)
}

/// An instant in the last years.
fn back(dice: &mut ChaCha20Rng, now: Timestamp) -> Timestamp {
    let ms = dice.next_u64() % (DAYS_BACK * 86_400_000);
    Timestamp::from_unix_ms(now.unix_ms().saturating_sub(ms))
}
