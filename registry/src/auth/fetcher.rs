//! Asks identity providers. Each has a client of its own: no provider's certificates, addresses, connections or credentials serve another (SPEC C-8).

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use registry_auth::address::AddressRule;
use registry_auth::fetch::{FetchError, FetchRequest, FetchResponse, FetchResult};
use registry_auth::policy::{Provider, Purpose};
use reqwest::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use reqwest::redirect;

use super::credentials::Credentials;
use super::files::{self, Certificates};
use super::resolver::PermittedAddresses;
use super::trust::{ClientError, SystemRoots};
use super::{StartError, Tuning, words};

/// How long a connection is kept for the next fetch.
const KEEP: Duration = Duration::from_secs(15);

/// How often a file of certificates is read again, at most.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The clients of all providers.
#[derive(Debug)]
pub struct Fetcher {
    clients: Vec<Client>,
}

#[derive(Debug)]
struct Client {
    http: Mutex<Trusting>,
    settings: Settings,
    ca_file: Option<PathBuf>,
    credentials: Credentials,
}

/// A client that trusts certain certificates, and when their file was last looked at.
#[derive(Debug)]
struct Trusting {
    http: reqwest::Client,
    certificates: Certificates,
    looked_at: Instant,
}

/// What a client is made with, besides certificates.
#[derive(Debug)]
struct Settings {
    addresses: AddressRule,
    roots: Arc<SystemRoots>,
    tuning: Tuning,
}

impl Fetcher {
    /// For `providers`, which have their `certificates` in the same order; their files are relative to `directory`.
    ///
    /// # Errors
    /// When a client cannot be made.
    pub fn new(
        providers: &[Provider],
        certificates: Vec<Certificates>,
        directory: &Path,
        tuning: &Tuning,
    ) -> Result<Self, StartError> {
        let roots = Arc::new(SystemRoots::load());
        let certificates = certificates.into_iter().chain(std::iter::repeat_with(Certificates::new));
        let clients = providers.iter().zip(certificates).map(|(provider, certificates)| {
            let settings =
                Settings { addresses: provider.addresses, roots: Arc::clone(&roots), tuning: tuning.clone() };
            Client::new(provider, certificates, directory, settings)
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
        certificates: Certificates,
        directory: &Path,
        settings: Settings,
    ) -> Result<Self, ClientError> {
        let http = settings.client(&certificates)?;
        Ok(Self {
            http: Mutex::new(Trusting { http, certificates, looked_at: Instant::now() }),
            settings,
            ca_file: provider.ca_cert_path.as_ref().map(|file| directory.join(file)),
            credentials: Credentials::new(provider, directory),
        })
    }

    async fn fetch(&self, request: &FetchRequest) -> Result<FetchResponse, FetchError> {
        // Addresses as literals never reach the resolver.
        self.settings
            .addresses
            .permits_url(&request.url)
            .map_err(|error| FetchError::Refused(format!("{}: expected {error}", request.url.authority())))?;
        let http = self.http();
        let builder = match &request.form {
            Some(form) => http
                .post(request.url.as_str())
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.clone()),
            None => http.get(request.url.as_str()),
        };
        let builder = self.credentials.add(builder.header(ACCEPT, request.accept), request)?;
        let response = builder.send().await.map_err(words::describe)?;
        let status = response.status().as_u16();
        let cache_control =
            response.headers().get(CACHE_CONTROL).and_then(|value| value.to_str().ok()).map(str::to_owned);
        // Besides a 200, only an introspection's 400 says something.
        let is_read = status == 200 || status == 400 && request.purpose == Purpose::Introspection;
        let body = if is_read { read(response, request.max_body).await? } else { Vec::new() };
        Ok(FetchResponse { status, cache_control, body })
    }

    /// The client, with the certificates that are in the file now. While the file cannot be used, the last good ones stay in force.
    fn http(&self) -> reqwest::Client {
        let mut trusting = self.http.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = self.ca_file.as_ref().filter(|_| trusting.looked_at.elapsed() >= LOOK_AGAIN) {
            trusting.looked_at = Instant::now();
            match files::read_certificates(file) {
                Ok(certificates) if certificates != trusting.certificates => {
                    match self.settings.client(&certificates) {
                        Ok(http) => (trusting.http, trusting.certificates) = (http, certificates),
                        Err(error) => {
                            tracing::warn!("caCertPath: {error}; the last good certificates stay in force")
                        }
                    }
                }
                Ok(_) => {}
                Err(error) => tracing::warn!("caCertPath: {error}; the last good certificates stay in force"),
            }
        }
        trusting.http.clone()
    }
}

impl Settings {
    fn client(&self, certificates: &Certificates) -> Result<reqwest::Client, ClientError> {
        let resolver = PermittedAddresses { rule: self.addresses, lookup: self.tuning.lookup.clone() };
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(self.roots.with(certificates)?)
            .dns_resolver(Arc::new(resolver))
            // A proxy would resolve by itself, and connect where it likes.
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(self.tuning.fetch_timeout)
            .timeout(self.tuning.fetch_timeout)
            .pool_idle_timeout(KEEP)
            .pool_max_idle_per_host(1)
            .user_agent(concat!("registry/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(http)
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
