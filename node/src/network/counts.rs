//! What the network counts, beside libp2p's own numbers, as text for a scraper. No peer, no address and
//! nothing a peer chose becomes a label.

use std::sync::{Mutex, PoisonError};

use libp2p::metrics::{Metrics, Recorder, Registry};
use libp2p::ping;
use libp2p::swarm::SwarmEvent;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;

/// All numbers of one network.
pub(crate) struct Counts {
    registry: Mutex<Registry>,
    libp2p: Metrics,
    pub(crate) opened: Counter,
    pub(crate) closed: Counter,
    pub(crate) received: Counter,
    pub(crate) sent: Counter,
    pub(crate) full: Counter,
    pub(crate) refused: Counter,
    pub(crate) late: Counter,
    pub(crate) stalled: Counter,
    pub(crate) panics: Counter,
    pub(crate) crowded: Counter,
}

impl Counts {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::default();
        let libp2p = Metrics::new(&mut registry);
        let own = registry.sub_registry_with_prefix("tsunagi_network");
        let mut count = |name: &str, help: &str| {
            let counter = Counter::default();
            own.register(name, help, counter.clone());
            counter
        };
        let opened = count("links_opened", "Connections whose substream was opened");
        let closed = count("links_closed", "Connections that were open and are not any more");
        let received = count("frames_received", "Frames handed to the node");
        let sent = count("frames_sent", "Frames written to a connection");
        let full = count("frames_not_queued", "Frames refused because the queue of their connection was full");
        let refused = count("lengths_refused", "Connections closed for a length that is not allowed");
        let late = count("frames_late", "Connections closed because a frame was not complete in time");
        let stalled = count("writes_stalled", "Connections closed because the other end did not read");
        let panics = count("panics", "Panics caught in the network; each is a fault of this program");
        let crowded = count("strangers_refused", "Connections refused because too many spoke for nobody");
        let registry = Mutex::new(registry);
        Self { registry, libp2p, opened, closed, received, sent, full, refused, late, stalled, panics, crowded }
    }

    pub(crate) fn note<E>(&self, event: &SwarmEvent<E>) {
        self.libp2p.record(event);
    }

    pub(crate) fn note_ping(&self, event: &ping::Event) {
        self.libp2p.record(event);
    }

    /// OpenMetrics text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        match encode(&mut text, &registry) {
            Ok(()) => text,
            Err(_) => String::new(),
        }
    }
}
