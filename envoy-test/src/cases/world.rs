//! Everything the cases refer to: realms with good keys, and realms with every kind of trouble.

use std::io;
use std::sync::Arc;

use crate::Algorithm;
use crate::Provider;
use crate::port;
use crate::provider::{Document, Fault, RealmOptions, SigningKey, TokenSpec};

/// The audience of tokens of the realm `production`.
pub(crate) const AUDIENCE: &str = "registry-api";
/// The audience of tokens of the realm `staging`.
pub(crate) const STAGING_AUDIENCE: &str = "registry-api-staging";
/// A `kid` that production and staging both use, for different keys.
pub(crate) const SHARED_KID: &str = "shared";
/// A `kid` under which production publishes two keys.
pub(crate) const TWIN_KID: &str = "twin";

/// Realms whose documents cannot be had or used, with what is wrong.
pub(crate) const TROUBLED: [&str; 16] = [
    "status-500",
    "status-404",
    "keys-status-500",
    "html",
    "not-json",
    "oversized",
    "reset",
    "broken-off",
    "redirected",
    "keys-redirected",
    "wrong-issuer",
    "keys-link-local",
    "keys-plain-http",
    "keys-with-credentials",
    "empty-set",
    "only-unusable",
];

/// Identity providers for the table of cases. They end when dropped.
#[derive(Debug)]
pub struct World {
    provider: Provider,
    /// Its issuer is known and nobody listens there.
    dead: Provider,
    /// The older one of the two keys under [`TWIN_KID`].
    first_twin: Arc<SigningKey>,
}

impl World {
    /// Generates the keys, starts the providers and lets things go wrong.
    ///
    /// # Errors
    /// No port could be bound.
    pub fn start() -> io::Result<Self> {
        let few = [Algorithm::Es256];
        let mut builder = Provider::builder()
            .realm(RealmOptions::new("production", AUDIENCE).kid(Algorithm::Es384, SHARED_KID))
            .realm(
                RealmOptions::new("staging", STAGING_AUDIENCE)
                    .algorithms(&[Algorithm::Es256, Algorithm::Es384])
                    .kid(Algorithm::Es384, SHARED_KID),
            )
            .realm(RealmOptions::new("tenants", "first-api").algorithms(&few))
            .realm(RealmOptions::new("trailing-slash", AUDIENCE).algorithms(&few).trailing_slash())
            .realm(RealmOptions::new("rfc8414-only", AUDIENCE).algorithms(&few))
            .realm(RealmOptions::new("direct-keys", AUDIENCE).algorithms(&few));
        for realm in TROUBLED {
            builder = builder.realm(RealmOptions::new(realm, AUDIENCE).algorithms(&few));
        }
        let provider = builder.start()?;
        let first_twin = provider.rotate_with_kid("production", Algorithm::Es512, TWIN_KID);
        provider.rotate_with_kid("production", Algorithm::Es512, TWIN_KID);
        trouble(&provider);
        let mut dead = Provider::builder()
            .address(port::free())
            .realm(RealmOptions::new("dead", AUDIENCE).algorithms(&few))
            .start()?;
        dead.stop();
        Ok(Self { provider, dead, first_twin })
    }

    /// The provider of all realms but `dead`.
    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// The issuer of any realm.
    pub fn issuer(&self, realm: &str) -> String {
        if realm == "dead" { self.dead.issuer(realm) } else { self.provider.issuer(realm) }
    }

    /// A good token of any realm. ES256, because it is the fastest to sign.
    pub(crate) fn token_of(&self, realm: &str) -> TokenSpec {
        let provider = if realm == "dead" { &self.dead } else { &self.provider };
        provider.token(realm).algorithm(Algorithm::Es256)
    }

    /// A good token of the realm `production`.
    pub(crate) fn token(&self) -> TokenSpec {
        self.token_of("production")
    }

    pub(crate) fn first_twin(&self) -> Arc<SigningKey> {
        Arc::clone(&self.first_twin)
    }
}

fn trouble(provider: &Provider) {
    let discovery = |realm: &str, fault: Fault| {
        provider.fail(realm, Document::OpenidConfiguration, fault.clone());
        provider.fail(realm, Document::AuthorizationServerMetadata, fault);
    };
    let keys = |realm: &str, fault: Fault| provider.fail(realm, Document::Jwks, fault);
    provider.fail("rfc8414-only", Document::OpenidConfiguration, Fault::Status(404));
    // Its keys are configured: a request for its metadata would end badly.
    discovery("direct-keys", Fault::Status(500));
    discovery("status-500", Fault::Status(500));
    discovery("status-404", Fault::Status(404));
    keys("keys-status-500", Fault::Status(500));
    keys("html", Fault::html());
    keys("not-json", Fault::not_json());
    keys("oversized", Fault::Oversized(20_000_000));
    keys("reset", Fault::Reset);
    keys("broken-off", Fault::BreakOff);
    // Whoever follows gets metadata that are right, or keys that are not: either way another answer than 503.
    let metadata = format!("{}/.well-known/oauth-authorization-server/realms/redirected", provider.url());
    provider.fail("redirected", Document::OpenidConfiguration, Fault::Redirect(metadata));
    keys("keys-redirected", Fault::Redirect(provider.jwks_url("production")));
    discovery("wrong-issuer", Fault::WrongIssuer(provider.issuer("production")));
    discovery("keys-link-local", Fault::JwksUri("http://169.254.169.254/latest/meta-data/".to_owned()));
    discovery("keys-plain-http", Fault::JwksUri("http://keys.example/certs".to_owned()));
    let address = provider.address();
    discovery(
        "keys-with-credentials",
        Fault::JwksUri(format!(
            "http://user:password@{address}/realms/keys-with-credentials/protocol/openid-connect/certs"
        )),
    );
    provider.replace_jwks("empty-set", Some(serde_json::json!({ "keys": [] })));
    let unusable = serde_json::json!({ "keys": [{ "kty": "RSA", "n": "AQAB", "e": "AQAB" }, { "kty": "oct", "k": "c2VjcmV0" }, 7, { "kty": 1 }] });
    provider.replace_jwks("only-unusable", Some(unusable));
}
