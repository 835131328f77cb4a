//! Whose certificates are believed: the system's roots, and for one provider those of its `caCertPath` beside them.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

use super::files::Certificates;

/// Why a provider's HTTP client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Of TLS.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    /// Of HTTP.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
}

/// The roots that the system trusts.
#[derive(Debug)]
pub(super) struct SystemRoots(RootCertStore);

impl SystemRoots {
    /// Reads them. A system without any is no error: providers may bring their own, or be on loopback.
    pub(super) fn load() -> Self {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (usable, ignored) = roots.add_parsable_certificates(found.certs);
        for error in &found.errors {
            tracing::warn!("the system's CA certificates: {error}");
        }
        if usable == 0 {
            tracing::warn!(
                "the system has no CA certificates: https works for providers with caCertPath only"
            );
        }
        tracing::debug!(usable, ignored, "the system's CA certificates");
        Self(roots)
    }

    /// TLS for one provider, which trusts `certificates` too.
    pub(super) fn with(&self, certificates: &Certificates) -> Result<ClientConfig, ClientError> {
        let mut roots = self.0.clone();
        for certificate in certificates {
            roots.add(certificate.clone())?;
        }
        let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(tls)
    }
}
