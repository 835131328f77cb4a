//! Files that change while Envoy runs: secrets, tokens, certificate authorities (SPEC C-6).
//!
//! Envoy follows a file's changes only for what it gets by secret discovery (SDS), which may come from a file, too: one that names the file with the
//! secret. Those are the files here. No secret is in them. Envoy watches the directory of the file with the secret, for renames into it: that is how
//! files are replaced atomically, and how the kubelet replaces a whole volume. A file that is overwritten in place is not noticed.

use std::path::{Path, PathBuf};

use super::upstream::{Credential, Upstream};
use crate::document::Document;
use crate::tree::Tree;
use crate::{list, map};

/// A file to be written beside the bootstrap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SdsFile {
    /// Absolute.
    pub path: PathBuf,
    /// YAML.
    pub text: String,
}

/// One secret of one provider.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Secret {
    /// Unique: the provider's name, and what it is.
    name: String,
    /// Where the document names the file.
    pub(super) path: String,
    /// The file with the secret; absolute.
    file: PathBuf,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    AuthToken,
    ClientSecret,
    CertificateAuthority,
}

impl Secret {
    fn new(upstream: &Upstream<'_>, document: &Document, kind: Kind, file: &str) -> Self {
        let (name, key) = match kind {
            Kind::AuthToken => ("auth-token", "authTokenFile"),
            Kind::ClientSecret => ("client-secret", "clientSecretFile"),
            Kind::CertificateAuthority => ("ca", "caCertPath"),
        };
        Self {
            name: format!("{}-{name}", upstream.provider.name),
            path: format!("auth.oauth.providers[{}].{key}", upstream.index),
            file: document.resolve(file),
            kind,
        }
    }

    /// What the upstream authenticates the proxy with.
    pub(super) fn of_credential(upstream: &Upstream<'_>, document: &Document) -> Option<Self> {
        let (kind, file) = match upstream.credential()? {
            Credential::BearerToken { file } => (Kind::AuthToken, file),
            Credential::Client { secret_file, .. } => (Kind::ClientSecret, secret_file),
        };
        Some(Self::new(upstream, document, kind, file))
    }

    /// The certificate authorities the upstream's certificate is verified with, where they are its provider's own.
    pub(super) fn of_authority(upstream: &Upstream<'_>, document: &Document) -> Option<Self> {
        let file = upstream.provider.ca_cert_path.as_deref().filter(|_| upstream.url.is_https())?;
        Some(Self::new(upstream, document, Kind::CertificateAuthority, file))
    }

    /// An `SdsSecretConfig`.
    pub(super) fn reference(&self, sds: &Path) -> Tree {
        let path = self.sds_path(sds).display().to_string();
        map! {
            "name": self.name.as_str(),
            "sds_config": map! {
                "resource_api_version": "V3",
                "path_config_source": map! { "path": path },
            },
        }
    }

    /// What Envoy reads by [`Self::reference`].
    pub(super) fn sds_file(&self, sds: &Path) -> Result<SdsFile, serde_saphyr::ser::Error> {
        let source = map! { "filename": self.file.display().to_string() };
        let secret = map! {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            "name": self.name.as_str(),
        };
        let secret = match self.kind {
            Kind::AuthToken | Kind::ClientSecret => {
                secret.and("generic_secret", Some(map! { "secret": source }))
            }
            Kind::CertificateAuthority => {
                secret.and("validation_context", Some(map! { "trusted_ca": source }))
            }
        };
        let body = serde_saphyr::to_string(&map! { "resources": list![secret] })?;
        let header = "# Rendered by `filter-config render envoy`. No secret is here: Envoy reads it from the file below.\n";
        Ok(SdsFile { path: self.sds_path(sds), text: format!("{header}{body}") })
    }

    fn sds_path(&self, sds: &Path) -> PathBuf {
        sds.join(format!("{}.yaml", self.name))
    }
}

/// Every secret of the upstreams, once.
pub(super) fn all(upstreams: &[Upstream<'_>], document: &Document) -> Vec<Secret> {
    let mut secrets = Vec::new();
    for upstream in upstreams {
        let of_upstream =
            [Secret::of_authority(upstream, document), Secret::of_credential(upstream, document)];
        for secret in of_upstream.into_iter().flatten() {
            if !secrets.contains(&secret) {
                secrets.push(secret);
            }
        }
    }
    secrets
}
