//! An identity provider: several realms under one listener, as Keycloak has them, with rotation, faults, counts and tokens of every kind.
//!
//! Issuers are `http://127.0.0.1:PORT/realms/{realm}`, or `https://NAME:PORT/realms/{realm}` with an [`Identity`]. Each realm publishes an OpenID configuration, RFC 8414 metadata and a JWK Set; the set always
//! holds an encryption key and one of an unknown type among the signing keys.

mod algorithm;
mod control;
mod counts;
mod fault;
mod key;
mod realm;
mod server;
pub(crate) mod tls;
mod token;
pub mod vendor;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use serde_json::Value;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use control::TokenRequest;
pub use counts::{Count, LoggedRequest};
pub use fault::{Document, Fault, Gate, GateKeeper};
pub use key::SigningKey;
pub use realm::RealmOptions;
pub use tls::{Authority, Identity};
pub use token::{Damage, TokenSpec, unix_time};

use crate::server_thread::ServerThread;
use counts::Ledger;
use realm::Realm;
use tls::Presented;

/// A running provider. It ends when dropped.
#[derive(Debug)]
pub struct Provider {
    shared: Arc<Shared>,
    address: SocketAddr,
    base: String,
    presented: Option<Presented>,
    server: Option<ServerThread>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    realms: Vec<Arc<Realm>>,
    aliases: BTreeMap<String, String>,
    ledger: Ledger,
    control: bool,
}

/// How a provider is set up.
#[derive(Clone, Debug)]
#[must_use]
pub struct ProviderBuilder {
    address: SocketAddr,
    realms: Vec<RealmOptions>,
    aliases: BTreeMap<String, String>,
    control: bool,
    tls: Option<(String, Identity)>,
}

impl ProviderBuilder {
    /// Adds a realm.
    pub fn realm(mut self, realm: RealmOptions) -> Self {
        self.realms.push(realm);
        self
    }

    /// Listens here instead of on a free port of 127.0.0.1.
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Speaks TLS, and calls itself `host` in its URLs, whatever the certificate says.
    pub fn tls(mut self, host: &str, identity: Identity) -> Self {
        self.tls = Some((host.to_owned(), identity));
        self
    }

    /// Another name for a realm in `POST /token` and `POST /rotate`.
    pub fn alias(mut self, alias: &str, realm: &str) -> Self {
        self.aliases.insert(alias.to_owned(), realm.to_owned());
        self
    }

    /// Answers `POST /token`, `POST /rotate` and `GET /counts`: whoever can connect gets tokens.
    pub fn control(mut self) -> Self {
        self.control = true;
        self
    }

    /// Generates the keys and listens.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub fn start(self) -> io::Result<Provider> {
        let listener = TcpListener::bind(self.address)?;
        let address = listener.local_addr()?;
        let base = match &self.tls {
            Some((host, _)) => format!("https://{host}:{}", address.port()),
            None => format!("http://{address}"),
        };
        // RSA keys take their time; each realm gets a thread.
        let realms = std::thread::scope(|scope| {
            let threads: Vec<_> = self
                .realms
                .into_iter()
                .map(|options| scope.spawn(|| Arc::new(Realm::new(&base, options))))
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("keys")).collect()
        });
        let shared =
            Arc::new(Shared { realms, aliases: self.aliases, ledger: Ledger::new(), control: self.control });
        let presented = self.tls.map(|(_, identity)| Presented::new(identity));
        let mut provider = Provider { shared, address, base, presented, server: None };
        provider.listen(listener)?;
        Ok(provider)
    }
}

