//! Asks identity providers. Each has a client of its own: no provider's certificates, addresses, connections or credentials serve another (SPEC C-8).

use std::time::Duration;

use registry_auth::address::AddressRule;
use registry_auth::fetch::{FetchError, FetchRequest, FetchResponse, FetchResult};
use registry_auth::policy::Provider;
use reqwest::header::{ACCEPT, CACHE_CONTROL};
use reqwest::redirect;

use super::files::Certificates;
use super::resolver::PermittedAddresses;
use super::trust::{ClientError, SystemRoots};
use super::{StartError, Tuning, words};

/// How long a connection is kept for the next fetch.
const KEEP: Duration = Duration::from_secs(15);

/// The clients of all providers.
#[derive(Debug)]
pub struct Fetcher {
    clients: Vec<Client>,
}

#[derive(Debug)]
struct Client {
    http: reqwest::Client,
    addresses: AddressRule,
}

impl Fetcher {
    /// For `providers`, which have their `certificates` in the same order.
    ///
    /// # Errors
    /// When a client cannot be made.
    pub fn new(
        providers: &[Provider],
        certificates: &[Certificates],
        tuning: &Tuning,
    ) -> Result<Self, StartError> {
        let none = Certificates::new();
        let roots = SystemRoots::load();
        let clients = providers.iter().enumerate().map(|(number, provider)| {
            let certificates = certificates.get(number).unwrap_or(&none);
            Client::new(provider, certificates, &roots, tuning)
                .map_err(|error| StartError::Client { provider: provider.name.clone(), error })
        });
        Ok(Self { clients: clients.collect::<Result<_, _>>()? })
    }

    /// Sends one request and reads its answer.
    pub async fn fetch(&self, request: &FetchRequest) -> FetchResult {
        let Some(client) = self.clients.get(request.provider) else {
            return FetchResult::Failed(FetchError::Refused("no such provider".to_owned()));
        };
        match client.fetch(request).await {
            Ok(response) => FetchResult::Response(response),
            Err(error) => FetchResult::Failed(error),
        }
    }
}

impl Client {
    fn new(
        provider: &Provider,
        certificates: &Certificates,
        roots: &SystemRoots,
        tuning: &Tuning,
    ) -> Result<Self, ClientError> {
        let addresses = provider.addresses;
        let resolver = PermittedAddresses { rule: addresses, lookup: tuning.lookup.clone() };
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(roots.with(certificates)?)
            .dns_resolver(std::sync::Arc::new(resolver))
            // A proxy would resolve by itself, and connect where it likes.
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(tuning.fetch_timeout)
            .timeout(tuning.fetch_timeout)
            .pool_idle_timeout(KEEP)
            .pool_max_idle_per_host(1)
            .user_agent(concat!("registry/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, addresses })
    }

    async fn fetch(&self, request: &FetchRequest) -> Result<FetchResponse, FetchError> {
        // Addresses as literals never reach the resolver.
        self.addresses
            .permits_url(&request.url)
            .map_err(|error| FetchError::Refused(format!("{}: expected {error}", request.url.authority())))?;
        let sent = self.http.get(request.url.as_str()).header(ACCEPT, request.accept).send();
        let response = sent.await.map_err(words::describe)?;
        let status = response.status().as_u16();
        let cache_control =
            response.headers().get(CACHE_CONTROL).and_then(|value| value.to_str().ok()).map(str::to_owned);
        // Only a 200 is looked into.
        let body = if status == 200 { read(response, request.max_body).await? } else { Vec::new() };
        Ok(FetchResponse { status, cache_control, body })
    }
}

/// At most `limit` bytes are kept, and of what comes beyond that one read of the connection.
async fn read(mut response: reqwest::Response, limit: usize) -> Result<Vec<u8>, FetchError> {
    let too_long = FetchError::TooLong { limit };
    let declared = response.content_length().unwrap_or(0);
    if usize::try_from(declared).map_or(true, |declared| declared > limit) {
        return Err(too_long);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(words::describe)? {
        if body.len().saturating_add(chunk.len()) > limit {
            return Err(too_long);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
