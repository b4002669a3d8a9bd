//! Writes a node's configuration, complete and in the form `node::config` reads; never a secret.

use core::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use protocol::digest::Digest;
use protocol::id::party::PartyId;

use crate::message::{Code, Trouble};

/// What a configuration of one seat is made of.
#[derive(Clone, Debug)]
pub struct NodeText {
    /// The organisation.
    pub party: PartyId,
    /// Its name.
    pub name: String,
    /// The node's folder, absolute.
    pub folder: PathBuf,
    /// The network's name.
    pub network: Digest,
    /// The first roster, absolute.
    pub first_roster: PathBuf,
    /// The folder of notices, absolute.
    pub notices: PathBuf,
    /// Where it listens for nodes.
    pub host: IpAddr,
    /// UDP and TCP port for nodes.
    pub port: u16,
    /// The office API.
    pub api: SocketAddr,
    /// The figures.
    pub metrics: SocketAddr,
    /// Its credential, of offices and hospitals.
    pub credential: Option<PathBuf>,
    /// Whom it fetches rosters from.
    pub bootstrap: Vec<Peer>,
}

/// A member and its multiaddresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Which member.
    pub party: PartyId,
    /// Each ends in `/p2p/<peer id>`.
    pub addresses: Vec<String>,
}

/// The multiaddresses of a listening node, QUIC first.
pub fn addresses(host: IpAddr, port: u16) -> [String; 2] {
    let family = if host.is_ipv4() { "ip4" } else { "ip6" };
    [format!("/{family}/{host}/udp/{port}/quic-v1"), format!("/{family}/{host}/tcp/{port}")]
}

impl NodeText {
    /// The text of `node.toml`.
    pub fn to_toml(&self) -> String {
        let quoted = |path: &PathBuf| quote(&path.display().to_string());
        let listen: Vec<String> = addresses(self.host, self.port).iter().map(|address| quote(address)).collect();
        let credential =
            self.credential.as_ref().map(|file| format!("credential = {}\n", quoted(file))).unwrap_or_default();
        format!(
            "# tsunagi network init が作成しました / written by tsunagi network init\n\
             data = {data}\nkeys = {keys}\nroster_digest = \"{network}\"\nfirst_roster = {first}\nnotices = {notices}\n\n\
             {bootstrap}\
             [network]\nlisten = [{listen}]\nnoise_fallback = false\nconnections_max = 1000\n\
             connections_per_peer_max = 2\nframes_waiting_max = 1024\nmemory_max_mib = 2048\n\n\
             [api]\nlisten = \"{api}\"\ntoken_file = {tokens}\nhosts = [\"localhost\", \"127.0.0.1\"]\n\n\
             [metrics]\nlisten = \"{metrics}\"\n\n\
             [log]\nformat = \"json\"\nlevel = \"info\"\n\n\
             [machine]\nworkers = 0\nindex_cache_mib = 16\n\n\
             [[seats]]\nparty = \"{party}\"\nname = {name}\nkeys = \"seat.keys\"\n{credential}",
            data = quoted(&self.folder.join("data")),
            keys = quoted(&self.folder.join("keys")),
            network = self.network,
            first = quoted(&self.first_roster),
            notices = quoted(&self.notices),
            bootstrap = self.bootstrap.iter().map(Peer::to_toml).collect::<String>(),
            listen = listen.join(", "),
            api = self.api,
            tokens = quoted(&self.folder.join("api-tokens")),
            metrics = self.metrics,
            party = self.party,
            name = quote(&self.name),
        )
    }
}

impl Peer {
    fn to_toml(&self) -> String {
        let addresses: Vec<String> = self.addresses.iter().map(|address| quote(address)).collect();
        format!("[[bootstrap]]\nparty = \"{}\"\naddresses = [{}]\n\n", self.party, addresses.join(", "))
    }
}

/// The same configuration with other peers to fetch rosters from. Comments are lost.
///
/// # Errors
/// [`Code::Config`] if `text` is no TOML.
pub fn with_bootstrap(text: &str, peers: &[Peer]) -> Result<String, Trouble> {
    let mut table: toml::Table = text.parse().map_err(|error| Trouble::new(Code::Config, error))?;
    let written: String = peers.iter().map(Peer::to_toml).collect();
    let written: toml::Table = written.parse().map_err(|error| Trouble::new(Code::Config, error))?;
    table.extend(written);
    Ok(table.to_string())
}

fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
