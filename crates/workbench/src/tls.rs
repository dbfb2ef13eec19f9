//! TLS for a server that other machines reach.

use axum::serve::Listener;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto::ring};
use tokio_rustls::server::TlsStream;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes at once.
const AT_ONCE: usize = 256;

/// Certificate and key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The chain of certificates, its own first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

impl Tls {
    /// Reads both.
    ///
    /// # Errors
    /// One sentence that names the file.
    pub fn acceptor(&self) -> Result<TlsAcceptor, String> {
        let wrong = |path: &Path, why: &dyn std::fmt::Display| {
            format!("{}: cannot be used for TLS ({why}); expected PEM", path.display())
        };
        let path = &self.certificate;
        let chain = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|e| wrong(path, &e))?;
        if chain.is_empty() {
            return Err(wrong(path, &"no certificate is in it"));
        }
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|e| wrong(&self.key, &e))?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|b| b.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|e| wrong(path, &e))?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// Connections whose handshake is done. One that is slow holds no other up.
#[derive(Debug)]
pub struct TlsListener {
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
    accepting: tokio::task::JoinHandle<()>,
}

impl TlsListener {
    /// Accepts connections of a listener.
    ///
    /// # Errors
    /// When the machine does not say where it listens.
    pub fn new(mut listener: TcpListener, acceptor: TlsAcceptor) -> io::Result<Self> {
        let address = TcpListener::local_addr(&listener)?;
        let (tell, ready) = mpsc::channel(AT_ONCE);
        let accepting = tokio::spawn(async move {
            let places = Arc::new(Semaphore::new(AT_ONCE));
            loop {
                let (stream, from) = Listener::accept(&mut listener).await;
                let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
                let (acceptor, tell) = (acceptor.clone(), tell.clone());
                tokio::spawn(async move {
                    let shaken = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await;
                    // Who speaks no TLS, or never ends, is let go.
                    if let Ok(Ok(stream)) = shaken {
                        let _ = tell.send((stream, from)).await;
                    }
                    drop(place);
                });
            }
        });
        Ok(Self { ready, address, accepting })
    }
}

impl Drop for TlsListener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            // Nothing comes any more: the server ends by itself.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
