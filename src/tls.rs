//! TLS. Of our servers: `server`. Of our clients, here: whom encrypted connections trust: the system's certificates, those of a file, or, where that is said by name, anybody.

pub mod server;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// The settings of a client.
///
/// # Errors
/// The file cannot be read or holds no certificate.
pub(crate) fn client(ca_file: Option<&Path>) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    let (known, _) = roots.add_parsable_certificates(system.certs);
    tracing::debug!(known, errors = system.errors.len(), "certificates of the system");
    if let Some(file) = ca_file {
        let failed = || format!("ca_file {}", file.display());
        let found = CertificateDer::pem_file_iter(file).with_context(failed)?;
        let found = found.collect::<Result<Vec<_>, _>>().with_context(failed)?;
        let (added, _) = roots.add_parsable_certificates(found);
        anyhow::ensure!(added > 0, "ca_file {}: no certificate in it (it has to be PEM)", file.display());
    }
    let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// The settings of a client that takes every certificate: for `insecure_tls`.
///
/// # Errors
/// The library knows no protocol version: a defect of this program.
pub(crate) fn unverified_client() -> anyhow::Result<ClientConfig> {
    let provider = provider();
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let anybody = Arc::new(Anybody(provider));
    Ok(config.dangerous().with_custom_certificate_verifier(anybody).with_no_client_auth())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Takes every certificate. Signatures of the handshake are checked nevertheless: they cost nobody anything.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
