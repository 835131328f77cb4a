//! The whole: an upstream, an Envoy in front of it with the bootstrap that `filter-config render envoy` makes of a document, and the built filter.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cases::{Host, Subject};
use crate::client;
use crate::envoy::{Envoy, EnvoyOptions};
use crate::message::{RawRequest, RawResponse};
use crate::upstream::{CASE_HEADER, Upstream};
use crate::{port, project};

/// How a gateway is started, besides its configuration.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct GatewayOptions {
    /// Envoy's.
    pub envoy: EnvoyOptions,
    /// Further arguments of `filter-config render envoy`, such as `--rate-limit 5`.
    pub render: Vec<String>,
    /// The document's `filter` object.
    pub filter: Option<Value>,
    /// What a test wants of Envoy that is not rendered.
    pub edit: Option<BootstrapEdit>,
}

/// A change to a rendered bootstrap.
#[derive(Clone)]
pub struct BootstrapEdit(Arc<dyn Fn(&mut Value) + Send + Sync>);

impl BootstrapEdit {
    /// Changes the bootstrap in its place.
    pub fn new(edit: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        Self(Arc::new(edit))
    }
}

impl fmt::Debug for BootstrapEdit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BootstrapEdit")
    }
}

/// A running gateway. It ends when dropped.
#[derive(Debug)]
pub struct Gateway {
    listen: SocketAddr,
    bootstrap: String,
    envoy: Envoy,
    upstream: Upstream,
    files: TempDir,
}

impl Gateway {
    /// Renders `configuration`, which is a registry's document (`{"auth": {…}}`), and starts Envoy with it.
    ///
    /// # Panics
    /// When the filter or `filter-config` cannot be built, refuse the document, or Envoy does not start.
    pub async fn start(configuration: &Value, options: &GatewayOptions) -> Self {
        let upstream = Upstream::start().expect("an upstream");
        let files = TempDir::with_prefix("gateway-").expect("a directory");
        let (listen, admin) = (port::free(), port::free());
        let mut document = configuration.clone();
        if let Some(filter) = &options.filter {
            document["filter"] = json!(filter);
        }
        let config = files.path().join("config.yaml");
        // JSON is YAML.
        std::fs::write(&config, document.to_string()).expect("a configuration file");
        let mut render = Command::new(project::filter_config());
        render
            .args(["render", "envoy", "--config"])
            .arg(&config)
            .arg("--wasm")
            .arg(project::filter_wasm())
            .args(["--listen", &listen.to_string(), "--admin", &admin.to_string()])
            .args(["--backend", &upstream.url()])
            .arg("--sds-dir")
            .arg(files.path().join("sds"))
            .args(&options.render);
        let output = render.output().expect("filter-config");
        let bootstrap = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "filter-config: {}", String::from_utf8_lossy(&output.stderr));
        let started = match &options.edit {
            None => bootstrap.clone(),
            Some(BootstrapEdit(edit)) => {
                let mut edited: Value = serde_saphyr::from_str(&bootstrap).expect("YAML");
                edit(&mut edited);
                edited.to_string()
            }
        };
        let envoy = Envoy::start(&started, admin, &options.envoy).await;
        let envoy = envoy.unwrap_or_else(|error| panic!("{error}"));
        Self { listen, bootstrap, envoy, upstream, files }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.listen
    }

    /// The rendered bootstrap.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// What was rendered beside it, all in one.
    pub fn sds_files(&self) -> String {
        let Ok(directory) = std::fs::read_dir(self.files.path().join("sds")) else {
            return String::new();
        };
        directory
            .map(|file| std::fs::read_to_string(file.expect("a file").path()).expect("a rendered file"))
            .collect()
    }

    /// Envoy.
    pub fn envoy(&self) -> &Envoy {
        &self.envoy
    }

    /// What Envoy forwards to.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Sends a request on a connection of its own.
    ///
    /// # Errors
    /// There is no response.
    pub async fn request(&self, request: &RawRequest) -> io::Result<RawResponse> {
        client::send(self.listen, request).await
    }

    /// Sends `request` until it is answered with `status`, for as long as keys may take to arrive.
    ///
    /// # Panics
    /// When that does not happen within 20 seconds.
    pub async fn wait_for_status(&self, request: &RawRequest, status: u16) -> RawResponse {
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        loop {
            let response = self.request(request).await.expect("a response");
            if response.status == status {
                return response;
            }
            assert!(
                std::time::Instant::now() < deadline,
                "still {} {}, expected {status}",
                response.status,
                response.text()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Subject for Gateway {
    fn host(&self) -> Host {
        Host::Envoy
    }

    async fn send(&self, request: &RawRequest) -> io::Result<RawResponse> {
        send_and_look(self.listen, &self.upstream, request).await
    }
}

/// An Envoy that forwards everything: what the table says about the host itself is checked against it.
#[derive(Debug)]
pub struct PlainEnvoy {
    listen: SocketAddr,
    upstream: Upstream,
    _envoy: Envoy,
}

impl PlainEnvoy {
    /// Starts it.
    ///
    /// # Panics
    /// When Envoy does not start.
    pub async fn start() -> Self {
        let upstream = Upstream::start().expect("an upstream");
        let (listen, admin) = (port::free(), port::free());
        let bootstrap = crate::bootstrap::Bootstrap::new(listen, admin, upstream.address()).to_string();
        let envoy = Envoy::start(&bootstrap, admin, &EnvoyOptions::default()).await;
        let envoy = envoy.unwrap_or_else(|error| panic!("{error}"));
        Self { listen, upstream, _envoy: envoy }
    }
}

impl Subject for PlainEnvoy {
    fn host(&self) -> Host {
        Host::Envoy
    }

    async fn send(&self, request: &RawRequest) -> io::Result<RawResponse> {
        send_and_look(self.listen, &self.upstream, request).await
    }
}

async fn send_and_look(
    address: SocketAddr,
    upstream: &Upstream,
    request: &RawRequest,
) -> io::Result<RawResponse> {
    let mut response = client::send(address, request).await?;
    let case = request.values(CASE_HEADER).first().map(ToString::to_string).unwrap_or_default();
    let mut arrivals = upstream.arrivals_of(&case);
    assert!(arrivals.len() <= 1, "{case} reached the upstream {} times", arrivals.len());
    response.upstream = arrivals.pop().map(|arrival| arrival.request);
    Ok(response)
}
