//! The target: a municipality's node as a process of its own, fed with invented persons, and its figures.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use node::dice::OsDice;
use protocol::code::job::Job;
use protocol::code::purpose::Purpose;
use protocol::code::record_kind::RecordKind;
use protocol::code::service::ServiceKind;
use protocol::date::Date;
use protocol::id::handle::Handle;
use protocol::id::insurer::InsurerNumber;
use protocol::id::party::{PartyId, PartyKind};
use protocol::id::person::PersonId;
use protocol::machine::{Ask, Wish};
use protocol::message::Staff;
use protocol::primitives::Suite;
use protocol::roster::IssuerLimits;
use simulations::population;

use crate::files;
use crate::line::{Line, wait_until};
use crate::network::{self, Founded, Founding};
use crate::plan::{self, Plan, PlannedHolder, PlannedMember, Ports};

/// The municipality under load.
#[derive(Debug)]
pub struct Target {
    folder: PathBuf,
    founded: Founded,
    city: PartyId,
    child: Child,
    line: Line,
    persons: Vec<PersonId>,
    ready: Duration,
}

/// The municipality's figures at one moment.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Journal syncs.
    pub fdatasyncs: f64,
    batches: f64,
    batched: f64,
    buckets: Vec<(f64, f64)>,
    remembered: f64,
    ruled: f64,
}

const CITY: &str = "insurer:131235";
const OFFICE: &str = "office:1370101238";
const READY_LIMIT: Duration = Duration::from_secs(60);
const LINES_PER_IMPORT: usize = 50;

impl Target {
    /// Founds a network of one municipality and one office, starts the municipality, feeds it, and starts it
    /// again, so that what is measured is a node after a restart.
    ///
    /// # Errors
    /// A text for the operator.
    pub fn set_up(persons: u64, talk: &dyn Fn(&str)) -> Result<Self, String> {
        let mut target = Self::empty()?;
        talk(&format!("架空の {persons} 人を取り込みます"));
        target.feed(persons, today(), talk)?;
        talk("ノードを再起動します");
        target.restart()?;
        Ok(target)
    }

