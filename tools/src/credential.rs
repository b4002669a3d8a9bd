//! What an issuer (発行者) does: issues credentials of at most 24 hours, renews them for the announced next
//! key or the same one, revokes, and signs the numbered status list. Who is entitled, people decide; this
//! remembers what they decided. A revoked organisation must enrol anew.
//!
//! The registry is written before anything signed leaves, so that no serial number is used twice.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use node::keys::SIGNING;
use protocol::cbor;
use protocol::credential::Credential;
use protocol::digest::Digest;
use protocol::gate::Notice;
use protocol::id::party::PartyId;
use protocol::limits;
use protocol::primitives::Real;
use protocol::roster::Chain;
use protocol::status::StatusList;
use protocol::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::application::{Application, SignedApplication};
use crate::authority::{hex, list_name};
use crate::message::{Code, Report, Trouble};
use crate::{authority, chain, files, line, seat};

/// The issuer's memory.
pub const REGISTRY: &str = "registry.json";
/// The folder of rosters in an issuer's folder.
pub const ROSTERS: &str = "rosters";
/// The sealed file of the issuer's keys.
pub const KEY_FILE: &str = "seat.keys";

/// An issuer's folder, held by this process alone while it lives.
#[derive(Debug)]
pub struct Desk {
    folder: PathBuf,
    registry: Registry,
    chain: Chain,
    _lock: File,
}

/// A credential just issued.
#[derive(Clone, Debug)]
pub struct Issued {
    /// What it says.
    pub credential: Credential,
    /// The signed bytes, as the holder keeps them.
    pub bytes: Vec<u8>,
}

