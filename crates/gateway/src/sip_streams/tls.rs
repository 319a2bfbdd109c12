//! TLS for SIP: our certificate, whom we believe, and under which name a peer must show its own.

use crate::config::TlsSettings;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Files are looked at this often for a new certificate.
const LOOK: Duration = Duration::from_secs(30);

/// Both sides of TLS. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Tls {
    /// Absent where no certificate is configured.
    acceptor: Option<TlsAcceptor>,
    connector: TlsConnector,
    certificate: Option<Arc<Certificate>>,
    names: Arc<RwLock<BTreeMap<SocketAddr, String>>>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// What is wrong with which file, and what to do.
    pub(crate) fn load(settings: &TlsSettings) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let certificate = match &settings.certificate {
            Some((chain, key)) => Some(Arc::new(Certificate::load(chain.clone(), key.clone(), &provider)?)),
            None => None,
        };
        let acceptor = match &certificate {
            Some(certificate) => Some(acceptor(certificate.clone(), settings.client_ca.as_deref(), &provider)?),
            None => None,
        };
        let connector = connector(certificate.clone(), settings.ca.as_deref(), &provider)?;
        Ok(Self { acceptor, connector, certificate, names: Arc::default() })
    }

    pub(crate) fn acceptor(&self) -> Option<&TlsAcceptor> {
        self.acceptor.as_ref()
    }

    pub(super) const fn connector(&self) -> &TlsConnector {
        &self.connector
    }

    /// The peers we call are elsewhere now.
    pub(crate) fn know(&self, names: BTreeMap<SocketAddr, String>) {
        *self.names.write().unwrap_or_else(PoisonError::into_inner) = names;
    }

    /// The name in the certificate of whoever is dialled there: as configured, or the address itself.
    pub(super) fn name(&self, to: SocketAddr) -> ServerName<'static> {
        let name = self.names.read().unwrap_or_else(PoisonError::into_inner).get(&to).cloned();
        let named = name.and_then(|name| ServerName::try_from(name).ok());
        named.unwrap_or_else(|| ServerName::IpAddress(to.ip().to_canonical().into()))
    }

    /// The same without a runtime: waits for the handshake, at most so long for each of its messages.
    pub(crate) fn shake_hands(
        &self,
        to: SocketAddr,
        mut stream: TcpStream,
        patience: Duration,
    ) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let config = self.connector.config().clone();
        let mut connection = ClientConnection::new(config, self.name(to)).map_err(io::Error::other)?;
        stream.set_read_timeout(Some(patience))?;
        connection.complete_io(&mut stream)?;
        Ok(StreamOwned::new(connection, stream))
    }

    /// Takes up renewed certificates, for ever. Connections that are open keep the one they began with.
    pub(crate) async fn renew(self) {
        let Some(certificate) = self.certificate else { return };
        loop {
            tokio::time::sleep(LOOK).await;
            match certificate.look() {
                Ok(false) => {}
                Ok(true) => tracing::info!(chain = %certificate.chain.display(), "took up a new TLS certificate"),
                Err(problem) => tracing::error!(%problem, "keeping the old TLS certificate"),
            }
        }
    }
}

fn acceptor(
    certificate: Arc<Certificate>,
    client_ca: Option<&Path>,
    provider: &Arc<CryptoProvider>,
) -> Result<TlsAcceptor, String> {
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(file)?), provider.clone());
            let verifier = verifier.build().map_err(|error| format!("{}: {error}", file.display()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    Ok(TlsAcceptor::from(Arc::new(builder.with_cert_resolver(certificate))))
}

fn connector(
    certificate: Option<Arc<Certificate>>,
    ca: Option<&Path>,
    provider: &Arc<CryptoProvider>,
) -> Result<TlsConnector, String> {
    let roots = match ca {
        Some(file) => roots(file)?,
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
    };
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let verifier = verifier.build().map_err(|error| error.to_string())?;
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_webpki_verifier(verifier);
    let config = match certificate {
        Some(certificate) => builder.with_client_cert_resolver(certificate),
        None => builder.with_no_client_auth(),
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn roots(file: &Path) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    for certificate in chain(file)? {
        store.add(certificate).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(store)
}

fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let problem = |error: rustls::pki_types::pem::Error| format!("{}: {error}", file.display());
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).map_err(problem)?.collect();
    let found = found.map_err(problem)?;
    if found.is_empty() {
        return Err(format!("{} holds no certificate: it should be PEM, -----BEGIN CERTIFICATE-----", file.display()));
    }
    Ok(found)
}

/// Our certificate, which may be renewed while we run.
struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    current: RwLock<(Arc<CertifiedKey>, [Option<SystemTime>; 2])>,
}

impl Certificate {
    fn load(chain: PathBuf, key: PathBuf, provider: &Arc<CryptoProvider>) -> Result<Self, String> {
        let written = [written(&chain), written(&key)];
        let current = RwLock::new((Arc::new(read(&chain, &key, provider)?), written));
        Ok(Self { chain, key, provider: provider.clone(), current })
    }

    fn current(&self) -> Arc<CertifiedKey> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Whether a new one was taken up.
    fn look(&self) -> Result<bool, String> {
        let written = [written(&self.chain), written(&self.key)];
        if self.current.read().unwrap_or_else(PoisonError::into_inner).1 == written {
            return Ok(false);
        }
        let fresh = Arc::new(read(&self.chain, &self.key, &self.provider)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = (fresh, written);
        Ok(true)
    }
}

fn written(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok()
}

fn read(chain_file: &Path, key_file: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    let key = PrivateKeyDer::from_pem_file(key_file).map_err(|error| format!("{}: {error}", key_file.display()))?;
    CertifiedKey::from_der(chain(chain_file)?, key, provider)
        .map_err(|error| format!("{} and {} do not belong together: {error}", chain_file.display(), key_file.display()))
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

impl rustls::client::ResolvesClientCert for Certificate {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("chain", &self.chain).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issue(folder: &Path, written: u64) {
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::new(vec!["gw.example.test".to_owned()]).expect("a name");
        let files =
            [("gw.pem", params.self_signed(&key).expect("a certificate").pem()), ("gw.key", key.serialize_pem())];
        for (name, text) in files {
            std::fs::write(folder.join(name), text).expect("a file");
            let file = std::fs::File::options().write(true).open(folder.join(name)).expect("a file");
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(written)).expect("a time");
        }
    }

    #[test]
    fn a_renewed_certificate_is_taken_up_and_a_broken_one_is_not() {
        let folder = std::env::temp_dir().join(format!("warmline-renew-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        issue(&folder, 1_000_000);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let held = Certificate::load(folder.join("gw.pem"), folder.join("gw.key"), &provider).expect("a pair");
        let first = held.current();
        assert_eq!(held.look(), Ok(false));

        issue(&folder, 2_000_000);
        assert_eq!(held.look(), Ok(true));
        let second = held.current();
        assert_ne!(first.cert, second.cert);

        std::fs::write(folder.join("gw.pem"), "half a").expect("a file");
        held.look().expect_err("not a certificate");
        assert_eq!(held.current().cert, second.cert);
        std::fs::remove_dir_all(&folder).expect("the folder");
    }
}
