//! From a configuration to what runs: secrets, disk and index, the first roster and what was learnt since,
//! and one office for each seat. Everything that can be wrong with them is said here, in words an
//! operator can act on; afterwards nothing is missing.

mod keeper;
mod seat;
mod statements;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use protocol::batch::Batch;
use protocol::cbor;
use protocol::cosigning::Cosigning;
use protocol::disk::Disk;
use protocol::duty::Desk;
use protocol::gate::{Gate, Notice};
use protocol::host::heard::{remembered_credentials, remembered_notices};
use protocol::host::{Host, Office};
use protocol::id::party::{PartyId, PartyKind};
use protocol::index::Index;
use protocol::key::{KeyUse, PublicKey};
use protocol::ledger::origin::Origin;
use protocol::limits;
use protocol::machine::Machine;
use protocol::noting::Noting;
use protocol::policy::judge::Judge;
use protocol::primitives::{Primitives as _, Real, Suite};
use protocol::requester::{Identity, Requester};
use protocol::roster::{Chain, Link};
use protocol::store::look::check_keys;
use protocol::store::opening::Opened;
use protocol::store::staged::Staged;
use protocol::store::{Seat, Signer, Store, StoreError, StoreSecret};
use protocol::time::{Now, Span};
use protocol::witness;
use protocol::{directory, municipality, pseudonymiser};

use crate::config::NodeConfig;
use crate::dice::OsDice;
use crate::disk::{FolderDisk, FolderError};
use crate::heart::Contact;
use crate::index::SledIndex;
use crate::keys::{COSIGNING, KeyError, KeyFolder, OBLIVIOUS, STORE};
use crate::network::PeerKey;
use keeper::Keeper;
use seat::SeatKeys;
pub use statements::{Renewal, Statements};

/// The folder of the store inside the data folder.
pub const STORE_FOLDER: &str = "store";
/// The folder of the index inside the data folder.
pub const INDEX_FOLDER: &str = "index";
/// How often a member goes to its witnesses.
const COSIGN_EVERY: Span = Span::from_s(10);
/// How many points a pseudonymiser evaluates for one office or hospital in a day.
const POINTS_DAILY_MAX: u64 = 200;

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// A key is missing, exposed or damaged.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A key file holds less than its seat needs.
    #[error(
        "{file}: 鍵「{name}」がありません。tsunagi member join で作り直してください / the key file has no usable {name}"
    )]
    NoSuchKey {
        /// The file.
        file: String,
        /// Which key.
        name: String,
    },
    /// A file given in the configuration is not what it should be.
    #[error("{0}: {1}")]
    File(PathBuf, String),
    /// The roster names other keys for a member served here.
    #[error(
        "{0}: 名簿にある{1}鍵と手元の鍵が一致しません。鍵が交代済みでないか確認してください / the roster names another {1} \
         key; was it retired?"
    )]
    OtherKey(PartyId, &'static str),
    /// The policy of the roster is not the one of this version.
    #[error(
        "名簿の方針 {roster} とこの版の方針 {shipped} が違います。ソフトウェアを更新してください / the roster's policy is \
         not the one of this version; update the software"
    )]
    OtherPolicy {
        /// What the roster names.
        roster: String,
        /// What is shipped.
        shipped: String,
    },
    /// The data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The index cannot be opened.
    #[error("{0}")]
    Index(#[from] protocol::index::IndexError),
    /// The store is damaged or does not open.
    #[error("保管庫を開けません / the store does not open: {0}")]
    Store(#[from] StoreError),
}

/// What was read before anything was opened.
#[derive(Debug)]
pub struct Ground {
    folder: KeyFolder,
    seats: Vec<SeatKeys>,
    chain: Chain,
    link: Arc<Link>,
    store_secret: StoreSecret,
    notices: Vec<Notice>,
    judges: BTreeMap<Seat, Judge>,
    /// Whom to stay connected to.
    pub contacts: Vec<Contact>,
}

/// What was found of the persons' keys of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonsKeys {
    /// There is no store yet.
    NoStore,
    /// A running node uses them.
    InUse,
    /// They are those the store was left with.
    Fit,
}

