//! Founds a network (`tsunagi network init`): the authority's keys, the first roster, a folder for each
//! node with its keys and configuration, each issuer's registry, the first notices and credentials.
//!
//! Meant for a test network, a demonstration or a rehearsal: here all secrets begin on one machine. A
//! network in earnest has each member make its own (`tsunagi member join`).

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};

use node::keys::Secrets;
use protocol::cbor;
use protocol::digest::Digest;
use protocol::id::party::{PartyId, PartyKind};
use protocol::ledger::epoch;
use protocol::limits;
use protocol::policy::judge::Judge;
use protocol::primitives::Secret;
use protocol::roster::{Member, Roster, Signers};
use protocol::time::Timestamp;
use rand_core::CryptoRng;
use serde_json::{Value, json};

use crate::application::{Applicant, SignedApplication};
use crate::config::{self, NodeText, Peer};
use crate::credential::{self, Desk, Entry};
use crate::message::{Code, Report, Trouble};
use crate::plan::{Plan, PlannedHolder, Ports};
use crate::{authority, chain, files, seat};

/// The authority's folder.
pub const AUTHORITY: &str = "authority";
/// The folder of notices every node begins with.
pub const NOTICES: &str = "notices";
/// The folder of the nodes' folders.
pub const MEMBERS: &str = "members";
/// The credential in an office's or hospital's folder.
pub const CREDENTIAL: &str = "seat.credential";
/// A node's configuration.
pub const CONFIG: &str = "node.toml";

/// A network that can be started.
#[derive(Clone, Debug)]
pub struct Founded {
    /// Its name.
    pub network: Digest,
    /// The folder of everything.
    pub folder: PathBuf,
    /// Members' nodes in the order of the plan, then offices' and hospitals'. Without those of issuers, which only keep
    /// their ledgers: a network runs without them.
    pub nodes: Vec<Founding>,
    /// The nodes of issuers.
    pub issuers: Vec<Founding>,
}

/// One node of it.
#[derive(Clone, Debug)]
pub struct Founding {
    /// Whose.
    pub party: PartyId,
    /// Its folder.
    pub folder: PathBuf,
    /// Its configuration.
    pub config: PathBuf,
    /// The office API.
    pub api: SocketAddr,
    /// The figures.
    pub metrics: SocketAddr,
    /// The file with the token for the API.
    pub token_file: PathBuf,
    /// Where other nodes reach it, with its peer id.
    pub addresses: Vec<String>,
}

/// A node while it is being made.
struct Draft {
    party: PartyId,
    name: String,
    folder: PathBuf,
    secrets: Secrets,
    ports: Ports,
    bootstrap: bool,
}

/// Ports found free, held until all are chosen, so that none is chosen twice.
#[derive(Default)]
struct Held(Vec<(TcpListener, Option<UdpSocket>)>);

/// Makes everything the plan names in the new folder `out`.
///
/// # Errors
/// [`Code::Exists`] if `out` is there; [`Code::Plan`], [`Code::Keys`], [`Code::File`]. Nothing half made is left.
pub fn found(plan: &Plan, out: &Path, now: Timestamp, dice: &mut dyn CryptoRng) -> Result<Founded, Trouble> {
    files::require_absent(out)?;
    let out = files::absolute(out)?;
    make(plan, &out, now, dice).inspect_err(|_trouble| {
        // Made here, a moment ago; what stands in the way of removing it stood in the way of making it.
        std::fs::remove_dir_all(&out).ok();
    })
}

fn make(plan: &Plan, out: &Path, now: Timestamp, dice: &mut dyn CryptoRng) -> Result<Founded, Trouble> {
    for folder in [AUTHORITY, NOTICES, MEMBERS] {
        files::make_folder(&out.join(folder))?;
    }
    let drafts = draft_nodes(plan, out, dice)?;
    let network = found_roster(plan, out, &drafts, now, dice)?;
    found_issuers(plan, out, network, now)?;
    for holder in &plan.holders {
        enrol(plan, out, holder, &drafts, network, now)?;
    }
    authority::pulse(&out.join(AUTHORITY), &out.join(NOTICES), now)?;
    let (issuers, nodes) = write_nodes(plan, out, &drafts, network, dice)?
        .into_iter()
        .partition(|node| node.party.kind() == PartyKind::Issuer);
    Ok(Founded { network, folder: out.to_owned(), nodes, issuers })
}

