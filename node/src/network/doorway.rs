//! How many strangers of one host may stand in the doorway: a host that opens many connections and
//! never ends a handshake must not keep the others out. Knows nothing of peers who are inside.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr};
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dummy::ConnectionHandler;
use libp2p::swarm::{ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, ToSwarm};
use libp2p::{Multiaddr, PeerId};

/// One host has too many handshakes under way.
#[derive(Debug, thiserror::Error)]
#[error("too many handshakes with one host")]
struct Crowded;

/// Counts incoming handshakes by the host they come from.
pub(crate) struct Behaviour {
    per_host_max: usize,
    pending: BTreeMap<ConnectionId, IpAddr>,
}

impl Behaviour {
    /// Lets at most `per_host_max` handshakes of one host be under way.
    pub(crate) const fn new(per_host_max: usize) -> Self {
        Self { per_host_max, pending: BTreeMap::new() }
    }

    fn admit(&mut self, id: ConnectionId, host: IpAddr) -> Result<(), Crowded> {
        if self.pending.values().filter(|other| **other == host).count() >= self.per_host_max {
            return Err(Crowded);
        }
        self.pending.insert(id, host);
        Ok(())
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
        host(remote).map_or(Ok(()), |host| self.admit(id, host)).map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        _peer: PeerId,
        _local: &Multiaddr,
        _remote: &Multiaddr,
    ) -> Result<ConnectionHandler, ConnectionDenied> {
        self.pending.remove(&id);
        Ok(ConnectionHandler)
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
        if let FromSwarm::ListenFailure(failure) = event {
            self.pending.remove(&failure.connection_id);
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

    #[test]
    fn a_crowd_of_one_host_leaves_room_for_another() {
        let mut doorway = Behaviour::new(2);
        let (here, there) = ("192.0.2.7".parse().unwrap(), "192.0.2.8".parse().unwrap());
        let ids: Vec<ConnectionId> = (0..4).map(ConnectionId::new_unchecked).collect();
        assert!(doorway.admit(ids[0], here).is_ok());
        assert!(doorway.admit(ids[1], here).is_ok());
        assert!(doorway.admit(ids[2], here).is_err());
        assert!(doorway.admit(ids[3], there).is_ok());
        doorway.pending.remove(&ids[0]);
        assert!(doorway.admit(ids[2], here).is_ok());
    }
}
