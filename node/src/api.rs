//! The office API (照会窓口): how software of the same organisation asks through this node. It is the only home
//! of axum. It listens on loopback only, knows its callers by a token, and never judges what they ask.

mod answer;
mod ask;
mod door;
mod error;
mod ledger;
mod operate;
mod query;
pub mod serve;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use protocol::digest::Digest;
use protocol::gate::Condition;
use protocol::id::party::PartyId;
use protocol::store::Seat;
use protocol::time::{Span, Steady};
use protocol::wall::Reliance;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::heart::Local;
use crate::heart::inbox::Inbox;
use crate::heart::vitals::Vitals;
use crate::network::Network;
use crate::telemetry::Metrics;
pub use door::{TokenError, Tokens};
use error::Trouble;
use serve::Bounds;

/// How long a caller waits at most; every ask ends sooner by itself.
const WAIT_MAX: Duration = Duration::from_secs(45);
/// How long without a beat until the heart counts as stuck.
const BEAT_MAX: Span = Span::from_s(15);

/// What the handlers share.
#[derive(Debug)]
pub struct Desk {
    /// The way to the heart.
    pub inbox: Arc<Inbox>,
    /// What shows of the heart.
    pub vitals: Arc<Vitals>,
    /// The time.
    pub clock: Arc<Clock>,
    /// The figures.
    pub metrics: Metrics,
    /// The wire, for its figures.
    pub network: Arc<Network>,
    /// Who may call.
    pub tokens: Tokens,
    /// What one caller may take of us.
    pub bounds: Bounds,
    /// The host names a caller may use.
    pub hosts: Vec<String>,
    /// The network, for signatures that count in it alone.
    pub network_id: Digest,
    /// The seats by party, and where a renewed credential is kept.
    pub seats: BTreeMap<PartyId, (Seat, Option<PathBuf>)>,
    /// The seat that is meant if none is named.
    pub first: PartyId,
}

/// Everything of the office API.
pub fn office(desk: Arc<Desk>) -> Router {
    let guarded = Router::new()
        .route("/v1/ask", post(ask::ask))
        .route("/v1/import", post(operate::import))
        .route("/v1/notices", post(operate::notice))
        .route("/v1/credential", put(operate::credential))
        .route("/v1/sealing/rotate", post(operate::rotate))
        .route("/v1/status", get(operate::status))
        .route("/v1/ledger/checkpoint", get(ledger::checkpoint))
        .route("/v1/ledger/cosigned", get(ledger::cosigned))
        .route("/v1/ledger/leaves", get(ledger::leaves))
        .route("/v1/ledger/receipt", get(ledger::receipt))
        .route("/v1/ledger/opening", get(ledger::opening))
        .route("/v1/ledger/notes", get(ledger::notes))
        .route("/v1/ledger/credential", post(ledger::credential))
        .route("/v1/ledger/affected", get(ledger::affected))
        .layer(middleware::from_fn_with_state(Arc::clone(&desk), door::check_token));
    guarded
        .merge(figures_routes())
        .fallback(error::not_found)
        .layer(middleware::from_fn_with_state(Arc::clone(&desk), door::check_host))
        .with_state(desk)
}

/// Health and figures only.
pub fn figures(desk: Arc<Desk>) -> Router {
    let routes = figures_routes().fallback(error::not_found);
    routes.layer(middleware::from_fn_with_state(Arc::clone(&desk), door::check_host)).with_state(desk)
}

fn figures_routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/metrics/libp2p", get(network_metrics))
}

impl Desk {
    /// The seat of a party named by a caller, or the first.
    fn seat(&self, named: Option<&str>) -> Result<Seat, Trouble> {
        let party = match named {
            None => self.first.clone(),
            Some(text) => PartyId::parse(text).ok_or(Trouble::field("seat"))?,
        };
        self.seats.get(&party).map(|(seat, _file)| *seat).ok_or(Trouble::field("seat"))
    }