/// What runs.
#[derive(Debug)]
pub struct Assembled {
    /// Decides.
    pub host: Host,
    /// Keeps.
    pub store: Store,
    /// What opening it mended.
    pub opened: Opened,
    /// Each seat's party.
    pub seats: BTreeMap<Seat, PartyId>,
    /// Signs what members say of themselves.
    pub statements: Statements,
    /// How often the disk was synced.
    pub syncs: Arc<AtomicU64>,
}

impl Ground {
    /// Reads keys, first roster, notices and policies.
    ///
    /// # Errors
    /// [`AssembleError`] with the first thing that is wrong.
    pub fn read(config: &NodeConfig) -> Result<Self, AssembleError> {
        let folder = KeyFolder::open(&config.keys)?;
        let seats: Vec<SeatKeys> = (1_u8..=u8::MAX)
            .zip(&config.seats)
            .map(|(number, seat)| SeatKeys::load(Seat::new(number), seat, &folder))
            .collect::<Result<_, _>>()?;
        let link: Link = read_cbor(&config.first_roster)?;
        let chain = Chain::begin(config.roster_digest, &link, &Real)
            .map_err(|error| AssembleError::File(config.first_roster.clone(), error.to_string()))?;
        let first = seats.first().ok_or_else(|| no_key("seats", "seats"))?;
        let store_secret = StoreSecret::derive(first.other(STORE)?);
        let notices = config.notices.as_deref().map_or_else(|| Ok(Vec::new()), read_notices)?;
        let judges = seats
            .iter()
            .filter(|seat| seat.party.kind() == PartyKind::Insurer)
            .map(|seat| Ok((seat.seat, judge(seat.policy.as_deref())?)))
            .collect::<Result<_, AssembleError>>()?;
        let own = PeerKey(*first.transport_public.as_bytes());
        let contacts = contacts(config, own)?;
        Ok(Self { folder, seats, chain, link: Arc::new(link), store_secret, notices, judges, contacts })
    }

    /// The transport secret of the process: that of its first seat.
    pub fn transport_secret(&self) -> Option<&[u8; 32]> {
        self.seats.first().map(|seat| seat.transport.expose())
    }

