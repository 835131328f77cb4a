//! The documents of `examples/` against the providers they are for: one table a provider, which every shell of the core has to pass.
//!
//! A [`Scenario`] is one document, as it is in its file or with one change, one [`Vendor`], and the table. The documents name the hosts of the real world;
//! the core's test asks the vendor directly, the others find it by [`Loopback`](crate::loopback::Loopback).

mod auth0;
mod entra;
mod google;
mod keycloak;
mod kubernetes;
mod okta;
mod refused;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::check;
use super::document::Terms;
use super::expected::Expected;
use super::{Host, Subject};
use crate::message::RawRequest;
use crate::project;
use crate::provider::vendor::{Asked, Exchange, Vendor};
use crate::upstream::CASE_HEADER;

pub use auth0::auth0;
pub use entra::{entra, entra_without_v1};
pub use google::{google, google_with_id_tokens};
pub use keycloak::{keycloak, keycloak_without_its_client, keycloak_without_keys};
pub use kubernetes::{
    kubernetes, kubernetes_by_discovery, kubernetes_on_public_addresses, kubernetes_with_a_token_of_before,
    kubernetes_without_our_token,
};
pub use okta::{okta, okta_with_introspection};

/// The directories of `examples/` that are a provider's.
pub const EXAMPLES: [&str; 6] = ["keycloak", "auth0", "okta", "entra", "google", "kubernetes"];

const SERVERS: &str = "/registry/default/v0.1/servers";

/// One document, one vendor, and the cases.
pub struct Scenario {
    /// Below `examples/`.
    pub example: &'static str,
    /// The vendor.
    pub asked: Arc<Asked>,
    change: fn(&mut Value),
    fill: Box<dyn Fn(&mut Table) + Send + Sync>,
    seen: fn(&[Exchange]) -> Result<(), String>,
    hosts: &'static [Host],
}

/// Cases, in order.
#[derive(Debug, Default)]
pub struct Table {
    cases: Vec<ExampleCase>,
}

#[derive(Debug)]
struct ExampleCase {
    name: String,
    request: RawRequest,
    expected: Expected,
    logged: Vec<String>,
}

/// What came of a scenario.
#[derive(Debug)]
pub struct Report {
    /// Cases that passed: all.
    pub passed: usize,
    /// What has to be in the log of a host that has one.
    pub logged: Vec<String>,
}

impl Scenario {
    fn new(
        example: &'static str,
        vendor: Arc<dyn Vendor>,
        fill: impl Fn(&mut Table) + Send + Sync + 'static,
    ) -> Self {
        Self {
            example,
            asked: Arc::new(Asked::new(vendor)),
            change: |_| {},
            fill: Box::new(fill),
            seen: |_| Ok(()),
            hosts: &[Host::Core, Host::Tower, Host::Envoy],
        }
    }

    /// Another document than the one in the file.
    fn changed(mut self, change: fn(&mut Value)) -> Self {
        self.change = change;
        self
    }

    /// What has to be true of what the vendor was asked.
    fn seen(mut self, seen: fn(&[Exchange]) -> Result<(), String>) -> Self {
        self.seen = seen;
        self
    }

    fn only_in(mut self, hosts: &'static [Host]) -> Self {
        self.hosts = hosts;
        self
    }

    /// Whether it can be shown there.
    pub fn runs_in(&self, host: Host) -> bool {
        self.hosts.contains(&host)
    }

    /// The document.
    ///
    /// # Panics
    /// When the file is not there, or is no YAML.
    pub fn document(&self) -> Value {
        let file = project::root().join("examples").join(self.example).join("config.yaml");
        let text =
            std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut document = serde_saphyr::from_str(&text).expect("YAML");
        (self.change)(&mut document);
        document
    }

    /// What this scenario's log lines have in them, wherever it runs.
    pub fn logged(&self) -> Vec<String> {
        let mut table = Table::default();
        (self.fill)(&mut table);
        table.cases.into_iter().flat_map(|case| case.logged).collect()
    }

    /// Sends all cases, one after the other.
    ///
    /// # Panics
    /// When one failed; the message lists all of them.
    pub async fn run(&self, subject: &impl Subject) -> Report {
        let mut table = Table::default();
        table.cases.push(ExampleCase {
            name: "no token".to_owned(),
            request: RawRequest::get(SERVERS),
            expected: Expected::unauthenticated(),
            logged: Vec::new(),
        });
        (self.fill)(&mut table);
        let (mut passed, mut failed, mut logged) = (0, Vec::new(), Vec::new());
        for (number, case) in table.cases.into_iter().enumerate() {
            let request = case.request.header(CASE_HEADER, format!("case-{number}"));
            let outcome = match subject.send(&request).await {
                Ok(response) => check::check(None, Terms::DEFAULT, &case.expected, &request, &response)
                    .map_err(|error| {
                        format!("{error}\n    answered {} {}", response.status, response.text())
                    }),
                Err(error) => Err(format!("no response: {error}")),
            };
            match outcome {
                Ok(()) => passed += 1,
                Err(error) => failed.push(format!("{}: {error}", case.name)),
            }
            logged.extend(case.logged);
        }
        failed.extend(self.describes_itself(subject).await.err());
        failed.extend((self.seen)(&self.asked.exchanges()).err());
        super::conclude(&format!("cases of {} in {:?}", self.example, subject.host()), passed, &failed);
        Report { passed, logged }
    }

    /// RFC 9728: the issuers of the document, each once, and the resource.
    async fn describes_itself(&self, subject: &impl Subject) -> Result<(), String> {
        let request =
            RawRequest::get("/.well-known/oauth-protected-resource").header(CASE_HEADER, "metadata");
        let metadata = subject.send(&request).await.map_err(|error| error.to_string())?.json();
        let document = self.document();
        let providers = document["auth"]["oauth"]["providers"].as_array().ok_or("providers")?;
        let mut known = BTreeSet::new();
        let issuers: Vec<&Value> = providers
            .iter()
            .map(|provider| &provider["issuerUrl"])
            .filter(|issuer| known.insert(issuer.as_str()))
            .collect();
        if metadata["authorization_servers"] != serde_json::json!(issuers)
            || metadata["resource"] != "https://registry.example.com"
        {
            return Err(format!("the metadata are {metadata}"));
        }
        Ok(())
    }
}

impl std::fmt::Debug for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scenario").field("example", &self.example).finish_non_exhaustive()
    }
}

impl Table {
    /// A request for servers with this token.
    fn case(&mut self, name: impl Into<String>, token: impl Into<String>, expected: Expected) -> &mut Self {
        let request = RawRequest::get(SERVERS).bearer(&token.into());
        self.cases.push(ExampleCase { name: name.into(), request, expected, logged: Vec::new() });
        self
    }

    /// What the log says about the last case.
    fn logs(&mut self, text: impl Into<String>) -> &mut Self {
        self.cases.last_mut().expect("a case").logged.push(text.into());
        self
    }
}

fn wrong_audience() -> Expected {
    Expected::invalid_token("token audience not accepted")
}

fn wrong_issuer() -> Expected {
    Expected::invalid_token("token issuer not accepted")
}

fn unknown_key() -> Expected {
    Expected::invalid_token("token signing key unknown")
}

fn inactive() -> Expected {
    Expected::invalid_token("token is not active")
}

fn expired() -> Expected {
    Expected::invalid_token("token expired")
}