/// What the command tells.
pub fn report(founded: &Founded) -> Report {
    let all = || founded.nodes.iter().chain(&founded.issuers);
    let nodes: Vec<Value> = all()
        .map(|node| {
            json!({ "party": node.party.to_string(), "config": node.config, "api": format!("http://{}", node.api),
                "metrics": format!("http://{}", node.metrics), "token_file": node.token_file,
                "addresses": node.addresses })
        })
        .collect();
    let mut text = format!(
        "網を作成しました: {}\n最初の名簿の SHA-256(書面で渡すもの): {}\nノード: {}(発行者のもの {} を含む)\n\
         次に: 立会とほかのノードを、それぞれ起動してください。立会に届くまで、どのノードも答えません",
        founded.folder.display(),
        founded.network,
        nodes.len(),
        founded.issuers.len(),
    );
    let is_witness = |node: &&Founding| node.party.kind() == PartyKind::Witness;
    // Witnesses first: the others wait for them.
    for node in all().filter(is_witness).chain(all().filter(|node| !is_witness(node))) {
        text.push_str(&format!("\n  tsunagi run --config {}", node.config.display()));
    }
    Report::good(text, json!({ "network": founded.network.to_string(), "folder": founded.folder, "nodes": nodes }))
}

/// The folder of a party's node.
pub fn folder_of(out: &Path, party: &PartyId) -> PathBuf {
    out.join(MEMBERS).join(format!("{}-{}", party.kind().as_str(), party.number()))
}

fn draft_nodes(plan: &Plan, out: &Path, dice: &mut dyn CryptoRng) -> Result<Vec<Draft>, Trouble> {
    let members = plan.members.iter().map(|member| (&member.party, &member.name, member.ports, member.bootstrap));
    let holders = plan.holders.iter().map(|holder| (&holder.party, &holder.name, holder.ports, false));
    let mut held = Held::default();
    let mut drafts = Vec::new();
    for (party, name, ports, bootstrap) in members.chain(holders) {
        let folder = folder_of(out, party);
        let secrets = seat::make(party.kind(), dice);
        files::make_folder(&folder.join("data"))?;
        seat::keep(&folder.join("keys"), credential::KEY_FILE, &secrets, dice)?;
        let ports = held.choose(plan.host, ports)?;
        drafts.push(Draft { party: party.clone(), name: name.clone(), folder, secrets, ports, bootstrap });
    }
    Ok(drafts)
}

fn found_roster(
    plan: &Plan,
    out: &Path,
    drafts: &[Draft],
    now: Timestamp,
    dice: &mut dyn CryptoRng,
) -> Result<Digest, Trouble> {
    let folder = out.join(AUTHORITY);
    let (keys, pulse) = authority::make_keys(&folder, plan.signers, dice)?;
    let signers = Signers { threshold: plan.threshold, keys };
    let mut members = Vec::new();
    for (planned, draft) in plan.members.iter().zip(drafts) {
        let publics = seat::publics(&draft.secrets)?;
        members.push(Member {
            party: planned.party.clone(),
            name: planned.name.clone(),
            signing: vec![publics.signing],
            log: vec![publics.log],
            epoch: epoch::FIRST,
            insurers: planned.insurers.clone(),
            participates_from: planned.participates_from,
            issues: planned.issues.clone(),
            oblivious: publics.oblivious,
            cosigning: publics.cosigning,
        });
    }
    members.sort_by(|a, b| a.party.cmp(&b.party));
    let roster = Roster {
        network: None,
        version: 1,
        issued: now,
        expires: now.plus(limits::ROSTER_LIFE),
        signers: signers.clone(),
        next_signers: signers,
        pulse,
        suite_min: plan.suite_min,
        policy: Judge::shipped().digest(),
        witness_quorum: plan.witness_quorum,
        members,
    };
    let link = authority::sign(&folder, &roster, None).map_err(|trouble| match trouble.code {
        Code::Roster => Trouble::new(Code::Plan, trouble.detail),
        _ => trouble,
    })?;
    Ok(link.digest())
}

fn found_issuers(plan: &Plan, out: &Path, network: Digest, now: Timestamp) -> Result<(), Trouble> {
    let first = files::read(&out.join(AUTHORITY).join(chain::file_name(1)))?;
    for issuer in plan.members.iter().filter(|member| member.issues.is_some()) {
        let folder = folder_of(out, &issuer.party);
        files::make_folder(&folder.join(credential::ROSTERS))?;
        files::write_new(&folder.join(credential::ROSTERS).join(chain::file_name(1)), &first, 0o644)?;
        credential::begin(&folder, &issuer.party, network)?;
        let (_list, notice) = Desk::open(&folder, None)?.list(now)?;
        files::write_new(&out.join(NOTICES).join(authority::list_name(&issuer.party)), &cbor::encode(&notice), 0o644)?;
    }
    Ok(())
}

