//! Who we are to a provider (SPEC C-6, C-8, O-2): `authTokenFile` as bearer token, or `clientId` with `clientSecretFile` by HTTP Basic.
//!
//! The token goes to the origins written in the provider's configuration, never to discovered ones; the client secret to its `introspectionUrl` only.
//! Files are read for each request: a rotated secret is in force at once.

use std::path::{Path, PathBuf};

use registry_auth::fetch::{FetchError, FetchRequest};
use registry_auth::form;
use registry_auth::policy::{Provider, Purpose};

use super::files;

/// The credentials of one provider's requests.
#[derive(Debug)]
pub(super) struct Credentials {
    token_file: Option<PathBuf>,
    token_origins: Vec<String>,
    client: Option<ClientSecret>,
}

#[derive(Debug)]
struct ClientSecret {
    id: String,
    file: PathBuf,
}

impl Credentials {
    /// Of `provider`, whose files are relative to `directory`.
    pub(super) fn new(provider: &Provider, directory: &Path) -> Self {
        let urls =
            [Some(&provider.issuer_url), provider.jwks_url.as_ref(), provider.introspection_url.as_ref()];
        let client = provider.client_id.clone().zip(provider.client_secret_file.as_ref());
        Self {
            token_file: provider.auth_token_file.as_ref().map(|file| directory.join(file)),
            token_origins: urls.into_iter().flatten().map(registry_auth::url::Url::origin).collect(),
            client: client.map(|(id, file)| ClientSecret { id, file: directory.join(file) }),
        }
    }

    /// Adds to `builder` what `request` is due.
    pub(super) fn add(
        &self,
        builder: reqwest::RequestBuilder,
        request: &FetchRequest,
    ) -> Result<reqwest::RequestBuilder, FetchError> {
        if let (Purpose::Introspection, Some(ClientSecret { id, file })) = (request.purpose, &self.client) {
            // RFC 6749 §2.3.1: both are form-encoded before they are joined.
            return Ok(
                builder.basic_auth(form::encode(id), Some(form::encode(&read(file, "clientSecretFile")?)))
            );
        }
        match &self.token_file {
            Some(file) if self.token_origins.contains(&request.url.origin()) => {
                Ok(builder.bearer_auth(read(file, "authTokenFile")?))
            }
            _ => Ok(builder),
        }
    }
}

fn read(file: &Path, key: &str) -> Result<String, FetchError> {
    files::read_secret(file).map_err(|error| FetchError::Refused(format!("{key} cannot be used: {error}")))
}
