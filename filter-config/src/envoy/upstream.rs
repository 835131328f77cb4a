//! What the filter calls, and by which name.

use registry_auth::policy::{OauthPolicy, Provider, Purpose};
use registry_auth::url::{Host, Url};
use serde_json::{Value, json};

/// One provider's one purpose.
pub(super) struct Upstream<'p> {
    /// Of the cluster that connects to the provider. Providers' names are unique, so these are.
    pub(super) name: String,
    pub(super) provider: &'p Provider,
    /// The provider's place in the document.
    pub(super) index: usize,
    pub(super) purpose: Purpose,
    /// Somewhere on the only origin it serves.
    pub(super) url: &'p Url,
}

/// How the proxy authenticates itself. The files' contents are the host's business.
pub(super) enum Credential<'p> {
    /// `authTokenFile`.
    BearerToken { file: &'p str },
    /// `clientId` and `clientSecretFile`: RFC 6749 §2.3.1.
    Client { id: &'p str, secret_file: &'p str },
}

impl Upstream<'_> {
    /// For `filter.upstreams.overrides`. With the origin: what discovery finds elsewhere must not be sent to this host.
    pub(super) fn override_entry(&self) -> Value {
        json!({
            "provider": self.provider.name,
            "purpose": self.purpose.as_str(),
            "origin": self.url.origin(),
            "name": self.entrance(),
        })
    }

    /// The cluster the filter calls: one that leads here, where addresses are checked. No name of ours ends like this, so these are unique, too.
    pub(super) fn entrance(&self) -> String {
        if self.checks_addresses() { format!("{}-callout", self.name) } else { self.name.clone() }
    }

    /// Whether it is not known before a name is resolved where requests go (SPEC C-5). Literals and the local host were judged as they are written.
    pub(super) fn checks_addresses(&self) -> bool {
        matches!(self.url.host(), Host::Name(name) if name != "localhost")
    }

    /// Every origin rendered is one that the document names, so `authTokenFile` may go to all of them (SPEC C-8); the client's secret is for
    /// introspection, and preferred there.
    pub(super) fn credential(&self) -> Option<Credential<'_>> {
        let provider = self.provider;
        let client = match (self.purpose, &provider.client_id, &provider.client_secret_file) {
            (Purpose::Introspection, Some(id), Some(secret_file)) => {
                Some(Credential::Client { id, secret_file })
            }
            _ => None,
        };
        let token = || provider.auth_token_file.as_deref().map(|file| Credential::BearerToken { file });
        client.or_else(token)
    }
}

/// In the order of the document.
pub(super) fn all(oauth: &OauthPolicy) -> Vec<Upstream<'_>> {
    oauth
        .providers
        .iter()
        .enumerate()
        .flat_map(|(index, provider)| {
            // jwksUrl skips discovery, so the issuer itself is never asked (SPEC J-6).
            let keys = provider.jwks_url.as_ref().unwrap_or(&provider.issuer_url);
            let introspection = provider.introspection_url.as_ref().map(|url| (Purpose::Introspection, url));
            [Some((Purpose::Keys, keys)), introspection].into_iter().flatten().map(move |(purpose, url)| {
                Upstream {
                    name: format!("{}-{}", provider.name, purpose.as_str()),
                    provider,
                    index,
                    purpose,
                    url,
                }
            })
        })
        .collect()
}
