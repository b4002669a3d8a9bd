//! The stage: a network founded in a temporary folder, its members as processes, its municipalities fed with
//! invented persons. Ends every process it started.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use node::dice::OsDice;
use node::keys::{LOG, SIGNING, TRANSPORT};
use protocol::cbor;
use protocol::code::service::ServiceKind;
use protocol::date::Date;
use protocol::gate::{Gate, Notice};
use protocol::id::insurer::InsurerNumber;
use protocol::id::party::PartyId;
use protocol::key::PublicKey;
use protocol::primitives::{Real, Suite};
use protocol::roster::{Chain, IssuerLimits, Link, Roster};
use protocol::time::Timestamp;
use serde_json::json;
use simulations::population::{self, Cast, Invented};
use tokio::signal::unix::{SignalKind, signal};

use super::laptop::{Laptop, Papers};
use crate::ledger::{self, Rosters};
use crate::line::{Line, wait_until};
use crate::network::{self, Founded};
use crate::plan::{self, Plan, PlannedHolder, PlannedMember, Ports};
use crate::{chain, files, seat};

/// The city (区) most of the story plays in, and its neighbours.
pub const CITY: &str = "insurer:131235";
/// A neighbour.
pub const TOWN: &str = "insurer:122069";
/// Another.
pub const VILLAGE: &str = "insurer:122192";
/// Makes care plans (居宅介護支援事業所).
pub const PLANNER: &str = "office:1370101238";
/// Sends helpers (訪問介護事業所).
pub const HELPERS: &str = "office:1370200014";
/// A hospital (病院).
pub const HOSPITAL: &str = "hospital:1312300450";
/// An office that will be revoked.
pub const REVOKED: &str = "office:1370300012";
/// The office whose node is the story's own laptop.
pub const LAPTOP: &str = "office:1370400010";

/// A running network.
#[derive(Debug)]
pub struct Stage {
    ends: Ends,
    exe: PathBuf,
    folder: PathBuf,
    founded: Founded,
    actors: BTreeMap<String, Actor>,
    plans: BTreeMap<String, population::Plan>,
    roster: Roster,
    /// Answers whose receipts were told, for the checks at the end.
    pub receipts: Vec<serde_json::Value>,
}

/// What was found of a node's ledger.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// Whose.
    pub party: String,
    /// How many leaves it has.
    pub entries: u64,
    /// Whether root, signature and cosignatures are good.
    pub verified: bool,
}

/// One member's process.
#[derive(Debug)]
struct Actor {
    node: network::Founding,
    line: Line,
    child: Child,
}

/// How long a process may take to be ready.
const READY_LIMIT: Duration = Duration::from_secs(30);
/// Lines of one import.
const LINES_PER_IMPORT: usize = 50;

