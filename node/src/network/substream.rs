//! One substream per connection: whoever dialled opens it, a second one is refused, and a connection
//! without one is closed after a while. Only peers with an Ed25519 identity are let in. Hands the open
//! substream over and never reads from it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::swarm::handler::{ConnectionEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
    NetworkBehaviour, Stream, StreamProtocol, SubstreamProtocol, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use tokio::time::Sleep;

use super::PeerKey;
use super::peer;

/// The name under which the substream is negotiated.
const PROTOCOL: StreamProtocol = StreamProtocol::new("/tsunagi/1");

/// The peer's identity is not an Ed25519 key.
#[derive(Debug, thiserror::Error)]
#[error("the peer's identity is not an Ed25519 key")]
struct ForeignIdentity;

/// A substream that is open.
pub(crate) struct Opened {
    pub(crate) id: ConnectionId,
    pub(crate) peer: PeerKey,
    pub(crate) outbound: bool,
    pub(crate) stream: Stream,
}

impl core::fmt::Debug for Opened {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Opened").field("id", &self.id).field("outbound", &self.outbound).finish_non_exhaustive()
    }
}

/// Sees to it that every connection has its one substream.
pub(crate) struct Behaviour {
    opening_limit: Duration,
    out: VecDeque<ToSwarm<Opened, Infallible>>,
}

impl Behaviour {
    /// Connections without a substream are closed after `opening_limit`.
    pub(crate) const fn new(opening_limit: Duration) -> Self {
        Self { opening_limit, out: VecDeque::new() }
    }

    fn admit(&self, peer: PeerId, outbound: bool) -> Result<Handler, ConnectionDenied> {
        let key = peer::key_of(&peer).ok_or_else(|| ConnectionDenied::new(ForeignIdentity))?;
        Ok(Handler::new(key, outbound, self.opening_limit))
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Opened;

    fn handle_established_inbound_connection(
        &mut self,
        _id: ConnectionId,
        peer: PeerId,
        _local: &Multiaddr,
        _remote: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        self.admit(peer, false)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _id: ConnectionId,
        peer: PeerId,
        _address: &Multiaddr,
        _role: Endpoint,
        _port: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        self.admit(peer, true)
    }

    fn on_swarm_event(&mut self, _event: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, peer_id: PeerId, id: ConnectionId, outcome: Outcome) {
        self.out.push_back(match outcome {
            Outcome::Open { peer, outbound, stream } => {
                ToSwarm::GenerateEvent(Opened { id, peer, outbound, stream: *stream })
            }
            Outcome::Failed => ToSwarm::CloseConnection { peer_id, connection: CloseConnection::One(id) },
        });
    }

    fn poll(&mut self, _cx: &mut Context<'_>) -> Poll<ToSwarm<Opened, Infallible>> {
        self.out.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

/// What became of a connection's wish for a substream.
pub(crate) enum Outcome {
    /// It is open.
    Open { peer: PeerKey, outbound: bool, stream: Box<Stream> },
    /// The other end refused it or did not open it in time.
    Failed,
}

impl core::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Open { .. } => "Open",
            Self::Failed => "Failed",
        })
    }
}

/// One connection's part: asks for or waits for the substream, then does nothing more.
pub(crate) struct Handler {
    peer: PeerKey,
    outbound: bool,
    opening_limit: Duration,
    deadline: Pin<Box<Sleep>>,
    asked: bool,
    settled: bool,
    outcome: Option<Outcome>,
}

impl Handler {
    fn new(peer: PeerKey, outbound: bool, opening_limit: Duration) -> Self {
        let deadline = Box::pin(tokio::time::sleep(opening_limit));
        Self { peer, outbound, opening_limit, deadline, asked: false, settled: false, outcome: None }
    }

    /// Takes the first result; a later substream is dropped, which resets it.
    fn settle(&mut self, stream: Option<Stream>) {
        if self.settled {
            return;
        }
        self.settled = true;
        self.outcome = Some(match stream {
            Some(stream) => Outcome::Open { peer: self.peer, outbound: self.outbound, stream: Box::new(stream) },
            None => Outcome::Failed,
        });
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Outcome;
    type InboundProtocol = Offer;
    type OutboundProtocol = Offer;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Offer> {
        let offered = !self.outbound && !self.settled;
        SubstreamProtocol::new(Offer(offered.then_some(PROTOCOL)), ()).with_timeout(self.opening_limit)
    }

    /// Always: a connection ends when its link ends, or by the deadline, never for being idle.
    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Offer, (), Outcome>> {
        if self.outbound && !self.asked {
            self.asked = true;
            let protocol = SubstreamProtocol::new(Offer(Some(PROTOCOL)), ()).with_timeout(self.opening_limit);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        if !self.settled && self.deadline.as_mut().poll(cx).is_ready() {
            self.settle(None);
        }
        let outcome = self.outcome.take().map(ConnectionHandlerEvent::NotifyBehaviour);
        outcome.map_or(Poll::Pending, Poll::Ready)
    }

    fn on_behaviour_event(&mut self, event: Infallible) {
        match event {}
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Offer, Offer>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: stream, .. })
            | ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol: stream, .. }) => {
                self.settle(Some(stream));
            }
            ConnectionEvent::DialUpgradeError(_) => self.settle(None),
            _ => {}
        }
    }
}

/// The protocol if it is on offer; the substream itself is what the negotiation yields.
#[derive(Debug)]
pub(crate) struct Offer(Option<StreamProtocol>);

impl UpgradeInfo for Offer {
    type Info = StreamProtocol;
    type InfoIter = std::option::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl InboundUpgrade<Stream> for Offer {
    type Output = Stream;
    type Error = Infallible;
    type Future = Ready<Result<Stream, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, _protocol: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
}

impl OutboundUpgrade<Stream> for Offer {
    type Output = Stream;
    type Error = Infallible;
    type Future = Ready<Result<Stream, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, _protocol: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
}