    /// Looks, without changing anything, whether the persons' keys lie beside the store and are those it was left
    /// with.
    ///
    /// # Errors
    /// [`AssembleError::Store`] if they are missing or others.
    pub fn look_for_persons_keys(&self, config: &NodeConfig) -> Result<PersonsKeys, AssembleError> {
        let folder = config.data.join(STORE_FOLDER);
        if !folder.exists() {
            return Ok(PersonsKeys::NoStore);
        }
        match FolderDisk::open(&folder) {
            Ok(disk) => {
                check_keys(&disk, &self.store_secret)?;
                Ok(PersonsKeys::Fit)
            }
            Err(FolderError::InUse(_)) => Ok(PersonsKeys::InUse),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the store and puts everything together; `addresses` is where the network listens.
    ///
    /// # Errors
    /// [`AssembleError`] with the first thing that is wrong.
    pub fn assemble(
        mut self,
        config: &NodeConfig,
        addresses: Vec<String>,
        now: Now,
    ) -> Result<Assembled, AssembleError> {
        let mut gate = Gate::begin(self.chain.clone(), vec![Arc::clone(&self.link)]);
        let (mut store, mut opened, mut syncs) = self.open(config, &gate)?;
        gate = self.learn(gate, &store, now)?;
        if self.origins(&gate) != self.origins(&Gate::begin(self.chain.clone(), Vec::new())) {
            // A newer roster opened another epoch: heads are signed for that one.
            drop(store);
            (store, opened, syncs) = self.open(config, &gate)?;
        }
        self.check_members(&gate)?;
        let files = self.seats.iter().map(|keys| (keys.seat, keys.file.clone())).collect();
        let mut statements = Statements::new(&self.seats, Keeper::new(self.folder, files), addresses);
        let mut fresh = Vec::new();
        for renewal in statements.renew(&gate, now.wall) {
            gate = after(gate, &Notice::Statement(renewal.signed.into()), now);
            fresh.extend(renewal.fresh.into_iter().map(|(suite, key)| (renewal.seat, suite, key)));
        }
        let mut offices = BTreeMap::new();
        let parties = self.seats.iter().map(|seat| (seat.seat, seat.party.clone())).collect();
        for keys in self.seats {
            let signed = statements.signed(keys.seat);
            let (seat, mut office) = (keys.seat, office(&mut self.judges, keys, &gate, signed, now)?);
            if fresh.iter().any(|(of, _suite, _key)| *of == seat) {
                // A statement of before the restart may name those at hand.
                office.keys.retire_unnamed(now.wall.plus(limits::STATEMENT_LIFE).plus(limits::SKEW));
            }
            for (_seat, suite, key) in fresh.iter().filter(|(of, _suite, _key)| *of == seat) {
                office.keys.hold(*suite, Arc::clone(key), None);
            }
            offices.insert(seat, office);
        }
        resume(&mut offices, &gate, &mut store, now)?;
        let first = offices.keys().next().copied();
        let mut host = Host::new(gate, Arc::new(Real), offices);
        host.keep_gate();
        if let Some(first) = first {
            host.recall(remembered_credentials(first, &store, now, &mut OsDice)?, now.wall);
        }
        Ok(Assembled { host, store, opened, seats: parties, statements, syncs })
    }

    fn open(&self, config: &NodeConfig, gate: &Gate) -> Result<(Store, Opened, Arc<AtomicU64>), AssembleError> {
        let disk = FolderDisk::open(&config.data.join(STORE_FOLDER))?;
        let syncs = disk.syncs();
        let cache = config.machine.index_cache_mib.saturating_mul(1 << 20);
        let index = SledIndex::open(&config.data.join(INDEX_FOLDER), cache)?;
        let origins = self.origins(gate);
        let signers = self.seats.iter().zip(origins).map(|(keys, origin)| Signer {
            seat: keys.seat,
            origin,
            log_secret: log_in_use(keys, gate),
        });
        let doors: (Box<dyn Disk>, Box<dyn Index>) = (Box::new(disk), Box::new(index));
        let opened = Store::open(doors.0, doors.1, &self.store_secret, signers.collect(), Arc::new(Real))?;
        Ok((opened.0, opened.1, syncs))
    }

    fn origins(&self, gate: &Gate) -> Vec<Origin> {
        self.seats.iter().map(|keys| gate.ledger_of(&keys.party)).collect()
    }

    /// Everything learnt before the process stopped, then what lies in the folder of notices.
    fn learn(&self, gate: Gate, store: &Store, now: Now) -> Result<Gate, AssembleError> {
        let Some(first) = self.seats.first() else { return Ok(gate) };
        let remembered = remembered_notices(first.seat, store, now, &mut OsDice)?;
        // Rosters first, whatever the files are called: all else is believed by a roster.
        let (rosters, others): (Vec<_>, Vec<_>) =
            self.notices.iter().partition(|notice| matches!(notice, Notice::Roster(_)));
        let mut rosters = rosters;
        rosters.sort_by_key(|notice| match notice {
            Notice::Roster(link) => link.claimed().map_or(0, |roster| roster.version),
            _ => 0,
        });
        Ok(remembered.iter().chain(rosters).chain(others).fold(gate, |gate, notice| after(gate, notice, now)))
    }

    /// Members served here must be in the roster with the keys at hand, or not be in it yet.
    fn check_members(&self, gate: &Gate) -> Result<(), AssembleError> {
        for keys in &self.seats {
            let Some(member) = gate.roster().member(&keys.party) else {
                if !is_enrolled(&keys.party) {
                    tracing::warn!(party = %keys.party, "not in the roster yet: nobody will be answered");
                }
                continue;
            };
            let ring = keys.ring();
            if ring.signing(&member.signing).is_none() {
                return Err(AssembleError::OtherKey(keys.party.clone(), "signing"));
            }
            if ring.log(&member.log).is_none() {
                return Err(AssembleError::OtherKey(keys.party.clone(), "log"));
            }
        }
        for judge in self.judges.values() {
            let (roster, shipped) = (gate.roster().policy, judge.digest());
            if roster != shipped {
                let (roster, shipped) = (roster.to_string(), shipped.to_string());
                return Err(AssembleError::OtherPolicy { roster, shipped });
            }
        }
        Ok(())
    }
}

fn office(
    judges: &mut BTreeMap<Seat, Judge>,
    keys: SeatKeys,
    gate: &Gate,
    statement: Option<Vec<u8>>,
    now: Now,
) -> Result<Office, AssembleError> {
    let machine = machine(judges, &keys, gate, now)?;
    let cosigning =
        Some(Cosigning::new(keys.seat, keys.party.clone(), public(&log_in_use(&keys, gate)), COSIGN_EVERY, now.steady));
    let ring = keys.ring();
    let identity = Identity {
        seat: keys.seat,
        party: keys.party,
        signing: Real.signing_key(&keys.signing).into(),
        signing_public: keys.signing_public,
        credential: keys.credential,
        label: keys.label,
        suite: Suite::XWing,
        fresh_encapsulations: false,
        life: limits::REQUEST_LIFE,
    };
    let noting = Noting::new(now.steady);
    Ok(Office { requester: Requester::new(identity), machine, keys: ring, statement, cosigning, noting })
}

fn machine(
    judges: &mut BTreeMap<Seat, Judge>,
    keys: &SeatKeys,
    gate: &Gate,
    now: Now,
) -> Result<Option<Box<dyn Machine>>, AssembleError> {
    let judge = judges.remove(&keys.seat);
    let policy = judge.as_ref().map_or(gate.roster().policy, Judge::digest_in_force);
    let origin = gate.ledger_of(&keys.party);
    let desk = Desk { seat: keys.seat, party: keys.party.clone(), origin, policy, quorum_at: None };
    Ok(match (keys.party.kind(), judge) {
        (PartyKind::Insurer, Some(judge)) => {
            Some(Box::new(municipality::Municipality::new(desk, keys.label.clone(), judge, now.steady)))
        }
        (PartyKind::Directory, _) => Some(Box::new(directory::Directory::new(desk))),
        (PartyKind::Pseudonymiser, _) => {
            let key = keys.other(OBLIVIOUS)?.clone();
            Some(Box::new(pseudonymiser::Pseudonymiser::new(desk, key, POINTS_DAILY_MAX)))
        }
        (PartyKind::Witness, _) => {
            let name = witness::name_of(&keys.party).ok_or_else(|| no_key("seats", "party"))?;
            let secret = keys.other(COSIGNING)?.clone();
            Some(Box::new(witness::Witness::new(desk, name, secret, Arc::new(Real))))
        }
        (PartyKind::Insurer | PartyKind::Office | PartyKind::Hospital, _)
        | (PartyKind::Authority | PartyKind::Issuer, _) => None,
    })
}

/// The log key that the roster puts in use; for whoever is not in it, or not yet with a key at hand, the one the
/// file names first.
fn log_in_use(keys: &SeatKeys, gate: &Gate) -> protocol::primitives::Secret {
    let named = gate.roster().member(&keys.party).map(|member| member.log.as_slice()).unwrap_or_default();
    keys.ring().log(named).map_or_else(|| keys.log.clone(), |pair| pair.secret.clone())
}

const fn is_enrolled(party: &PartyId) -> bool {
    matches!(party.kind(), PartyKind::Office | PartyKind::Hospital)
}

/// The gate after a notice; one that is not believed (it may have expired meanwhile) changes nothing.
fn after(gate: Gate, notice: &Notice, now: Now) -> Gate {
    match gate.learn(notice, now.wall, &Real) {
        Ok(next) => next.unwrap_or(gate),
        Err(error) => {
            tracing::info!(%error, "a notice was not believed");
            gate
        }
    }
}

/// Exchanges that were open when the process stopped go on.
fn resume(offices: &mut BTreeMap<Seat, Office>, gate: &Gate, store: &mut Store, now: Now) -> Result<(), StoreError> {
    let mut staged = Staged::new();
    let mut dice = OsDice;
    for (seat, office) in offices {
        let mut batch = Batch::new(now, *seat, store, &mut staged, &mut dice)?;
        let (resumed, ended) = office.requester.resume(gate, &mut batch)?;
        if resumed > 0 || ended > 0 {
            tracing::info!(
                resumed,
                ended,
                "exchanges of before the restart were taken up again, or their time was over"
            );
        }
    }
    store.commit(staged).map(drop)
}

fn contacts(config: &NodeConfig, own: PeerKey) -> Result<Vec<Contact>, AssembleError> {
    let mut contacts: Vec<Contact> = Vec::new();
    for address in config.bootstrap.iter().flat_map(|peer| &peer.addresses) {
        let peer = PeerKey::named_in(address).ok_or_else(|| {
            let what = "末尾が /p2p/<Ed25519 の peer id> ではありません / does not end in /p2p/<peer id of Ed25519>";
            AssembleError::File(PathBuf::from(address), what.to_owned())
        })?;
        match contacts.iter_mut().find(|contact| contact.peer == peer) {
            Some(contact) => contact.addresses.push(address.clone()),
            None if peer == own => {}
            None => contacts.push(Contact { peer, addresses: vec![address.clone()] }),
        }
    }
    Ok(contacts)
}

fn judge(local: Option<&Path>) -> Result<Judge, AssembleError> {
    let judge = Judge::shipped();
    let Some(path) = local else { return Ok(judge) };
    let failed = |error: String| AssembleError::File(path.to_owned(), error);
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    judge.with_local(&text).map_err(|error| failed(error.to_string()))
}

/// Every `*.cbor` of the folder, by name. A missing folder is an empty one: what is in it comes and goes.
fn read_notices(folder: &Path) -> Result<Vec<Notice>, AssembleError> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "cbor"));
    files.sort();
    files.iter().map(|file| read_cbor(file)).collect()
}