    /// All of a body, if it is no longer than `bytes_max` and comes in time.
    async fn read(&self, body: Body, bytes_max: usize) -> Result<Vec<u8>, Trouble> {
        let read = tokio::time::timeout(self.bounds.body_limit, query::read(body, bytes_max)).await;
        read.map_err(|_elapsed| Trouble::Late)?
    }

    /// Puts a wish to the heart and waits for its end.
    async fn wish<T>(&self, make: impl FnOnce(oneshot::Sender<T>) -> Local) -> Result<T, Trouble> {
        let (waits, answer) = oneshot::channel();
        self.inbox.put_local(make(waits)).map_err(|_full| Trouble::Busy)?;
        match tokio::time::timeout(WAIT_MAX, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_dropped)) => Err(Trouble::Stopping),
            Err(_elapsed) => Err(Trouble::Busy),
        }
    }

    /// The same for what is written down, which takes room.
    async fn wish_with_room<T>(&self, make: impl FnOnce(oneshot::Sender<T>) -> Local) -> Result<T, Trouble> {
        if self.vitals.is_without_room() {
            return Err(Trouble::NoRoom);
        }
        self.wish(make).await
    }

    /// Whether the heart has looked at anything yet.
    pub(crate) fn has_looked(&self) -> bool {
        self.vitals.last_beat() > Steady::from_ms(0)
    }

    /// Why this node is not ready, if it is not.
    pub(crate) fn unready(&self) -> Option<&'static str> {
        if self.clock.now().steady.since(self.vitals.last_beat()) > BEAT_MAX {
            return Some("the heart is stuck");
        }
        if self.vitals.condition() == Condition::Closed {
            return Some("no current roster or pulse");
        }
        match self.vitals.reliance() {
            Reliance::Uncertain => return Some("the wall clock was set"),
            Reliance::Apart => return Some("the wall clock is far from the clocks of others"),
            Reliance::Stepped | Reliance::Sound => {}
        }
        if let Some(unsettled) = self.vitals.unsettled() {
            return Some(explain(unsettled));
        }
        self.vitals.is_without_room().then_some("no room on the disk")
    }

    /// What makes this node less than wholly ready, if something does.
    fn degraded(&self) -> Option<&'static str> {
        if self.vitals.condition() == Condition::Degraded {
            return Some("no fresh pulse");
        }
        (self.vitals.reliance() == Reliance::Stepped).then_some("the wall clock was set a little")
    }
}

/// What is unsettled about the ledger, for whoever runs the node.
fn explain(unsettled: &'static str) -> &'static str {
    match unsettled {
        "the ledger is not confirmed by witnesses yet" => {
            "台帳が最新であることを立会に確かめています。立会に届くまで答えません。続くときは通信と立会の状態を確かめてください \
             / the ledger is not confirmed by witnesses yet"
        }
        "the ledger is older than what others hold" => {
            "この台帳は、立会や照会元の持つものより古いものです(控えから戻したときなど)。古い台帳は続けず、新しい時代を始めます \
             / the ledger is older than what others hold; a new epoch will begin"
        }
        "a new epoch of the ledger waits for witnesses" => {
            "新しい時代の台帳を始め、立会の副署を待っています。続くときは立会に連絡してください \
             / a new epoch of the ledger waits for witnesses"
        }
        other => other,
    }
}

async fn healthy() -> &'static str {
    "ok\n"
}

async fn ready(State(desk): State<Arc<Desk>>) -> Response {
    match desk.unready() {
        None => {
            desk.degraded().map_or_else(|| "ready\n".to_owned(), |why| format!("degraded: {why}\n")).into_response()
        }
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

async fn metrics(State(desk): State<Arc<Desk>>) -> Response {
    match desk.metrics.render() {
        Ok(text) => ([("content-type", "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn network_metrics(State(desk): State<Arc<Desk>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([("content-type", kind)], desk.network.metrics()).into_response()
}
