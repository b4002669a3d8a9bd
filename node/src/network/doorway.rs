//! How many strangers may stand in the doorway: connections whose handshake is under way, and connections
//! that speak for nobody yet. A host that opens many and says nothing must not keep the others out, and all
//! strangers together hold a small part of the places. Knows nothing of who is admitted but what it is told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dummy::ConnectionHandler;
use libp2p::swarm::{ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, ToSwarm};
use libp2p::{Multiaddr, PeerId};

use super::link::Common;
use super::{Connection, NetworkConfig};

/// The most peers remembered for having been admitted.
const KNOWN_MAX: usize = 1 << 16;

/// Why a stranger is not let in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Crowded {
    #[error("too many handshakes with one host")]
    Handshakes,
    #[error("too many connections of one host speak for nobody")]
    Host,
    #[error("too many connections speak for nobody")]
    All,
}

/// Who stands in the doorway.
pub(crate) struct Doorway {
    handshakes_per_host_max: usize,
    strangers_per_host_max: usize,
    strangers_max: usize,
    crowd: Mutex<Crowd>,
}

#[derive(Default)]
struct Crowd {
    handshakes: BTreeMap<ConnectionId, IpAddr>,
    incoming: BTreeMap<ConnectionId, Guest>,
    named: BTreeMap<Connection, ConnectionId>,
    /// Peers that were admitted, and the same in the order in which they came.
    known: BTreeSet<PeerId>,
    known_since: VecDeque<PeerId>,
}

/// Whoever made an incoming connection.
struct Guest {
    peer: PeerId,
    host: Option<IpAddr>,
    is_stranger: bool,
    connection: Option<Connection>,
}

impl Doorway {
    /// With the bounds of `config` and nobody there.
    pub(crate) fn new(config: &NetworkConfig) -> Self {
        let count = |bound: u32| usize::try_from(bound).unwrap_or(usize::MAX);
        Self {
            handshakes_per_host_max: count(config.connections_pending_per_host_max),
            strangers_per_host_max: count(config.strangers_per_host_max),
            strangers_max: count(config.strangers_max),
            crowd: Mutex::new(Crowd::default()),
        }
    }

    /// Notes under which number the node knows a connection.
    pub(crate) fn name(&self, id: ConnectionId, connection: Connection) {
        let mut crowd = self.crowd();
        if let Some(guest) = crowd.incoming.get_mut(&id) {
            guest.connection = Some(connection);
            crowd.named.insert(connection, id);
        }
    }

    /// The connection speaks for somebody.
    pub(crate) fn admit(&self, connection: Connection) {
        self.crowd().settle(connection, false);
    }

    /// It does no more.
    pub(crate) fn estrange(&self, connection: Connection) {
        self.crowd().settle(connection, true);
    }

    fn crowd(&self) -> MutexGuard<'_, Crowd> {
        self.crowd.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, id: ConnectionId, host: IpAddr) -> Result<(), Crowded> {
        let mut crowd = self.crowd();
        if crowd.handshakes.values().filter(|other| **other == host).count() >= self.handshakes_per_host_max {
            return Err(Crowded::Handshakes);
        }
        crowd.handshakes.insert(id, host);
        Ok(())
    }

    fn enter(&self, id: ConnectionId, peer: PeerId, host: Option<IpAddr>) -> Result<(), Crowded> {
        let mut crowd = self.crowd();
        crowd.handshakes.remove(&id);
        let is_stranger = !crowd.known.contains(&peer);
        if is_stranger {
            let strangers = || crowd.incoming.values().filter(|guest| guest.is_stranger);
            if strangers().count() >= self.strangers_max {
                return Err(Crowded::All);
            }
            if strangers().filter(|guest| guest.host == host).count() >= self.strangers_per_host_max {
                return Err(Crowded::Host);
            }
        }
        crowd.incoming.insert(id, Guest { peer, host, is_stranger, connection: None });
        Ok(())
    }

    fn leave(&self, id: ConnectionId) {
        let mut crowd = self.crowd();
        crowd.handshakes.remove(&id);
        if let Some(connection) = crowd.incoming.remove(&id).and_then(|guest| guest.connection) {
            crowd.named.remove(&connection);
        }
    }
}

impl Crowd {
    fn settle(&mut self, connection: Connection, is_stranger: bool) {
        let Some(guest) = self.named.get(&connection).and_then(|id| self.incoming.get_mut(id)) else { return };
        guest.is_stranger = is_stranger;
        let peer = guest.peer;
        if is_stranger {
            self.known.remove(&peer);
            self.known_since.retain(|other| *other != peer);
        } else if self.known.insert(peer) {
            self.known_since.push_back(peer);
            if self.known_since.len() > KNOWN_MAX
                && let Some(oldest) = self.known_since.pop_front()
            {
                self.known.remove(&oldest);
            }
        }
    }
}

/// Tells the doorway who comes and goes.
pub(crate) struct Behaviour(Arc<Common>);

