//! The municipality's end of the baseline: a process that fills a store of its own with invented persons and then
//! reads from it what a municipality reads for a question: tie, file, consent, policy, versions. It is the tools'
//! only home of axum. Writes no leaf and signs nothing.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::serve::Listener;
use axum::{Json, Router};
use node::clock::Clock;
use node::dice::OsDice;
use node::disk::FolderDisk;
use node::index::SledIndex;
use protocol::access_log;
use protocol::batch::Batch;
use protocol::code::job::Job;
use protocol::code::purpose::Purpose;
use protocol::code::record_kind::RecordKind;
use protocol::code::service::ServiceKind;
use protocol::date::Date;
use protocol::digest::Digest;
use protocol::duty::Desk;
use protocol::fact::Nature;
use protocol::fact::vector::{ConsentState, Facts, ProtectionState, ServiceClass};
use protocol::feed::Feed;
use protocol::id::handle::Handle;
use protocol::id::insured::InsuredNumber;
use protocol::id::insurer::InsurerNumber;
use protocol::id::party::PartyId;
use protocol::id::person::PersonId;
use protocol::ledger::origin::Origin;
use protocol::limits;
use protocol::municipality::file::{self, File};
use protocol::municipality::import;
use protocol::policy;
use protocol::policy::judge::Judge;
use protocol::primitives::{Real, Secret};
use protocol::record::disclosure::Content;
use protocol::record::timeline::AsOf;
use protocol::store::staged::Staged;
use protocol::store::{Seat, Signer, Store, StoreSecret};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

use super::ADDRESS_FILE;
use super::tls::{Acceptor, ServerStream, acceptor};
use crate::bench::target;

/// The one seat.
const SEAT: Seat = Seat::new(1);
/// The cache of the index, in bytes: a node's default.
const CACHE_BYTES: u64 = 64 << 20;
/// How many persons one import holds.
const LINES_PER_IMPORT: usize = 50;

/// The store and what judges.
struct Municipality {
    inner: Mutex<Inner>,
    insurer: InsurerNumber,
    office: PartyId,
    label: Secret,
    clock: Clock,
}

struct Inner {
    store: Store,
    judge: Judge,
}

/// Fills a store in `folder` and serves until it is ended.
///
/// # Errors
/// A text for the operator.
pub fn run(folder: &Path, persons: u64, today: Date) -> Result<(), String> {
    let municipality = Arc::new(fill(folder, persons, today)?);
    let acceptor = acceptor(folder)?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let draft = folder.join("baseline.draft");
        std::fs::write(&draft, address.to_string()).map_err(|error| error.to_string())?;
        std::fs::rename(&draft, folder.join(ADDRESS_FILE)).map_err(|error| error.to_string())?;
        let router = Router::new().route("/read", post(read)).with_state(municipality);
        axum::serve(Door { listener, acceptor }, router).await.map_err(|error| error.to_string())
    })
}

fn fill(folder: &Path, persons: u64, today: Date) -> Result<Municipality, String> {
    let text = |error: &dyn core::fmt::Display| error.to_string();
    let (city, office) = (target::city()?, target::asking_office()?);
    let insurer = InsurerNumber::parse(city.number()).ok_or("not an insurer")?;
    let origin = Origin::new(&Digest::of(b"tsunagi baseline"), &city, 1);
    let disk = FolderDisk::open(&folder.join("store")).map_err(|error| text(&error))?;
    let index = SledIndex::open(&folder.join("index"), CACHE_BYTES).map_err(|error| text(&error))?;
    let secret = StoreSecret::derive(&Secret::random(&mut OsDice));
    let signer = Signer { seat: SEAT, origin: origin.clone(), log_secret: Secret::random(&mut OsDice) };
    let opened = Store::open(Box::new(disk), Box::new(index), &secret, vec![signer], Arc::new(Real));
    let (mut store, _opened) = opened.map_err(|error| text(&error))?;
    let judge = Judge::shipped();
    let desk = Desk { seat: SEAT, party: city, origin, policy: judge.digest(), quorum_at: None };
    let label = Secret::random(&mut OsDice);
    let clock = Clock::start();
    let lines: Vec<String> = target::invented(persons, today)?.map(|person| person.line()).collect();
    for lines in lines.chunks(LINES_PER_IMPORT) {
        let mut staged = Staged::new();
        let mut dice = OsDice;
        let mut batch = Batch::new(clock.now(), SEAT, &store, &mut staged, &mut dice).map_err(|error| text(&error))?;
        let bytes = lines.join("\n").into_bytes();
        let feed = Feed { bytes, author: desk.party.clone(), insurers: vec![insurer] };
        import::import(&desk, &label, feed.read(clock.now().wall), &mut batch).map_err(|error| text(&error))??;
        store.commit(staged).map_err(|error| text(&error))?;
    }
    Ok(Municipality { inner: Mutex::new(Inner { store, judge }), insurer, office, label, clock })
}

async fn read(
    State(municipality): State<Arc<Municipality>>,
    Json(asked): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    let word = |name: &str| asked.get(name).and_then(Value::as_str);
    let insured = word("insured").and_then(InsuredNumber::parse).ok_or(StatusCode::BAD_REQUEST)?;
    let kind = word("kind").and_then(RecordKind::parse).ok_or(StatusCode::BAD_REQUEST)?;
    let found = municipality.find(insured, kind).ok_or(StatusCode::NOT_FOUND)?;
    let content = Content::decode(&found).map_err(|_fault| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(Json(content.to_json()))
}

impl Municipality {
    /// What a municipality reads for such a question, in its order.
    fn find(&self, insured: InsuredNumber, kind: RecordKind) -> Option<Vec<u8>> {
        let mut inner = self.inner.lock().ok()?;
        let Inner { store, judge } = &mut *inner;
        let now = self.clock.now();
        let today = Date::from_timestamp_japan(now.wall);
        let mut staged = Staged::new();
        let mut dice = OsDice;
        let batch = Batch::new(now, SEAT, store, &mut staged, &mut dice).ok()?;
        let person = PersonId::new(self.insurer, insured);
        let label = access_log::label(&self.label, &Handle::Care(person));
        let ties = file::ties(&batch, &self.office, label).ok()?;
        let relationship = Nature::in_force(&ties, &self.office, today);
        let services: Vec<_> = ServiceKind::parse("43").into_iter().collect();
        let file = File::read(&batch, label).ok()??;
        let facts = Facts {
            role: self.office.kind(),
            own_insurer: false,
            service: ServiceClass::of(&services, relationship),
            job: Job::CareManager,
            purpose: Purpose::CarePlanning,
            kind,
            relationship,
            consent: ConsentState::on(&file.consents, kind, today),
            protection: ProtectionState::on(&file.protections, today),
            staff_proven: false,
            disaster: false,
            by_self: false,
        };
        let permit = policy::authorise(judge, &facts, &file.person, kind).ok()?;
        file::read(
            &permit,
            label,
            (AsOf { valid_on: today, recorded_by: now.wall }, None),
            limits::RECORDS_BYTES_MAX,
            &batch,
        )
        .ok()
        .map(|selected| selected.bytes)
    }
}

/// Takes in sessions of TLS; whoever does not know how is turned away.
struct Door {
    listener: TcpListener,
    acceptor: Acceptor,
}

impl Listener for Door {
    type Io = ServerStream;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            if let Ok(session) = self.secure(stream).await {
                return (session, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

impl Door {
    async fn secure(&self, stream: TcpStream) -> std::io::Result<ServerStream> {
        stream.set_nodelay(true)?;
        self.acceptor.accept(stream).await
    }
}