impl Provider {
    /// A provider without realms on a free port of 127.0.0.1.
    pub fn builder() -> ProviderBuilder {
        ProviderBuilder {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            realms: Vec::new(),
            aliases: BTreeMap::new(),
            control: false,
            tls: None,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`, or `https://NAME:PORT`.
    pub fn url(&self) -> String {
        self.base.clone()
    }

    /// Presents another certificate on connections from now on.
    ///
    /// # Panics
    /// When it does not speak TLS.
    pub fn present(&self, identity: Identity) {
        self.presented.as_ref().expect("a provider that speaks TLS").replace(identity);
    }

    /// Refuses connections and breaks those there are, until [`Self::resume`].
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Listens again on the same port, with the same keys.
    ///
    /// # Errors
    /// Somebody else has taken the port.
    pub fn resume(&mut self) -> io::Result<()> {
        if self.server.is_none() {
            self.listen(TcpListener::bind(self.address)?)?;
        }
        Ok(())
    }

    /// The realm's issuer.
    pub fn issuer(&self, realm: &str) -> String {
        self.realm(realm).issuer()
    }

    /// Where the realm publishes its keys.
    pub fn jwks_url(&self, realm: &str) -> String {
        self.realm(realm).jwks_url()
    }

    /// A good token of this realm, to be changed and minted.
    pub fn token(&self, realm: &str) -> TokenSpec {
        TokenSpec::new(Arc::clone(self.realm(realm)))
    }

    /// The key that signs with `algorithm` now.
    pub fn signing_key(&self, realm: &str, algorithm: Algorithm) -> Arc<SigningKey> {
        self.realm(realm).signing_key(algorithm)
    }

    /// Publishes a new key for `algorithm`, which signs from now on; the previous ones stay published until [`Self::retire`]d.
    pub fn rotate(&self, realm: &str, algorithm: Algorithm) -> Arc<SigningKey> {
        self.realm(realm).rotate(algorithm, None)
    }

    /// As [`Self::rotate`], under a given `kid`, which may be one that is in use.
    pub fn rotate_with_kid(&self, realm: &str, algorithm: Algorithm, kid: &str) -> Arc<SigningKey> {
        self.realm(realm).rotate(algorithm, Some(kid))
    }

    /// Publishes keys with this `kid` no longer.
    pub fn retire(&self, realm: &str, kid: &str) {
        self.realm(realm).retire(kid);
    }

    /// Publishes one more JWK, whatever it is.
    pub fn publish(&self, realm: &str, jwk: Value) {
        self.realm(realm).publish(jwk);
    }

    /// Publishes this instead of the JWK Set; `None` restores it.
    pub fn replace_jwks(&self, realm: &str, jwks: Option<Value>) {
        self.realm(realm).replace_jwks(jwks);
    }

    /// The JWK Set as it is published.
    pub fn jwks(&self, realm: &str) -> Value {
        self.realm(realm).jwks()
    }

    /// `Cache-Control` of the JWK Set from now on.
    pub fn set_cache_control(&self, realm: &str, value: &str) {
        self.realm(realm).set_cache_control(value);
    }

    /// Answers with `fault` instead of the document.
    pub fn fail(&self, realm: &str, document: Document, fault: Fault) {
        self.realm(realm).set_fault(document, Some(fault));
    }

    /// Holds requests for the document until the result is opened or dropped.
    pub fn hold(&self, realm: &str, document: Document) -> GateKeeper {
        let (keeper, gate) = Gate::closed();
        self.fail(realm, document, Fault::Held(gate));
        keeper
    }

    /// Answers with the document again.
    pub fn heal(&self, realm: &str, document: Document) {
        self.realm(realm).set_fault(document, None);
    }

    /// Requests for a document so far.
    pub fn count(&self, realm: &str, document: Document) -> Count {
        self.realm(realm);
        self.shared.ledger.count(realm, document)
    }

    /// Returns when `condition` holds for a document's count.
    ///
    /// # Panics
    /// After 20 seconds.
    pub async fn wait_until(
        &self,
        realm: &str,
        document: Document,
        condition: impl Fn(Count) -> bool,
    ) -> Count {
        self.realm(realm);
        self.shared.ledger.wait_until(realm, document, condition).await
    }

    /// Every request for a realm's documents so far.
    pub fn requests(&self, realm: &str) -> Vec<LoggedRequest> {
        self.shared.ledger.requests(realm)
    }

    fn listen(&mut self, listener: TcpListener) -> io::Result<()> {
        let (shared, presented) = (Arc::clone(&self.shared), self.presented.clone());
        let serve = move |stream| {
            let (shared, presented) = (Arc::clone(&shared), presented.clone());
            async move {
                match presented {
                    None => server::serve(shared, stream).await,
                    Some(presented) => {
                        // Errors here are clients that do not trust us.
                        if let Ok(stream) = presented.accept(stream).await {
                            server::serve(shared, stream).await;
                        }
                    }
                }
            }
        };
        self.server = Some(ServerThread::start(listener, serve)?);
        Ok(())
    }

    fn realm(&self, name: &str) -> &Arc<Realm> {
        self.shared
            .realms
            .iter()
            .find(|realm| realm.options.name == name)
            .unwrap_or_else(|| panic!("no realm {name}"))
    }
}

impl Shared {
    /// By realm or alias; the first realm where no name is given.
    fn named(&self, name: Option<&str>) -> Result<Arc<Realm>, String> {
        let name = name.map(|name| self.aliases.get(name).map_or(name, String::as_str));
        let found = match name {
            Some(name) => self.realms.iter().find(|realm| realm.options.name == name),
            None => self.realms.first(),
        };
        found.cloned().ok_or_else(|| {
            let realms = self.realms.iter().map(|realm| realm.options.name.as_str());
            let known: Vec<&str> = realms.chain(self.aliases.keys().map(String::as_str)).collect();
            format!("no provider {:?}, expected one of {}", name.unwrap_or_default(), known.join(", "))
        })
    }

    fn find(&self, path: &str) -> Option<(&Realm, Document)> {
        let (realm, document) =
            if let Some(realm) = path.strip_prefix("/.well-known/oauth-authorization-server/realms/") {
                (realm.trim_end_matches('/'), Document::AuthorizationServerMetadata)
            } else {
                let (realm, rest) = path.strip_prefix("/realms/")?.split_once('/')?;
                match rest {
                    ".well-known/openid-configuration" => (realm, Document::OpenidConfiguration),
                    "protocol/openid-connect/certs" => (realm, Document::Jwks),
                    _ => return None,
                }
            };
        self.realms.iter().find(|known| known.options.name == realm).map(|found| (found.as_ref(), document))
    }
}