/// How an application is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// People checked the organisation: it is new here, or was revoked and enrols anew.
    Enrolment,
    /// It holds a credential and applies with the same or the announced next key.
    Renewal,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Registry {
    network: String,
    issuer: String,
    next_serial: u64,
    list_number: u64,
    organisations: BTreeMap<String, Organisation>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Organisation {
    signing: String,
    next_signing: String,
    applied_ms: u64,
    revoked: bool,
    /// Signing keys that were revoked with it or have been followed by another; none of them comes back.
    spent: Vec<String>,
    credentials: Vec<Line>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    serial: u64,
    issued_ms: u64,
    expires_ms: u64,
    revoked: bool,
}

/// Begins an issuer's registry in its folder.
///
/// # Errors
/// [`Code::Exists`] if there is one.
pub fn begin(folder: &Path, issuer: &PartyId, network: Digest) -> Result<(), Trouble> {
    let registry = Registry {
        network: network.to_string(),
        issuer: issuer.to_string(),
        next_serial: 1,
        list_number: 0,
        organisations: BTreeMap::new(),
    };
    files::write_new(&folder.join(REGISTRY), &registry.to_json()?, 0o600)
}

impl Desk {
    /// Opens an issuer's folder; `rosters` stands for the folder of rosters if it is another than the
    /// issuer's own. Waits while another process holds it.
    ///
    /// # Errors
    /// [`Code::File`], [`Code::Malformed`], [`Code::Roster`].
    pub fn open(folder: &Path, rosters: Option<&Path>) -> Result<Self, Trouble> {
        let path = folder.join(REGISTRY);
        let lock = File::open(folder).and_then(|folder| folder.lock().map(|()| folder));
        let lock = lock.map_err(|error| Trouble::new(Code::File, format!("{}: {error}", folder.display())))?;
        let malformed = |cause: &str| Trouble::new(Code::Malformed, format!("{}: {cause}", path.display()));
        let registry: Registry =
            serde_json::from_slice(&files::read(&path)?).map_err(|error| malformed(&error.to_string()))?;
        let network = Digest::parse(&registry.network).ok_or_else(|| malformed("network"))?;
        let own = folder.join(ROSTERS);
        let chain = chain::read(rosters.unwrap_or(&own), Some(network))?;
        Ok(Self { folder: folder.to_owned(), registry, chain, _lock: lock })
    }

    /// The rosters the issuer goes by.
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The issuer's name.
    ///
    /// # Errors
    /// [`Code::Malformed`].
    pub fn issuer(&self) -> Result<PartyId, Trouble> {
        PartyId::parse(&self.registry.issuer).ok_or_else(|| Trouble::new(Code::Malformed, &self.registry.issuer))
    }

    /// Issues a credential of `life` to whoever `signed` shows to have the keys.
    ///
    /// # Errors
    /// [`Code::Possession`]; [`Code::Issue`] if the roster, the registry or `entry` does not allow it.
    pub fn issue(
        &mut self,
        signed: &SignedApplication,
        entry: Entry,
        life: Span,
        now: Timestamp,
    ) -> Result<Issued, Trouble> {
        let application = signed.verify(&self.chain.network(), now)?;
        let refused = |why: &str| Trouble::new(Code::Issue, format!("{}: {why}", application.party));
        if life > limits::CREDENTIAL_LIFE || life == Span::ZERO {
            return Err(refused("有効期間は24時間以内です / at most 24 hours"));
        }
        self.allow(&application, entry).map_err(refused)?;
        self.allow_next(&application).map_err(refused)?;
        let credential = Credential {
            network: self.chain.network(),
            party: application.party.clone(),
            name: application.name.clone(),
            services: application.services.clone(),
            signing: application.signing,
            next_signing: application.next_signing,
            transport: vec![application.transport],
            log: application.log,
            issuer: self.issuer()?,
            serial: self.registry.next_serial,
            issued: now,
            expires: now.plus(life),
        };
        let secrets = seat::load(&self.folder.join("keys"), KEY_FILE)?;
        let public = seat::public(&secrets, SIGNING)?;
        let bytes = credential.sign(&Real, &public, seat::secret(&secrets, SIGNING)?);
        Credential::verify(&bytes, &self.chain.network(), self.chain.newest(), now, &Real)
            .map_err(|error| refused(&error.to_string()))?;
        self.remember(&application, &credential);
        self.keep()?;
        Ok(Issued { credential, bytes })
    }

    /// Revokes all credentials of an organisation, or one by its serial number, and signs the next list.
    /// Without a serial number the organisation itself is revoked.
    ///
    /// # Errors
    /// [`Code::Unissued`] if there is no such organisation or credential.
    pub fn revoke(
        &mut self,
        party: &PartyId,
        serial: Option<u64>,
        now: Timestamp,
    ) -> Result<(StatusList, Notice), Trouble> {
        let unknown = || {
            let serial = serial.map_or_else(String::new, |serial| format!("、番号 {serial}"));
            Trouble::new(
                Code::Unissued,
                format!("{party}{serial}: この発行者の登録簿にありません / not in the registry"),
            )
        };
        let organisation = self.registry.organisations.get_mut(&party.to_string()).ok_or_else(unknown)?;
        match serial {
            Some(serial) => {
                let line = organisation.credentials.iter_mut().find(|line| line.serial == serial);
                line.ok_or_else(unknown)?.revoked = true;
            }
            None => {
                organisation.revoked = true;
                organisation.spent.push(organisation.signing.clone());
                organisation.credentials.iter_mut().for_each(|line| line.revoked = true);
            }
        }
        self.list(now)
    }

    /// Signs the next status list: the revoked credentials whose time is not over, for 24 hours.
    ///
    /// # Errors
    /// [`Code::Keys`], [`Code::File`]; [`Code::Issue`] if the roster does not name this issuer's key.
    pub fn list(&mut self, now: Timestamp) -> Result<(StatusList, Notice), Trouble> {
        self.registry.list_number = self.registry.list_number.saturating_add(1);
        self.keep()?;
        let lines = self.registry.organisations.values().flat_map(|organisation| &organisation.credentials);
        let mut revoked: Vec<u64> =
            lines.filter(|line| line.revoked && line.expires_ms > now.unix_ms()).map(|line| line.serial).collect();
        revoked.sort_unstable();
        let list = StatusList {
            network: self.chain.network(),
            issuer: self.issuer()?,
            number: self.registry.list_number,
            issued: now,
            expires: now.plus(limits::CREDENTIAL_LIFE),
            revoked,
        };
        let secrets = seat::load(&self.folder.join("keys"), KEY_FILE)?;
        let public = seat::public(&secrets, SIGNING)?;
        let bytes = list.sign(&Real, &public, seat::secret(&secrets, SIGNING)?);
        StatusList::verify(&bytes, &self.chain.network(), self.chain.newest(), now, &Real)
            .map_err(|error| Trouble::new(Code::Issue, error))?;
        Ok((list, Notice::StatusList(bytes.into())))
    }

    fn allow(&self, application: &Application, entry: Entry) -> Result<(), &'static str> {
        let organisation = self.registry.organisations.get(&application.party.to_string());
        let signing = hex(&application.signing);
        match (entry, organisation) {
            (Entry::Enrolment, None) => Ok(()),
            (Entry::Enrolment, Some(known)) if !known.revoked => {
                Err("登録済みです。renew を使ってください / enrolled already; renew instead")
            }
            (Entry::Enrolment, Some(known)) if known.spent.contains(&signing) => {
                Err("失効した鍵は使えません / a revoked key does not come back")
            }
            (Entry::Enrolment, Some(_)) => Ok(()),
            (Entry::Renewal, None) => Err("登録がありません。issue を使ってください / not enrolled; issue instead"),
            (Entry::Renewal, Some(known)) if known.revoked => {
                Err("失効しています。新たに登録してください / revoked; it must enrol anew")
            }
            (Entry::Renewal, Some(known)) if application.issued.unix_ms() < known.applied_ms => {
                Err("前回より古い申込です / older than the last application")
            }
            (Entry::Renewal, Some(known)) => {
                let announced = application.signing.digest().to_string() == known.next_signing;
                if signing == known.signing || announced {
                    Ok(())
                } else {
                    Err("予告された次の鍵ではありません / neither the same key nor the announced next one")
                }
            }
        }
    }

    /// The key announced must be one that was never used.
    fn allow_next(&self, application: &Application) -> Result<(), &'static str> {
        let organisation = self.registry.organisations.get(&application.party.to_string());
        let is_spent = organisation.is_some_and(|known| {
            let digest = |key: &String| authority::key(key).ok().map(|key| key.digest());
            known.spent.iter().any(|key| digest(key) == Some(application.next_signing))
        });
        if is_spent || application.next_signing == application.signing.digest() {
            Err("予告する次の鍵は、使ったことのない鍵にしてください / the next key must be one never used")
        } else {
            Ok(())
        }
    }

    fn remember(&mut self, application: &Application, credential: &Credential) {
        self.registry.next_serial = self.registry.next_serial.saturating_add(1);
        let line = Line {
            serial: credential.serial,
            issued_ms: credential.issued.unix_ms(),
            expires_ms: credential.expires.unix_ms(),
            revoked: false,
        };
        let organisation =
            self.registry.organisations.entry(application.party.to_string()).or_insert_with(|| Organisation {
                signing: String::new(),
                next_signing: String::new(),
                applied_ms: 0,
                revoked: false,
                spent: Vec::new(),
                credentials: Vec::new(),
            });
        let signing = hex(&application.signing);
        if !organisation.signing.is_empty() && organisation.signing != signing {
            let before = std::mem::replace(&mut organisation.signing, signing);
            if !organisation.spent.contains(&before) {
                organisation.spent.push(before);
            }
        } else {
            organisation.signing = signing;
        }
        organisation.next_signing = application.next_signing.to_string();
        organisation.applied_ms = application.issued.unix_ms();
        organisation.revoked = false;
        organisation.credentials.push(line);
    }

    fn keep(&self) -> Result<(), Trouble> {
        files::replace(&self.folder.join(REGISTRY), &self.registry.to_json()?, 0o600)
    }
}

