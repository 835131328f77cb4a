//! One realm: its keys, its documents, its faults.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::algorithm::Algorithm;
use super::fault::{Document, Fault};
use super::key::{SigningKey, encryption_jwk, unknown_jwk};

/// How a realm is set up.
#[derive(Clone, Debug)]
pub struct RealmOptions {
    pub(crate) name: String,
    pub(crate) audience: String,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) kids: BTreeMap<Algorithm, String>,
    pub(crate) cache_control: Option<String>,
    pub(crate) trailing_slash: bool,
}

impl RealmOptions {
    /// A realm with a signing key for each of the ten algorithms, and this `aud` in its tokens.
    pub fn new(name: &str, audience: &str) -> Self {
        Self {
            name: name.to_owned(),
            audience: audience.to_owned(),
            algorithms: Algorithm::ALL.to_vec(),
            kids: BTreeMap::new(),
            cache_control: None,
            trailing_slash: false,
        }
    }

    /// Signing keys for these algorithms only; the first is the default of its tokens.
    #[must_use]
    pub fn algorithms(mut self, algorithms: &[Algorithm]) -> Self {
        self.algorithms = algorithms.to_vec();
        self
    }

    /// The `kid` of the first key for `algorithm`, instead of its thumbprint.
    #[must_use]
    pub fn kid(mut self, algorithm: Algorithm, kid: &str) -> Self {
        self.kids.insert(algorithm, kid.to_owned());
        self
    }

    /// `Cache-Control` of the JWK Set. Keycloak sends `no-cache`, which is the default here.
    #[must_use]
    pub fn cache_control(mut self, value: &str) -> Self {
        self.cache_control = Some(value.to_owned());
        self
    }

    /// An issuer that ends with a slash, like Auth0's.
    #[must_use]
    pub fn trailing_slash(mut self) -> Self {
        self.trailing_slash = true;
        self
    }
}

#[derive(Debug)]
pub(crate) struct Realm {
    pub(crate) options: RealmOptions,
    /// Where the provider listens: `http://127.0.0.1:PORT`.
    base: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Published, oldest first; the last one of an algorithm signs.
    keys: Vec<Arc<SigningKey>>,
    /// Published as they are, after the keys.
    extra: Vec<Value>,
    /// Published instead of everything else.
    jwks: Option<Value>,
    cache_control: String,
    faults: BTreeMap<Document, Fault>,
}

impl Realm {
    pub(crate) fn new(base: &str, options: RealmOptions) -> Self {
        let keys = options
            .algorithms
            .iter()
            .map(|&algorithm| {
                Arc::new(SigningKey::generate(algorithm, options.kids.get(&algorithm).map(String::as_str)))
            })
            .collect();
        let cache_control = options.cache_control.clone().unwrap_or_else(|| "no-cache".to_owned());
        let state = State { keys, extra: Vec::new(), jwks: None, cache_control, faults: BTreeMap::new() };
        Self { options, base: base.to_owned(), state: Mutex::new(state) }
    }

    pub(crate) fn issuer(&self) -> String {
        let slash = if self.options.trailing_slash { "/" } else { "" };
        format!("{}/realms/{}{slash}", self.base, self.options.name)
    }

    pub(crate) fn jwks_url(&self) -> String {
        format!("{}/realms/{}/protocol/openid-connect/certs", self.base, self.options.name)
    }

    /// The key that signs with `algorithm`: the newest one published for it, otherwise the newest whose type fits.
    pub(crate) fn signing_key(&self, algorithm: Algorithm) -> Arc<SigningKey> {
        let state = self.lock();
        let newest =
            |fits: &dyn Fn(&SigningKey) -> bool| state.keys.iter().rev().find(|key| fits(key)).cloned();
        newest(&|key| key.algorithm() == algorithm)
            .or_else(|| newest(&|key| key.algorithm().family() == algorithm.family()))
            .unwrap_or_else(|| panic!("realm {} has no key for {algorithm}", self.options.name))
    }

    /// Publishes a new key for `algorithm`, which signs from now on; the previous ones stay published.
    pub(crate) fn rotate(&self, algorithm: Algorithm, kid: Option<&str>) -> Arc<SigningKey> {
        let key = Arc::new(SigningKey::generate(algorithm, kid));
        self.lock().keys.push(Arc::clone(&key));
        key
    }

    /// Publishes keys with this `kid` no longer.
    pub(crate) fn retire(&self, kid: &str) {
        self.lock().keys.retain(|key| key.kid() != kid);
    }

    pub(crate) fn publish(&self, jwk: Value) {
        self.lock().extra.push(jwk);
    }

    pub(crate) fn replace_jwks(&self, jwks: Option<Value>) {
        self.lock().jwks = jwks;
    }

    pub(crate) fn set_cache_control(&self, value: &str) {
        value.clone_into(&mut self.lock().cache_control);
    }

    pub(crate) fn cache_control(&self) -> String {
        self.lock().cache_control.clone()
    }

    pub(crate) fn set_fault(&self, document: Document, fault: Option<Fault>) {
        let mut state = self.lock();
        match fault {
            Some(fault) => state.faults.insert(document, fault),
            None => state.faults.remove(&document),
        };
    }

    pub(crate) fn fault(&self, document: Document) -> Option<Fault> {
        self.lock().faults.get(&document).cloned()
    }

    /// The JWK Set as published: Keycloak's encryption key and an unknown one stand among the signing keys.
    pub(crate) fn jwks(&self) -> Value {
        let state = self.lock();
        if let Some(jwks) = &state.jwks {
            return jwks.clone();
        }
        let mut keys = vec![encryption_jwk(), unknown_jwk()];
        keys.extend(state.keys.iter().map(|key| key.jwk()));
        keys.extend(state.extra.iter().cloned());
        json!({ "keys": keys })
    }

    /// The discovery document, as far as a resource server could look at it.
    pub(crate) fn metadata(&self) -> Value {
        let issuer = self.issuer();
        let endpoint =
            |name: &str| format!("{}/realms/{}/protocol/openid-connect/{name}", self.base, self.options.name);
        json!({
            "issuer": issuer,
            "authorization_endpoint": endpoint("auth"),
            "token_endpoint": endpoint("token"),
            "introspection_endpoint": endpoint("token/introspect"),
            "jwks_uri": self.jwks_url(),
            "grant_types_supported": ["authorization_code", "client_credentials", "refresh_token"],
            "response_types_supported": ["code", "none"],
            "subject_types_supported": ["public", "pairwise"],
            "id_token_signing_alg_values_supported": self.options.algorithms.iter().map(|a| a.as_str()).collect::<Vec<_>>(),
            "code_challenge_methods_supported": ["S256"],
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