/// Gives an office or hospital its first credential, from the first issuer whose limits allow it.
fn enrol(
    plan: &Plan,
    out: &Path,
    holder: &PlannedHolder,
    drafts: &[Draft],
    network: Digest,
    now: Timestamp,
) -> Result<(), Trouble> {
    let issuer = plan.issuer_for(holder)?;
    let of_holder = |draft: &&Draft| draft.party == holder.party;
    let draft = drafts.iter().find(of_holder).ok_or_else(|| Trouble::new(Code::Plan, &holder.party))?;
    let applicant = Applicant {
        party: holder.party.clone(),
        name: holder.name.clone(),
        services: holder.services.clone(),
        insurers: Vec::new(),
    };
    let signed = SignedApplication::make(applicant, network, &draft.secrets, now)?;
    let mut desk = Desk::open(&folder_of(out, &issuer.party), None)?;
    let issued = desk.issue(&signed, Entry::Enrolment, limits::CREDENTIAL_LIFE, now)?;
    files::write_new(&draft.folder.join(CREDENTIAL), &issued.bytes, 0o644)
}

fn write_nodes(
    plan: &Plan,
    out: &Path,
    drafts: &[Draft],
    network: Digest,
    dice: &mut dyn CryptoRng,
) -> Result<Vec<Founding>, Trouble> {
    let mut peers = Vec::new();
    for draft in drafts {
        let id = seat::peer_id(&seat::publics(&draft.secrets)?.transport);
        let addresses = config::addresses(plan.host, draft.ports.network).map(|address| format!("{address}/p2p/{id}"));
        peers.push(Peer { party: draft.party.clone(), addresses: addresses.to_vec() });
    }
    let mut nodes = Vec::new();
    for (draft, own) in drafts.iter().zip(&peers) {
        let others = drafts.iter().zip(&peers).filter(|(other, _)| other.bootstrap && other.party != draft.party);
        let mut bootstrap: Vec<Peer> = others.map(|(_, peer)| peer.clone()).collect();
        if bootstrap.is_empty() {
            // The only bootstrap node has nobody to ask; the form wants one, so it stands there itself.
            bootstrap.push(own.clone());
        }
        let holds = matches!(draft.party.kind(), PartyKind::Office | PartyKind::Hospital);
        let local = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        let text = NodeText {
            party: draft.party.clone(),
            name: draft.name.clone(),
            folder: draft.folder.clone(),
            network,
            first_roster: out.join(AUTHORITY).join(chain::file_name(1)),
            notices: out.join(NOTICES),
            host: plan.host,
            port: draft.ports.network,
            api: local(draft.ports.api),
            metrics: local(draft.ports.metrics),
            credential: holds.then(|| draft.folder.join(CREDENTIAL)),
            bootstrap,
        };
        let (config, token_file) = (draft.folder.join(CONFIG), draft.folder.join("api-tokens"));
        files::write_new(&config, text.to_toml().as_bytes(), 0o644)?;
        let token = Digest::from_bytes(*Secret::random(dice).expose());
        files::write_new(&token_file, format!("{token}\n").as_bytes(), 0o600)?;
        nodes.push(Founding {
            party: draft.party.clone(),
            folder: draft.folder.clone(),
            config,
            api: text.api,
            metrics: text.metrics,
            token_file,
            addresses: own.addresses.clone(),
        });
    }
    Ok(nodes)
}

impl Held {
    fn choose(&mut self, host: IpAddr, ports: Ports) -> Result<Ports, Trouble> {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Ok(Ports {
            network: if ports.network == 0 { self.free(host, true)? } else { ports.network },
            api: if ports.api == 0 { self.free(local, false)? } else { ports.api },
            metrics: if ports.metrics == 0 { self.free(local, false)? } else { ports.metrics },
        })
    }

    /// A port that nobody listens on now; with `udp`, in both protocols.
    fn free(&mut self, host: IpAddr, udp: bool) -> Result<u16, Trouble> {
        const ATTEMPTS: usize = 64;
        let failed = |error: &dyn core::fmt::Display| Trouble::new(Code::File, format!("{host}: {error}"));
        for _ in 0..ATTEMPTS {
            let tcp = TcpListener::bind((host, 0)).map_err(|error| failed(&error))?;
            let port = tcp.local_addr().map_err(|error| failed(&error))?.port();
            let udp = if udp { UdpSocket::bind((host, port)).map(Some) } else { Ok(None) };
            if let Ok(udp) = udp {
                self.0.push((tcp, udp));
                return Ok(port);
            }
        }
        Err(failed(&"no port is free"))
    }
}