    /// Founds such a network and starts the municipality, which knows nobody yet.
    ///
    /// # Errors
    /// A text for the operator.
    pub fn empty() -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("tsunagi-bench-{}", std::process::id()));
        let now = node::clock::Clock::start().now().wall;
        let founded = network::found(&plan()?, &folder, now, &mut OsDice).map_err(|trouble| trouble.to_string())?;
        let city = city()?;
        let (child, line, ready) = start(&founded, &city)?;
        Ok(Self { folder, founded, city, child, line, persons: Vec::new(), ready })
    }

    /// The line to it.
    pub const fn line(&self) -> &Line {
        &self.line
    }

    /// The municipality's node as it was founded.
    ///
    /// # Errors
    /// A text if there is none.
    pub fn node(&self) -> Result<&Founding, String> {
        self.founded.nodes.iter().find(|node| node.party == self.city).ok_or_else(|| "no such node".to_owned())
    }

    /// The configuration of the office that asks.
    pub fn office(&self) -> &Path {
        let office = self.founded.nodes.iter().find(|node| node.party.to_string() == OFFICE);
        office.map_or(&self.folder, |node| &node.config)
    }

    /// The municipality.
    pub const fn city(&self) -> &PartyId {
        &self.city
    }

    /// A question about any person and any kind, by a number thrown elsewhere.
    pub fn questions(&self) -> Box<dyn Fn(u64) -> Ask + Send + Sync> {
        let persons = self.persons.clone();
        Box::new(move |thrown| {
            let count = u64::try_from(persons.len()).unwrap_or(1).max(1);
            let at = usize::try_from(thrown % count).unwrap_or(0);
            let kinds = u64::try_from(KINDS.len()).unwrap_or(1);
            let kind = usize::try_from((thrown / count) % kinds).ok().and_then(|at| KINDS.get(at));
            let person = persons.get(at).cloned().unwrap_or_else(|| unreachable!("a bench without persons"));
            Ask {
                staff: Staff { id: "bench".to_owned(), job: Job::CareManager, proof: None },
                purpose: Purpose::CarePlanning,
                person: Handle::Care(person),
                wish: Wish::Records {
                    kinds: vec![*kind.unwrap_or(&RecordKind::InsuranceCard)],
                    valid_on: None,
                    known_at: None,
                    versions: None,
                },
            }
        })
    }

    /// CPU it has used, in microseconds.
    ///
    /// # Errors
    /// A text if the system does not tell.
    pub fn cpu(&self) -> Result<f64, String> {
        super::asker::cpu_of(&self.child.id().to_string())
    }

    /// Its figures.
    ///
    /// # Errors
    /// A text if it does not answer.
    pub fn figures(&self) -> Result<Figures, String> {
        let line = &self.line;
        Ok(Figures {
            fdatasyncs: line.figure("tsunagi_fdatasyncs_total", "")?,
            batches: line.figure("tsunagi_batch_events_count", "")?,
            batched: line.figure("tsunagi_batch_events_sum", "")?,
            buckets: line.buckets("tsunagi_batch_events_bucket")?,
            remembered: line.figure("tsunagi_memo_hits_total", "policy")?,
            ruled: line.figure("tsunagi_memo_misses_total", "policy")?,
        })
    }

    /// Memory it holds, in MiB.
    ///
    /// # Errors
    /// A text if the system does not tell.
    pub fn rss_mib(&self) -> Result<f64, String> {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no figure of memory")?;
        let kib: f64 =
            line.trim().trim_end_matches("kB").trim().parse().map_err(|_error| "no figure of memory".to_owned())?;
        Ok(kib / 1024.0)
    }

    /// How long it took from start to ready, index check included.
    pub const fn ready_s(&self) -> f64 {
        self.ready.as_secs_f64()
    }

    fn feed(&mut self, persons: u64, today: Date, talk: &dyn Fn(&str)) -> Result<(), String> {
        let insurer = InsurerNumber::parse(self.city.number()).ok_or("not an insurer")?;
        let began = Instant::now();
        let mut lines = Vec::new();
        let mut records = 0;
        for person in invented(persons, today)? {
            self.persons.push(PersonId::new(insurer, person.insured().clone()));
            lines.push(person.line());
            if lines.len() >= LINES_PER_IMPORT {
                records += self.line.import(&lines.join("\n"))?;
                lines.clear();
            }
        }
        if !lines.is_empty() {
            records += self.line.import(&lines.join("\n"))?;
        }
        let peak = self.rss_mib()?;
        let count = self.persons.len();
        talk(&format!(
            "{count} 人、記録 {records} 件、{:.1} 秒、使用メモリ {peak:.0} MiB",
            began.elapsed().as_secs_f64()
        ));
        Ok(())
    }

    /// Ends it in good order.
    ///
    /// # Errors
    /// A text if it does not end.
    pub fn stop(&mut self) -> Result<(), String> {
        let stopped = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        stopped.map_err(|error| error.to_string())?;
        self.child.wait().map(drop).map_err(|error| error.to_string())
    }

    /// Ends it in good order and starts it again.
    ///
    /// # Errors
    /// A text if it does not end, or is not ready in time.
    pub fn restart(&mut self) -> Result<(), String> {
        self.stop()?;
        self.start_again()
    }

    /// Starts it again after [`Target::stop`].
    ///
    /// # Errors
    /// A text if it is not ready in time.
    pub fn start_again(&mut self) -> Result<(), String> {
        let (child, line, ready) = start(&self.founded, &self.city)?;
        (self.child, self.line, self.ready) = (child, line, ready);
        Ok(())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // Whoever is gone already cannot be ended again.
        drop(self.child.kill());
        drop(self.child.wait());
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

impl Figures {
    /// What was counted since `before`.
    pub fn since(&self, before: &Self) -> Self {
        let earlier =
            |bound: f64| before.buckets.iter().find(|(at, _count)| *at == bound).map_or(0.0, |(_at, count)| *count);
        Self {
            fdatasyncs: self.fdatasyncs - before.fdatasyncs,
            batches: self.batches - before.batches,
            batched: self.batched - before.batched,
            buckets: self.buckets.iter().map(|(bound, count)| (*bound, count - earlier(*bound))).collect(),
            remembered: self.remembered - before.remembered,
            ruled: self.ruled - before.ruled,
        }
    }

    /// Events per commit.
    pub fn batch_mean(&self) -> f64 {
        if self.batches > 0.0 { self.batched / self.batches } else { 0.0 }
    }

    /// The upper bound of the bucket in which this share of batches lies.
    pub fn batch_quantile(&self, share: f64) -> f64 {
        let found = self.buckets.iter().find(|(_bound, count)| *count >= self.batches * share);
        found.map_or(0.0, |(bound, _count)| *bound)
    }

    /// The share of rulings that were remembered.
    pub fn memo_hit_rate(&self) -> f64 {
        let all = self.remembered + self.ruled;
        if all > 0.0 { self.remembered / all } else { 0.0 }
    }
}

/// The kinds that are asked for.
pub(super) const KINDS: [RecordKind; 6] = [
    RecordKind::InsuranceCard,
    RecordKind::BurdenRatioCard,
    RecordKind::CertificationResult,
    RecordKind::CertificationSurvey,
    RecordKind::DoctorsOpinion,
    RecordKind::CarePlan,
];

/// The invented persons whom a bench asks about: certified, and clients of the office. Always the same ones.
pub(super) fn invented(wanted: u64, today: Date) -> Result<impl Iterator<Item = population::Invented>, String> {
    let office = asking_office()?;
    let population = population::Plan {
        insurer: InsurerNumber::parse(city()?.number()).ok_or("not an insurer")?,
        // About one insured person in five is certified; only those are asked about.
        persons: wanted.saturating_mul(9),
        seed: 2026,
        today,
        offices: vec![office.clone()],
        services: Vec::new(),
        hospitals: Vec::new(),
        records_per_person_min: 10,
        months: 1,
    };
    let is_asked_about = move |person: &population::Invented| {
        person.care_level().is_some() && person.relationships().iter().any(|tie| tie.party == office)
    };
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    Ok(population::persons(&population).filter(is_asked_about).take(wanted))
}

/// Today in Japan.
pub(super) fn today() -> Date {
    Date::from_timestamp_japan(node::clock::Clock::start().now().wall)
}

/// The municipality that is asked.
pub(super) fn city() -> Result<PartyId, String> {
    plan::party(CITY).map_err(|trouble| trouble.to_string())
}

/// The office that asks.
pub(super) fn asking_office() -> Result<PartyId, String> {
    plan::party(OFFICE).map_err(|trouble| trouble.to_string())
}

fn start(founded: &Founded, party: &PartyId) -> Result<(Child, Line, Duration), String> {
    let node = founded.nodes.iter().find(|node| node.party == *party).ok_or("no such node")?;
    let token = files::read_text(&node.token_file).map_err(|trouble| trouble.to_string())?;
    let line = Line::new(node.api, node.metrics, token.trim().to_owned());
    let exe = std::env::current_exe().map_err(|error| error.to_string())?;
    let began = Instant::now();
    let child = Command::new(exe)
        .args(["run", "--config"])
        .arg(&node.config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    if wait_until(READY_LIMIT, || line.is_ready()) {
        Ok((child, line, began.elapsed()))
    } else {
        Err("the municipality was not ready in time".to_owned())
    }
}

fn plan() -> Result<Plan, String> {
    let party = |text: &str| plan::party(text).map_err(|trouble| trouble.to_string());
    let member = |party: PartyId, bootstrap: bool, issues: Option<IssuerLimits>| PlannedMember {
        insurers: InsurerNumber::parse(party.number())
            .filter(|_| party.kind() == PartyKind::Insurer)
            .into_iter()
            .collect(),
        name: party.to_string(),
        party,
        participates_from: Date::MIN,
        issues,
        ports: FREE,
        bootstrap,
    };
    let limits =
        IssuerLimits { kind: PartyKind::Office, prefixes: vec!["13".to_owned()], services: ServiceKind::ALL.to_vec() };
    Ok(Plan {
        threshold: 1,
        signers: 1,
        witness_quorum: 0,
        suite_min: Suite::X25519,
        host: core::net::IpAddr::V4(core::net::Ipv4Addr::LOCALHOST),
        members: vec![member(party(CITY)?, true, None), member(party("issuer:1")?, false, Some(limits))],
        holders: vec![PlannedHolder {
            party: party(OFFICE)?,
            name: "計測".to_owned(),
            services: ServiceKind::parse("43").into_iter().collect(),
            ports: FREE,
        }],
    })
}

const FREE: Ports = Ports { network: 0, api: 0, metrics: 0 };
