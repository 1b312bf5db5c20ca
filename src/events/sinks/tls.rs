//! Whom encrypted connections trust: the system's certificates, and those of a file.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// The settings of a client.
///
/// # Errors
/// The file cannot be read or holds no certificate.
pub(super) fn client(ca_file: Option<&Path>) -> anyhow::Result<ClientConfig> {
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
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