fn read_cbor<T>(path: &Path) -> Result<T, AssembleError>
where
    T: for<'b> minicbor::Decode<'b, ()> + minicbor::Encode<()>,
{
    let failed = |error: String| AssembleError::File(path.to_owned(), error);
    let facts = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?;
    let longest = u64::try_from(limits::FRAME_BYTES_MAX).unwrap_or(u64::MAX);
    if facts.len() > longest {
        return Err(failed("too long".to_owned()));
    }
    let bytes = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    cbor::decode(&bytes).map_err(|error| failed(error.to_string()))
}

fn no_key(file: &str, name: &str) -> AssembleError {
    AssembleError::NoSuchKey { file: file.to_owned(), name: name.to_owned() }
}

/// The public half of a signing, log or transport secret.
fn public(secret: &protocol::primitives::Secret) -> PublicKey {
    PublicKey::from_bytes(Real.signing_public(secret))
}

/// The name of a sealing key: `sealing-x-wing…`, `sealing-x25519…`, or `sealing-` and the key id.
fn suite_of(name: &str, secret: &protocol::primitives::Secret) -> Option<Suite> {
    [Suite::XWing, Suite::X25519].into_iter().find(|suite| {
        let word = if *suite == Suite::XWing { "x-wing" } else { "x25519" };
        let has_id = || {
            let key = Real.sealing_key(*suite, secret).ok();
            key.is_some_and(|key| name == protocol::key::KeyId::of(KeyUse::sealing(*suite), &key.public()).to_string())
        };
        name.starts_with(word) || has_id()
    })
}