impl Registry {
    fn to_json(&self) -> Result<Vec<u8>, Trouble> {
        serde_json::to_vec_pretty(self).map_err(|error| Trouble::new(Code::Malformed, error))
    }
}

/// What is wanted of an issuer for one application.
#[derive(Debug)]
pub struct Order<'o> {
    /// How the application is to be taken.
    pub entry: Entry,
    /// How long the credential is to hold.
    pub life: Span,
    /// Where the credential is written, in place of the one that is there.
    pub out: &'o Path,
    /// The issuer's node, in whose ledger the credential is to stand before it is written; without one it stands in
    /// the registry alone.
    pub node: Option<&'o line::Line>,
}

/// Issues or renews a credential.
///
/// # Errors
/// Those of [`Desk::open`] and [`Desk::issue`]; [`Code::Refused`] if the issuer's node did not take it into its ledger:
/// then it is not handed out, and the next attempt has the next serial number.
pub fn issue(
    folder: &Path,
    rosters: Option<&Path>,
    application: &Path,
    order: &Order<'_>,
    now: Timestamp,
) -> Result<Report, Trouble> {
    let signed: SignedApplication = files::read_cbor(application)?;
    let issued = Desk::open(folder, rosters)?.issue(&signed, order.entry, order.life, now)?;
    let noted = order.node.map(|node| node.note_credential(&issued.bytes)).transpose();
    let leaf = noted.map_err(|why| Trouble::new(Code::Refused, why))?;
    let out = order.out;
    files::replace(out, &issued.bytes, 0o644)?;
    let Credential { party, serial, expires, .. } = &issued.credential;
    let text = format!(
        "資格証を発行しました: {party}(番号 {serial}、{}時間有効)\n{}\n{}",
        expires.since(now).ms() / 3_600_000,
        out.display(),
        leaf.map_or_else(
            || "– 発行者の台帳には記していません(--config で発行者のノードを指定すると記します)".to_owned(),
            |leaf| format!("✓ 発行者の台帳の葉 {leaf} に記しました"),
        )
    );
    let data = json!({ "credential": out, "leaf": leaf, "party": party.to_string(), "serial": serial,
        "digest": Digest::of(&issued.bytes).to_string(), "expires_ms": expires.unix_ms() });
    Ok(Report::good(text, data))
}

/// Revokes, if `party` is named, and writes the next status list into the folder `notices`.
///
/// # Errors
/// Those of [`Desk::open`] and [`Desk::revoke`].
pub fn revoke(
    folder: &Path,
    rosters: Option<&Path>,
    party: Option<(&PartyId, Option<u64>)>,
    notices: &Path,
    now: Timestamp,
) -> Result<Report, Trouble> {
    let mut desk = Desk::open(folder, rosters)?;
    let (list, notice) = match party {
        Some((party, serial)) => desk.revoke(party, serial, now)?,
        None => desk.list(now)?,
    };
    let file = notices.join(list_name(&list.issuer));
    files::replace(&file, &cbor::encode(&notice), 0o644)?;
    let text = format!("失効一覧 第{}号({}件、24時間有効): {}", list.number, list.revoked.len(), file.display());
    let data = json!({ "notice": file, "issuer": list.issuer.to_string(), "number": list.number,
        "revoked": list.revoked, "expires_ms": list.expires.unix_ms() });
    Ok(Report::good(text, data))
}
