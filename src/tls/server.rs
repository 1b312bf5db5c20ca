//! The certificate that a server shows. Its files are looked at every few seconds: a renewed certificate is taken up without
//! a restart, and one that cannot be used changes nothing.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, ServerConfig};
use tracing_mutex::parking_lot::{Mutex, RwLock};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::access::store::Mark;
use crate::config::plan::TlsPlan;
use crate::metrics::TlsMetrics;
use crate::shutdown::Shutdown;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Which of the two files is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The certificates.
    Cert,
    /// The private key.
    Key,
}

/// Why a certificate cannot be shown. Never quotes the key.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {what}", path = .path.display())]
pub struct TlsProblem {
    /// Which file.
    pub part: Part,
    path: PathBuf,
    what: String,
}

impl TlsProblem {
    fn new(part: Part, path: &Path, what: impl fmt::Display) -> Self {
        Self { part, path: path.to_owned(), what: what.to_string() }
    }
}

/// A certificate with its key, as it lay in the files.
#[derive(Debug)]
pub struct Loaded {
    key: Arc<CertifiedKey>,
    /// End of the certificate's time, in seconds since the Unix epoch.
    not_after: i64,
}

impl Loaded {
    /// Reads and checks the two files.
    ///
    /// # Errors
    /// A file cannot be read or holds nothing of use, or the key is not that of the certificate.
    pub fn read(plan: &TlsPlan) -> Result<Self, TlsProblem> {
        let (cert, key) = (plan.cert.as_path(), plan.key.as_path());
        let of_cert = |what: &dyn fmt::Display| TlsProblem::new(Part::Cert, cert, what);
        let of_key = |what: &dyn fmt::Display| TlsProblem::new(Part::Key, key, what);
        let chain = CertificateDer::pem_file_iter(cert).map_err(|error| of_cert(&said(&error)))?;
        let chain = chain.collect::<Result<Vec<_>, _>>().map_err(|error| of_cert(&said(&error)))?;
        let first = chain.first().ok_or_else(|| of_cert(&"no certificate in it (it has to be PEM)"))?;
        let (_, parsed) = X509Certificate::from_der(first).map_err(|_| of_cert(&"its certificate cannot be read"))?;
        let not_after = parsed.validity().not_after.timestamp();
        let private = PrivateKeyDer::from_pem_file(key).map_err(|error| of_key(&said(&error)))?;
        let key = CertifiedKey::from_der(chain, private, &super::provider()).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => of_key(&"not the key of the certificate"),
            _ => of_key(&"a key of a kind that is not known (RSA, ECDSA P-256 or P-384, Ed25519; without a password)"),
        })?;
        Ok(Self { key: Arc::new(key), not_after })
    }

    /// Whether its time is over.
    pub fn expired(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        i64::try_from(now).is_ok_and(|now| self.not_after < now)
    }
}

fn said(error: &rustls::pki_types::pem::Error) -> String {
    match error {
        rustls::pki_types::pem::Error::Io(error) => format!("cannot be read: {error}"),
        rustls::pki_types::pem::Error::NoItemsFound => "nothing of use in it (it has to be PEM)".to_owned(),
        _ => "it is no PEM".to_owned(),
    }
}

/// The files as they were at the last look.
struct Seen {
    marks: [Option<Mark>; 2],
    /// They changed then, and did not fit.
    doubtful: bool,
}

/// The certificate of a running server. Its eye on the files ends with it.
pub struct Certificate {
    server: &'static str,
    plan: TlsPlan,
    seen: Mutex<Seen>,
    current: RwLock<Arc<CertifiedKey>>,
    metrics: TlsMetrics,
    stop: Shutdown,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.server)
    }
}

impl Certificate {
    /// Reads the files, and keeps an eye on them. `server`: for messages and metrics.
    ///
    /// # Errors
    /// They cannot be used, or the system gives no thread.
    pub fn open(server: &'static str, plan: &TlsPlan, metrics: TlsMetrics) -> anyhow::Result<Arc<Self>> {
        let marks = marks(plan);
        let loaded = Loaded::read(plan).map_err(|problem| anyhow::anyhow!("{server}.tls: {problem}"))?;
        let current = RwLock::new(Arc::clone(&loaded.key));
        let (seen, stop) = (Mutex::new(Seen { marks, doubtful: false }), Shutdown::new());
        let this = Arc::new(Self { server, plan: plan.clone(), seen, current, metrics, stop: stop.clone() });
        this.tell(&loaded);
        let weak = Arc::downgrade(&this);
        std::thread::Builder::new().name(format!("{server}-tls")).spawn(move || {
            while !stop.wait_timeout(LOOK) {
                let Some(this) = weak.upgrade() else { return };
                this.look();
            }
        })?;
        Ok(this)
    }

    /// What HTTP is configured with: TLS 1.2 and 1.3, this certificate.
    ///
    /// # Errors
    /// The library knows no protocol version: a defect of this program.
    pub(crate) fn config(self: &Arc<Self>) -> anyhow::Result<Arc<ServerConfig>> {
        self.config_for(vec![b"http/1.1".to_vec()])
    }

    /// The same for RTSP, which has no name to be agreed on.
    ///
    /// # Errors
    /// As of [`Self::config`].
    pub(crate) fn stream_config(self: &Arc<Self>) -> anyhow::Result<Arc<ServerConfig>> {
        self.config_for(Vec::new())
    }

    fn config_for(self: &Arc<Self>, alpn: Vec<Vec<u8>>) -> anyhow::Result<Arc<ServerConfig>> {
        let builder = ServerConfig::builder_with_provider(super::provider()).with_safe_default_protocol_versions()?;
        let mut config =
            builder.with_no_client_auth().with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = alpn;
        Ok(Arc::new(config))
    }

    /// Takes up changed files. What does not fit is looked at once more before it is complained of: of two files one is
    /// written first.
    pub(crate) fn look(&self) {
        let now = marks(&self.plan);
        let mut seen = self.seen.lock();
        let changed = seen.marks != now;
        if !changed && !seen.doubtful {
            return;
        }
        seen.marks = now;
        match Loaded::read(&self.plan) {
            Ok(loaded) => {
                seen.doubtful = false;
                *self.current.write() = Arc::clone(&loaded.key);
                tracing::info!(server = self.server, "the certificate was renewed");
                self.tell(&loaded);
            }
            Err(_) if changed => seen.doubtful = true,
            Err(problem) => {
                seen.doubtful = false;
                self.metrics.reload_failed(self.server);
                tracing::error!("{}.tls: {problem}; the old certificate stays", self.server);
            }
        }
    }

    fn tell(&self, loaded: &Loaded) {
        self.metrics.not_after(self.server, loaded.not_after);
        if loaded.expired() {
            tracing::warn!("{}.tls: {}: the certificate has expired", self.server, self.plan.cert.display());
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read()))
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        self.stop.set();
    }
}

fn marks(plan: &TlsPlan) -> [Option<Mark>; 2] {
    [Mark::now(&plan.cert), Mark::now(&plan.key)]
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
