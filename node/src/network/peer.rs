//! The two names of a peer: the Ed25519 key the rest of the node knows, and the name libp2p gives it.
//! Only identities that are Ed25519 keys have both.

use libp2p::identity::{PublicKey, ed25519};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use super::PeerKey;

/// How the name of an Ed25519 identity begins: identity multihash of 36 bytes, key type 1, 32 bytes of key.
const ED25519_PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// The key inside a libp2p name, if it is an Ed25519 key.
pub(crate) fn key_of(peer: &PeerId) -> Option<PeerKey> {
    let bytes = peer.to_bytes();
    let key = bytes.strip_prefix(ED25519_PREFIX.as_slice())?;
    key.try_into().ok().map(PeerKey)
}

/// The libp2p name of a key; `None` if the bytes are no point of the curve.
pub(crate) fn id_of(key: &PeerKey) -> Option<PeerId> {
    let key = ed25519::PublicKey::try_from_bytes(&key.0).ok()?;
    Some(PublicKey::from(key).to_peer_id())
}

/// The key of the peer a multiaddress ends with.
pub(crate) fn named_in(address: &str) -> Option<PeerKey> {
    let address: Multiaddr = address.parse().ok()?;
    match address.iter().last()? {
        Protocol::P2p(peer) => key_of(&peer),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use libp2p::identity::Keypair;

    #[test]
    fn a_key_and_its_libp2p_name_lead_to_each_other() {
        let pair = Keypair::ed25519_from_bytes([7; 32]).unwrap().try_into_ed25519().unwrap();
        let key = PeerKey(pair.public().to_bytes());
        assert_eq!(id_of(&key).as_ref().and_then(key_of), Some(key));
    }

    #[test]
    fn a_name_that_is_only_a_hash_has_no_key() {
        assert_eq!(key_of(&PeerId::random()), None);
    }
}