impl Behaviour {
    /// Watches over the doorway of `common`.
    pub(crate) const fn new(common: Arc<Common>) -> Self {
        Self(common)
    }

    fn denied(&self, crowded: Crowded) -> ConnectionDenied {
        self.0.counts.crowded.inc();
        ConnectionDenied::new(crowded)
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        _local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let begun = host(remote).map_or(Ok(()), |host| self.0.doorway.begin(id, host));
        begun.map_err(|crowded| self.denied(crowded))
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<ConnectionHandler, ConnectionDenied> {
        let entered = self.0.doorway.enter(id, peer, host(remote));
        entered.map(|()| ConnectionHandler).map_err(|crowded| self.denied(crowded))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _id: ConnectionId,
        _peer: PeerId,
        _address: &Multiaddr,
        _role: Endpoint,
        _port: PortUse,
    ) -> Result<ConnectionHandler, ConnectionDenied> {
        Ok(ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            // Another behaviour may have refused it after this one did not.
            FromSwarm::ListenFailure(failure) => self.0.doorway.leave(failure.connection_id),
            FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) => self.0.doorway.leave(connection_id),
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _peer: PeerId, _id: ConnectionId, event: Infallible) {
        match event {}
    }

    fn poll(&mut self, _cx: &mut Context<'_>) -> Poll<ToSwarm<Infallible, Infallible>> {
        Poll::Pending
    }
}

/// The host of an address: an IPv4 address, or the first 64 bits of an IPv6 address.
fn host(address: &Multiaddr) -> Option<IpAddr> {
    address.iter().find_map(|part| match part {
        Protocol::Ip4(host) => Some(IpAddr::V4(host)),
        Protocol::Ip6(host) => Some(IpAddr::V6(Ipv6Addr::from_bits(host.to_bits() >> 64 << 64))),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_of_one_network_are_one_host() {
        let host_of = |text: &str| host(&text.parse().unwrap()).unwrap().to_string();
        assert_eq!(host_of("/ip4/192.0.2.7/tcp/1"), "192.0.2.7");
        assert_eq!(host_of("/ip6/2001:db8:1:2:3:4:5:6/udp/1/quic-v1"), "2001:db8:1:2::");
    }

    fn doorway() -> Doorway {
        Doorway::new(&NetworkConfig {
            connections_pending_per_host_max: 2,
            strangers_max: 3,
            strangers_per_host_max: 2,
            ..NetworkConfig::default()
        })
    }

    fn ids() -> Vec<ConnectionId> {
        (0..8).map(ConnectionId::new_unchecked).collect()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_crowd_of_one_host_leaves_room_for_another() {
        let (doorway, ids) = (doorway(), ids());
        let (here, there) = (address("192.0.2.7"), address("192.0.2.8"));
        assert_eq!(doorway.begin(ids[0], here), Ok(()));
        assert_eq!(doorway.begin(ids[1], here), Ok(()));
        assert_eq!(doorway.begin(ids[2], here), Err(Crowded::Handshakes));
        assert_eq!(doorway.begin(ids[3], there), Ok(()));
        doorway.leave(ids[0]);
        assert_eq!(doorway.begin(ids[2], here), Ok(()));
    }

    #[test]
    fn strangers_are_few_of_one_host_and_few_in_all() {
        let (doorway, ids) = (doorway(), ids());
        let (here, there, far) = (address("192.0.2.7"), address("192.0.2.8"), address("192.0.2.9"));
        let enter = |at: usize, host| doorway.enter(ids[at], PeerId::random(), Some(host));
        assert_eq!(enter(0, here), Ok(()));
        assert_eq!(enter(1, here), Ok(()));
        assert_eq!(enter(2, here), Err(Crowded::Host));
        assert_eq!(enter(3, there), Ok(()));
        assert_eq!(enter(4, far), Err(Crowded::All));
        doorway.leave(ids[3]);
        assert_eq!(enter(4, far), Ok(()));
    }

    #[test]
    fn whoever_was_admitted_gets_in_past_any_crowd_until_estranged() {
        let (doorway, ids) = (doorway(), ids());
        let (member, host) = (PeerId::random(), Some(address("192.0.2.7")));
        let connection = Connection::next();
        assert_eq!(doorway.enter(ids[0], member, host), Ok(()));
        doorway.name(ids[0], connection);
        doorway.admit(connection);
        for (at, last) in [(1, "192.0.2.8"), (2, "192.0.2.9"), (3, "192.0.2.10")] {
            assert_eq!(
                doorway.enter(ids[at], PeerId::random(), Some(address(last))),
                Ok(()),
                "admitted ones do not count"
            );
        }
        assert_eq!(doorway.enter(ids[4], PeerId::random(), host), Err(Crowded::All));
        doorway.leave(ids[0]);
        assert_eq!(doorway.enter(ids[5], member, host), Ok(()));
        let again = Connection::next();
        doorway.name(ids[5], again);
        doorway.estrange(again);
        doorway.leave(ids[5]);
        assert_eq!(doorway.enter(ids[6], member, host), Err(Crowded::All));
    }
}
