//! What the filter calls, and by which name.

use std::fmt;

use registry_auth::policy::{OauthPolicy, Policy, Provider, Purpose};
use registry_auth::url::{Host, Url};
use serde_json::{Value, json};

/// One provider's one purpose.
pub(super) struct Upstream<'p> {
    /// Of the cluster. Providers' names are unique, so these are.
    pub(super) name: String,
    pub(super) provider: &'p Provider,
    pub(super) purpose: Purpose,
    /// Somewhere on the only origin it serves.
    pub(super) url: &'p Url,
}

impl Upstream<'_> {
    /// For `filter.upstreams.overrides`. With the origin: what discovery finds elsewhere must not be sent to this host.
    pub(super) fn override_entry(&self) -> Value {
        json!({
            "provider": self.provider.name,
            "purpose": self.purpose.as_str(),
            "origin": self.url.origin(),
            "name": self.name,
        })
    }
}

/// In the order of the document.
pub(super) fn all(oauth: &OauthPolicy) -> Vec<Upstream<'_>> {
    oauth.providers.iter().flat_map(of_provider).collect()
}

fn of_provider(provider: &Provider) -> impl Iterator<Item = Upstream<'_>> {
    // jwksUrl skips discovery, so the issuer itself is never asked (SPEC J-6).
    let keys = provider.jwks_url.as_ref().unwrap_or(&provider.issuer_url);
    let introspection = provider.introspection_url.as_ref().map(|url| (Purpose::Introspection, url));
    [Some((Purpose::Keys, keys)), introspection].into_iter().flatten().map(move |(purpose, url)| Upstream {
        name: format!("{}-{}", provider.name, purpose.as_str()),
        provider,
        purpose,
        url,
    })
}

/// Something the document asks for that the rendered configuration does not do yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unrendered {
    /// Where the document asks for it.
    pub path: String,
    kind: UnrenderedKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UnrenderedKind {
    AuthToken,
    ClientSecret,
    ResolvedAddresses,
}

impl fmt::Display for Unrendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.kind {
            UnrenderedKind::AuthToken => "is not rendered yet: this provider is asked without the token",
            UnrenderedKind::ClientSecret => {
                "is not rendered yet: this provider's introspection is asked without the client's secret"
            }
            UnrenderedKind::ResolvedAddresses => {
                "is enforced for addresses written in URLs; what names resolve to is not checked by Envoy yet"
            }
        };
        write!(f, "{}: {text}", self.path)
    }
}

/// What of a document is not rendered yet.
pub fn unrendered(policy: &Policy) -> Vec<Unrendered> {
    let Policy::Oauth(oauth) = policy else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for (index, provider) in oauth.providers.iter().enumerate() {
        let secret = provider.client_secret_file.is_some() && provider.introspection_url.is_some();
        for (asked, key, kind) in [
            (provider.auth_token_file.is_some(), "authTokenFile", UnrenderedKind::AuthToken),
            (secret, "clientSecretFile", UnrenderedKind::ClientSecret),
        ] {
            if asked {
                all.push(Unrendered { path: format!("auth.oauth.providers[{index}].{key}"), kind });
            }
        }
    }
    if self::all(oauth)
        .iter()
        .any(|upstream| matches!(upstream.url.host(), Host::Name(name) if name != "localhost"))
    {
        let path = "auth.oauth.providers[].allowPrivateIP".to_owned();
        all.push(Unrendered { path, kind: UnrenderedKind::ResolvedAddresses });
    }
    all
}
