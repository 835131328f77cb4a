//! The servers: an identity provider, an upstream, and one Envoy for each arm.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use envoy_test::provider::RealmOptions;
use envoy_test::{Algorithm, Envoy, EnvoyOptions, Provider, RawRequest, client, port};

use crate::arm::{Arm, LIVE_TOKENS, Tokens};
use crate::bootstrap::{self, AUDIENCE, Built, Destination, REALM};
use crate::error::{BenchError, Doing, output};
use crate::load::{Load, PATH};

/// Longer than any run.
const TOKEN_LIFE_SECONDS: i64 = 24 * 3600;

/// Keys are fetched as soon as Envoy runs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which core does what.
#[derive(Clone, Copy, Debug)]
pub struct Cores {
    /// Of the Envoys that are measured.
    pub envoy: u32,
    /// Of the load and the upstream.
    pub load: u32,
}

/// What all arms share.
#[derive(Debug)]
pub struct Testbed {
    /// What was built.
    pub built: Built,
    /// Signs the tokens and publishes the keys.
    pub provider: Provider,
    /// Sends the requests.
    pub load: Load,
    cores: Cores,
    token: String,
    upstream: SocketAddr,
    _upstream: Envoy,
}

/// An arm with its Envoy.
#[derive(Debug)]
pub struct Contender {
    /// What it is.
    pub arm: Arm,
    /// Where requests go.
    pub listen: SocketAddr,
    /// Who answers them.
    pub envoy: Envoy,
    /// Of the filter, in the chain.
    pub copies: u64,
}

impl Testbed {
    /// Starts provider and upstream.
    ///
    /// # Errors
    /// A server does not start.
    pub async fn start(built: Built, cores: Cores) -> Result<Self, BenchError> {
        let algorithms = [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa];
        let realm = RealmOptions::new(REALM, AUDIENCE).algorithms(&algorithms);
        let provider =
            Provider::builder().realm(realm).start().doing(|| "the identity provider".to_owned())?;
        let token = mint(&provider, Algorithm::Rs256, 0);
        let load = Load::new(&token, cores.load)?;
        let (listen, admin) = (port::free(), port::free());
        let envoy = Envoy::start(&bootstrap::upstream(listen, admin).to_string(), admin, &options(1)).await?;
        pin(&envoy, cores.load)?;
        Ok(Self { built, provider, load, cores, token, upstream: listen, _upstream: envoy })
    }

    /// Signs [`LIVE_TOKENS`], unless it was done before.
    ///
    /// # Errors
    /// They cannot be written to a file.
    pub fn prepare(&self, tokens: Tokens) -> Result<(), BenchError> {
        self.prepare_many(tokens, LIVE_TOKENS)
    }

    /// As [`Self::prepare`], so many.
    ///
    /// # Errors
    /// They cannot be written to a file.
    pub fn prepare_many(&self, tokens: Tokens, count: usize) -> Result<(), BenchError> {
        let algorithm = match tokens {
            Tokens::Repeated | Tokens::Live => Algorithm::Rs256,
            Tokens::InTurn(algorithm) => algorithm,
            // Quick to sign.
            Tokens::Filling => Algorithm::EdDsa,
        };
        if self.load.has(tokens) {
            return Ok(());
        }
        let minted: Vec<String> = (0..count).map(|number| mint(&self.provider, algorithm, number)).collect();
        self.load.add(tokens, &minted.join("\n"))
    }

    /// The length of a token, in bytes.
    pub fn token_length(&self) -> usize {
        self.token.len()
    }

    /// The upstream as a destination.
    pub fn upstream(&self) -> Destination {
        Destination::Upstream(self.upstream)
    }

    /// Starts an Envoy with one worker for each arm, each on the measured core.
    ///
    /// # Errors
    /// One does not start, or does not answer 2xx.
    pub async fn contenders(
        &self,
        arms: &[Arm],
        destination: Destination,
        copies: usize,
    ) -> Result<Vec<Contender>, BenchError> {
        let mut contenders = Vec::new();
        for arm in arms {
            if arm.tokens != Tokens::Filling {
                self.prepare(arm.tokens)?;
            }
            let contender = self.start_one(*arm, destination, copies, 1).await?;
            pin(&contender.envoy, self.cores.envoy)?;
            self.wait_until_it_forwards(&contender).await?;
            contenders.push(contender);
        }
        Ok(contenders)
    }

    /// Starts an Envoy, on any core.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start_one(
        &self,
        arm: Arm,
        destination: Destination,
        copies: usize,
        workers: u32,
    ) -> Result<Contender, BenchError> {
        let (listen, admin) = (port::free(), port::free());
        let bootstrap =
            bootstrap::render(&self.built, &self.provider, (listen, admin), destination, arm.filter, copies)?;
        let envoy = Envoy::start(&bootstrap.to_string(), admin, &options(workers)).await?;
        Ok(Contender { arm, listen, envoy, copies: copies as u64 })
    }

    /// Returns when a request is answered 2xx.
    ///
    /// # Errors
    /// None is, within 20 seconds.
    pub async fn wait_until_it_forwards(&self, contender: &Contender) -> Result<(), BenchError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let request = RawRequest::get(PATH).bearer(&self.token);
            let response = client::send(contender.listen, &request).await.doing(|| "a request".to_owned())?;
            if (200..300).contains(&response.status) {
                return Ok(());
            }
            if Instant::now() > deadline {
                let counted = format!("still {} {}", response.status, response.text());
                return Err(BenchError::Answers { arm: contender.arm.name.to_owned(), counted });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn mint(provider: &Provider, algorithm: Algorithm, number: usize) -> String {
    let subject = format!("3f2b7c1e-52f7-4f6f-8f44-{number:012}");
    let token = provider.token(REALM).algorithm(algorithm).subject(&subject);
    token.expires_in(TOKEN_LIFE_SECONDS).mint()
}

/// As people run it: nothing is logged but what is wrong.
fn options(workers: u32) -> EnvoyOptions {
    EnvoyOptions {
        concurrency: workers,
        component_log_level: "wasm:info".to_owned(),
        ..EnvoyOptions::default()
    }
}

/// All threads, those to come included.
fn pin(envoy: &Envoy, core: u32) -> Result<(), BenchError> {
    output(Command::new("taskset").args(["-acp", &core.to_string(), &envoy.pid().to_string()])).map(drop)
}

/// One line of progress.
pub fn progress(text: &str) {
    let mut stream = std::io::stderr().lock();
    // Progress that cannot be shown is not missed.
    let _ = writeln!(stream, "{text}");
}
