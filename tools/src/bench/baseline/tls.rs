//! Who the two ends are to each other: one certificate each, made for one measurement and known to the other end
//! beforehand. The only home of rcgen and tokio-rustls.

use std::path::Path;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio_rustls::rustls::client::ClientConnection;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig, StreamOwned};

/// The client's end of a session, over any stream.
pub(super) type ClientStream<S> = StreamOwned<ClientConnection, S>;
/// What makes the server's ends.
pub(super) type Acceptor = tokio_rustls::TlsAcceptor;
/// The server's end.
pub(super) type ServerStream = tokio_rustls::server::TlsStream<tokio::net::TcpStream>;

const SERVER: &str = "municipality.baseline";
const CLIENT: &str = "office.baseline";
const CERTIFICATE_FILE: &str = "server.der";
const KEY_FILE: &str = "server.key";
const PEER_FILE: &str = "client.der";

/// Both ends' certificates.
pub(super) struct Identities {
    server: Identity,
    client: Identity,
}

struct Identity {
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Identities {
    pub(super) fn make() -> Result<Self, String> {
        Ok(Self { server: Identity::make(SERVER)?, client: Identity::make(CLIENT)? })
    }

    /// What the server needs, and no more.
    pub(super) fn write_for_server(&self, folder: &Path) -> Result<(), String> {
        let write =
            |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).map_err(|error| error.to_string());
        write(CERTIFICATE_FILE, &self.server.certificate)?;
        write(KEY_FILE, &self.server.key)?;
        write(PEER_FILE, &self.client.certificate)
    }

    /// A client's end that knows the server.
    pub(super) fn connect<S: std::io::Read + std::io::Write>(&self, stream: S) -> Result<ClientStream<S>, String> {
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(known(&self.server.certificate)?)
            .with_client_auth_cert(
                vec![self.client.certificate.clone()],
                PrivatePkcs8KeyDer::from(self.client.key.clone()).into(),
            )
            .map_err(|error| error.to_string())?;
        let name = ServerName::try_from(SERVER).map_err(|error| error.to_string())?;
        let session = ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())?;
        Ok(StreamOwned::new(session, stream))
    }
}

impl Identity {
    fn make(name: &str) -> Result<Self, String> {
        let CertifiedKey { cert, key_pair } =
            generate_simple_self_signed([name.to_owned()]).map_err(|error| error.to_string())?;
        Ok(Self { certificate: cert.der().clone(), key: key_pair.serialize_der() })
    }
}

/// The server's end, out of what was written for it: it takes nobody but the one client.
pub(super) fn acceptor(folder: &Path) -> Result<Acceptor, String> {
    let read = |name: &str| std::fs::read(folder.join(name)).map_err(|error| error.to_string());
    let provider = Arc::new(aws_lc_rs::default_provider());
    let peers = Arc::new(known(&CertificateDer::from(read(PEER_FILE)?))?);
    let verifier = WebPkiClientVerifier::builder_with_provider(peers, Arc::clone(&provider))
        .build()
        .map_err(|error| error.to_string())?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![CertificateDer::from(read(CERTIFICATE_FILE)?)],
            PrivatePkcs8KeyDer::from(read(KEY_FILE)?).into(),
        )
        .map_err(|error| error.to_string())?;
    Ok(Acceptor::from(Arc::new(config)))
}

fn known(certificate: &CertificateDer<'static>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).map_err(|error| error.to_string())?;
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::net::{SocketAddr, TcpStream};
    use std::time::Duration;

    /// Whether a server at `address` gives whoever comes with `identities` its one byte.
    fn is_taken(identities: &Identities, address: SocketAddr) -> bool {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
        let mut byte = [0];
        identities.connect(stream).unwrap().read_exact(&mut byte).is_ok() && byte == [7]
    }

    #[test]
    fn each_end_takes_nobody_but_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, foreign) = (Identities::make().unwrap(), Identities::make().unwrap());
        ours.write_for_server(folder.path()).unwrap();
        let acceptor = acceptor(folder.path()).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            loop {
                let (stream, _address) = listener.accept().await.unwrap();
                if let Ok(mut session) = acceptor.accept(stream).await {
                    tokio::io::AsyncWriteExt::write_all(&mut session, &[7]).await.unwrap();
                    tokio::io::AsyncWriteExt::shutdown(&mut session).await.unwrap();
                }
            }
        });
        assert!(is_taken(&ours, address));
        assert!(!is_taken(&foreign, address), "a client that knows another server");
        let stranger = Identities { server: ours.server, client: foreign.client };
        assert!(!is_taken(&stranger, address), "a client that the server does not know");
    }
}