impl Stage {
    /// Founds, starts, waits, feeds; `exe` is the `tsunagi` that members run.
    ///
    /// # Errors
    /// A text for the operator.
    pub fn set_up(exe: PathBuf, persons: u64, talk: &dyn Fn(&str)) -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("tsunagi-demo-{}", std::process::id()));
        let now = node::clock::Clock::start().now().wall;
        let plan = plan()?;
        let founded = network::found(&plan, &folder, now, &mut OsDice).map_err(|trouble| trouble.to_string())?;
        talk(&format!("鍵・名簿・規則を作りました: {}", folder.display()));
        let link: Link = read(&folder.join(network::AUTHORITY).join(chain::file_name(1)))?;
        let roster = link.claimed().map_err(|error| error.to_string())?;
        let ends = Ends::on_signal(folder.clone())?;
        let mut stage = Self {
            ends,
            exe,
            folder,
            founded,
            actors: BTreeMap::new(),
            plans: BTreeMap::new(),
            roster,
            receipts: Vec::new(),
        };
        let nodes: Vec<_> =
            stage.founded.nodes.iter().filter(|node| node.party.to_string() != LAPTOP).cloned().collect();
        for node in nodes {
            let pid = stage.start(&node, &[])?;
            talk(&format!("  {:<24} プロセス {pid:>7}  http://{}", node.party.to_string(), node.api));
        }
        for (party, actor) in &stage.actors {
            if !wait_until(READY_LIMIT, || actor.line.is_ready()) {
                return Err(format!("{party} は準備ができませんでした。記録: {}", stage.log_of(&actor.node).display()));
            }
        }
        for insurer in [CITY, TOWN, VILLAGE] {
            let records = stage.feed(insurer, persons, Date::from_timestamp_japan(now))?;
            talk(&format!("  {insurer} に架空の {persons} 人、記録 {records} 件を取り込みました"));
        }
        Ok(stage)
    }

    /// The API of a member.
    ///
    /// # Errors
    /// A text if there is no such process.
    pub fn line(&self, party: &str) -> Result<&Line, String> {
        self.actors.get(party).map(|actor| &actor.line).ok_or_else(|| format!("{party} is not on stage"))
    }

    /// The first invented person of an insurer that fits.
    ///
    /// # Errors
    /// A text if there is none.
    pub fn person(&self, insurer: &str, fits: impl Fn(&Invented) -> bool) -> Result<Invented, String> {
        let plan = self.plans.get(insurer).ok_or("no such insurer")?;
        Cast::new(plan.clone()).first(fits).ok_or_else(|| "nobody fits this step".to_owned())
    }

    /// Ends a process without warning and starts it again, with these variables in its environment.
    ///
    /// # Errors
    /// A text if it does not come back.
    pub fn kill_and_restart(&mut self, party: &str, environment: &[(&str, &str)]) -> Result<(u32, u32), String> {
        let mut actor = self.actors.remove(party).ok_or("not on stage")?;
        let before = actor.child.id();
        // `Child::kill` is SIGKILL.
        actor.child.kill().map_err(|error| error.to_string())?;
        actor.child.wait().map_err(|error| error.to_string())?;
        let after = self.start(&actor.node, environment)?;
        let line = self.line(party)?;
        if wait_until(READY_LIMIT, || line.is_ready()) {
            Ok((before, after))
        } else {
            Err("it did not come back".to_owned())
        }
    }

    /// Revokes an office at its issuer and makes the new status list known at the directory, from where it
    /// spreads.
    ///
    /// # Errors
    /// A text for the operator.
    pub fn revoke(&self, party: &str) -> Result<(), String> {
        let party = plan::party(party).map_err(|trouble| trouble.to_string())?;
        let issuer = plan::party("issuer:1").map_err(|trouble| trouble.to_string())?;
        let folder = network::folder_of(&self.folder, &issuer);
        let mut desk = crate::credential::Desk::open(&folder, None).map_err(|trouble| trouble.to_string())?;
        let (_list, notice) = desk.revoke(&party, None, now()).map_err(|trouble| trouble.to_string())?;
        self.line("directory:1")?.notice(&notice)
    }

    /// A laptop with the papers of [`LAPTOP`].
    ///
    /// # Errors
    /// A text saying what is missing.
    pub fn laptop(&self) -> Result<Laptop, String> {
        let party = plan::party(LAPTOP).map_err(|trouble| trouble.to_string())?;
        let own = network::folder_of(&self.folder, &party);
        let secrets =
            seat::load(&own.join("keys"), crate::credential::KEY_FILE).map_err(|trouble| trouble.to_string())?;
        let secret = |name: &str| seat::secret(&secrets, name).cloned().map_err(|trouble| trouble.to_string());
        let link: Link = read(&self.folder.join(network::AUTHORITY).join(chain::file_name(1)))?;
        let chain = Chain::begin(self.founded.network, &link, &Real).map_err(|error| error.to_string())?;
        let papers = Papers {
            gate: Gate::begin(chain, vec![link.into()]),
            party,
            credential: files::read(&own.join(network::CREDENTIAL)).map_err(|trouble| trouble.to_string())?,
            transport: secret(TRANSPORT)?,
            signing: secret(SIGNING)?,
            log: secret(LOG)?,
            meets: self.address("directory:1")?,
        };
        let mut laptop = Laptop::start(papers)?;
        for notice in self.notices()? {
            laptop.learn(notice)?;
        }
        Ok(laptop)
    }

    /// Transport key and addresses of a member.
    ///
    /// # Errors
    /// A text if it is not on stage.
    pub fn address(&self, party: &str) -> Result<(PublicKey, Vec<String>), String> {
        let node = self.founded.nodes.iter().find(|node| node.party.to_string() == party).ok_or("no such node")?;
        let secrets = seat::load(&node.folder.join("keys"), crate::credential::KEY_FILE)
            .map_err(|trouble| trouble.to_string())?;
        let publics = seat::publics(&secrets).map_err(|trouble| trouble.to_string())?;
        Ok((publics.transport, node.addresses.clone()))
    }

    /// Recomputes every ledger from its leaves and checks head, signature and cosignature.
    pub fn ledgers(&self) -> Vec<Ledger> {
        self.actors.iter().map(|(party, actor)| self.ledger(party, &actor.line)).collect()
    }

    fn ledger(&self, party: &str, line: &Line) -> Ledger {
        let found = ledger::check(line, &self.rosters(), &|_done, _all| {});
        let found = found.ok().filter(|found| found.party.to_string() == party);
        Ledger {
            party: party.to_owned(),
            entries: found.as_ref().map_or(0, |found| found.size),
            verified: found.is_some(),
        }
    }

    /// Whether a witness has cosigned a head of this member's ledger, and of which size.
    ///
    /// # Errors
    /// A text if nothing cosigned is there or it does not hold.
    pub fn witnessed(&self, party: &str) -> Result<u64, String> {
        let cosigned = ledger::cosigned(self.line(party)?, &self.rosters())?;
        cosigned.first().map(|head| head.size).ok_or_else(|| "not cosigned".to_owned())
    }

    /// What ledgers and receipts are held against.
    pub fn rosters(&self) -> Rosters {
        Rosters::known(self.founded.network, self.roster.clone())
    }

    /// What a visitor may try while the network stays up.
    pub fn directions(&self) -> String {
        let Ok(line) = self.line(PLANNER) else { return String::new() };
        let person = self.person(CITY, |person| is_client(person, PLANNER)).ok();
        let insured = person.map_or_else(String::new, |person| person.insured().expose().to_owned());
        let token = network::folder_of(&self.folder, &plan::party(PLANNER).unwrap_or_else(|_| unreachable!()))
            .join("api-tokens");
        let question = json!({ "staff": { "id": "cm-1", "job": "care-manager" }, "purpose": "care-planning",
            "person": { "insurer": "131235", "insured": insured }, "kinds": ["certification-result"] });
        let mut text = format!(
            "\n網はこのまま動いています。Ctrl-C で終わります。別の端末で:\n\n  curl -s http://{}/v1/ask \\\n    -H \"Authorization: Bearer $(cat {})\" \\\n    -H 'Content-Type: application/json' -d '{question}'\n\n",
            line.api(),
            token.display(),
        );
        for actor in self.actors.values() {
            text.push_str(&format!("  {:<24} http://{}/metrics\n", actor.node.party.to_string(), actor.node.metrics));
        }
        text
    }

    /// Waits until a member ends by itself; a signal ends everything (see [`Ends`]).
    pub fn stay(&mut self) {
        loop {
            let ended = self.actors.values_mut().any(|actor| !matches!(actor.child.try_wait(), Ok(None)));
            if ended {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(500));
        }
    }

    fn start(&mut self, node: &network::Founding, environment: &[(&str, &str)]) -> Result<u32, String> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log_of(node));
        let log = log.map_err(|error| error.to_string())?;
        let mut run = Command::new(&self.exe);
        run.args(["run", "--config"]).arg(&node.config).envs(environment.iter().copied());
        let child = self.ends.start(run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log))?;
        let token = files::read_text(&node.token_file).map_err(|trouble| trouble.to_string())?;
        let line = Line::new(node.api, node.metrics, token.trim().to_owned());
        let pid = child.id();
        self.actors.insert(node.party.to_string(), Actor { node: node.clone(), line, child });
        Ok(pid)
    }

    fn log_of(&self, node: &network::Founding) -> PathBuf {
        node.folder.join("node.log")
    }

    fn feed(&mut self, insurer: &str, persons: u64, today: Date) -> Result<u64, String> {
        let number = InsurerNumber::parse(insurer.trim_start_matches("insurer:")).ok_or("not an insurer")?;
        let party = |text: &str| plan::party(text).map_err(|trouble| trouble.to_string());
        let plan = population::Plan {
            insurer: number,
            persons,
            seed: 2026,
            today,
            offices: vec![party(PLANNER)?, party(REVOKED)?],
            services: vec![party(HELPERS)?],
            hospitals: vec![party(HOSPITAL)?],
            records_per_person_min: 0,
            months: 1,
        };
        let lines: Vec<_> = population::persons(&plan).map(|person| person.line()).collect();
        let mut records = 0;
        for some in lines.chunks(LINES_PER_IMPORT) {
            records += self.line(insurer)?.import(&some.join("\n"))?;
        }
        self.plans.insert(insurer.to_owned(), plan);
        Ok(records)
    }

    fn notices(&self) -> Result<Vec<Notice>, String> {
        let folder = self.folder.join(network::NOTICES);
        let entries = std::fs::read_dir(folder).map_err(|error| error.to_string())?;
        let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        paths.iter().map(|path| read(path)).collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for actor in self.actors.values_mut() {
            // Whoever is gone already cannot be ended again.
            drop(actor.child.kill());
            drop(actor.child.wait());
        }
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// What to end when this process is told to end: a signal must leave no node and no key behind.
#[derive(Clone, Debug)]
struct Ends {
    pids: Arc<Mutex<Vec<u32>>>,
}

impl Ends {
    /// From now on an interrupt, a termination or a closed terminal ends every process and removes the folder.
    fn on_signal(folder: PathBuf) -> Result<Self, String> {
        let ends = Self { pids: Arc::default() };
        let (pids, failed) = (Arc::clone(&ends.pids), |error: std::io::Error| error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let wait = move || {
            runtime.block_on(async {
                let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
                let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = signals else { return };
                tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {}, _ = hangup.recv() => {} }
                // Held to the end, so that nothing is started meanwhile.
                let pids = pids.lock().unwrap_or_else(PoisonError::into_inner);
                // Whoever is gone already cannot be ended again.
                let ids = pids.iter().map(ToString::to_string);
                drop(Command::new("kill").arg("-KILL").args(ids).stderr(Stdio::null()).status());
                drop(std::fs::remove_dir_all(folder));
                std::process::exit(130);
            });
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(wait).map_err(failed)?;
        Ok(ends)
    }

    /// Starts a process that a signal will end.
    fn start(&self, command: &mut Command) -> Result<Child, String> {
        let mut pids = self.pids.lock().unwrap_or_else(PoisonError::into_inner);
        let child = command.spawn().map_err(|error| error.to_string())?;
        pids.push(child.id());
        Ok(child)
    }
}

/// Whether a person is an ordinary client of an office: tied, consenting, not protected.
pub fn is_client(person: &Invented, office: &str) -> bool {
    let tied = person.relationships().iter().any(|tie| tie.party.to_string() == office && tie.until.is_none());
    tied && person.has_consented() && person.protection().is_none()
}

/// The time on this machine's clock.
pub fn now() -> Timestamp {
    node::clock::Clock::start().now().wall
}

fn read<T>(path: &std::path::Path) -> Result<T, String>
where
    T: for<'b> minicbor::Decode<'b, ()> + minicbor::Encode<()>,
{
    let bytes = files::read(path).map_err(|trouble| trouble.to_string())?;
    cbor::decode(&bytes).map_err(|error| format!("{}: {error}", path.display()))
}

fn plan() -> Result<Plan, String> {
    let member = |text: &str, name: &str, bootstrap: bool| -> Result<PlannedMember, String> {
        let party = plan::party(text).map_err(|trouble| trouble.to_string())?;
        Ok(PlannedMember {
            insurers: InsurerNumber::parse(party.number())
                .filter(|_| text.starts_with("insurer"))
                .into_iter()
                .collect(),
            party,
            name: name.to_owned(),
            participates_from: Date::MIN,
            issues: None,
            ports: FREE,
            bootstrap,
        })
    };
    let issuer = |text: &str, name: &str, kind| -> Result<PlannedMember, String> {
        let limits = IssuerLimits { kind, prefixes: vec!["13".to_owned()], services: ServiceKind::ALL.to_vec() };
        Ok(PlannedMember { issues: Some(limits), ..member(text, name, false)? })
    };
    let holder = |text: &str, name: &str, services: &[&str]| -> Result<PlannedHolder, String> {
        let services = services.iter().filter_map(|code| ServiceKind::parse(code)).collect();
        let party: PartyId = plan::party(text).map_err(|trouble| trouble.to_string())?;
        Ok(PlannedHolder { party, name: name.to_owned(), services, ports: FREE })
    };
    use protocol::id::party::PartyKind::{Hospital, Office};
    Ok(Plan {
        threshold: 2,
        signers: 3,
        witness_quorum: 1,
        suite_min: Suite::X25519,
        host: core::net::IpAddr::V4(core::net::Ipv4Addr::LOCALHOST),
        members: vec![
            member("directory:1", "所在照会", true)?,
            member("pseudonymiser:1", "仮名化 その一", false)?,
            member("pseudonymiser:2", "仮名化 その二", false)?,
            member("witness:1", "立会", false)?,
            member(CITY, "江戸川区", false)?,
            member(TOWN, "木更津市", false)?,
            member(VILLAGE, "市原市", false)?,
            issuer("issuer:1", "事業所の資格証発行", Office)?,
            issuer("issuer:2", "医療機関の資格証発行", Hospital)?,
        ],
        holders: vec![
            holder(PLANNER, "つなぎ居宅介護支援", &["43"])?,
            holder(HELPERS, "つなぎ訪問介護", &["11"])?,
            holder(HOSPITAL, "つなぎ病院", &[])?,
            holder(REVOKED, "失効した事業所", &["43"])?,
            holder(LAPTOP, "物語の端末", &["43"])?,
        ],
    })
}

const FREE: Ports = Ports { network: 0, api: 0, metrics: 0 };
