//! Envoy 1.40: a complete bootstrap.
//!
//! One listener with our filter before the router; one cluster for the registry, and one for each provider and purpose (SPEC C-8), so that no
//! provider's CA, credential, address rule or connection serves another. The filter finds them by the overrides that are put into its `filter`
//! object: exactly the origins the document names. What a discovery document names elsewhere has no cluster, and the filter says so.
//!
//! Where a document names files with secrets or certificate authorities, small files that refer to them stand beside the bootstrap: [`SdsFile`].

mod callout;
mod cluster;
mod listener;
mod secret;
mod upstream;
mod upstream_filter;

use std::fmt;
use std::path::PathBuf;

use registry_auth::config::{Environment, auth_and_filter};
use registry_auth::policy::{OauthPolicy, Policy};
use registry_auth::url::Url;
use serde_json::{Value, json};

pub use secret::SdsFile;

use crate::document::Document;
use crate::tree::Tree;
use crate::{list, map};
use upstream::Upstream;

/// The bodies of callouts: 1 MiB (SPEC J-6), and a little, so that the filter sees what is too long and can say so.
const RESPONSE_BUFFER_LIMIT: u32 = 1024 * 1024 + 64 * 1024;

/// What the document does not say.
#[derive(Clone, Debug)]
pub struct Options {
    /// The filter; absolute.
    pub wasm: PathBuf,
    /// Where clients connect.
    pub listen: SocketAddress,
    /// The registry: an origin.
    pub backend: Url,
    /// Where Envoy's own administration listens; nowhere by default.
    pub admin: Option<SocketAddress>,
    /// Requests per second and client address.
    pub rate_limit: Option<u32>,
    /// Proxies before this one that may be believed about the client's address.
    pub trusted_hops: u32,
    /// Connections of clients at one time.
    pub max_connections: u32,
    /// Certificate chain and private key of the listener; absolute.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Certificate authorities of providers without `caCertPath`.
    pub system_ca: PathBuf,
    /// Whether requests are logged on standard output, without their queries.
    pub access_log: bool,
    /// Where the [`SdsFile`]s will stand; absolute.
    pub sds: Option<PathBuf>,
}

/// What Envoy is started with.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The bootstrap: YAML, with a header of comments.
    pub bootstrap: String,
    /// What it refers to in [`Options::sds`].
    pub sds: Vec<SdsFile>,
}

/// Why nothing was rendered.
#[derive(Debug)]
pub enum RenderError {
    /// The document names a file that is followed, and there is no directory for what that takes.
    NoSdsDirectory {
        /// Where the document names it: `auth.oauth.providers[0].caCertPath`.
        path: String,
    },
    /// The YAML library failed, which is a fault of ours.
    Yaml(serde_saphyr::ser::Error),
}

impl From<serde_saphyr::ser::Error> for RenderError {
    fn from(error: serde_saphyr::ser::Error) -> Self {
        Self::Yaml(error)
    }
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSdsDirectory { path } => {
                write!(
                    f,
                    "{path}: Envoy follows this file by one that refers to it: say where that may stand with --sds-dir"
                )
            }
            Self::Yaml(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RenderError {}

/// An address and a port: `127.0.0.1:8080`, `[::]:8080`, `:8080`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketAddress {
    host: std::net::IpAddr,
    port: u16,
}

impl std::str::FromStr for SocketAddress {
    type Err = SocketAddressError;

    fn from_str(text: &str) -> Result<Self, SocketAddressError> {
        let (host, port) = text.rsplit_once(':').ok_or(SocketAddressError)?;
        let port = port.parse().map_err(|_| SocketAddressError)?;
        let host = match host {
            "" => std::net::Ipv4Addr::UNSPECIFIED.into(),
            "localhost" => std::net::Ipv4Addr::LOCALHOST.into(),
            _ => match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
                Some(host) => std::net::IpAddr::V6(host.parse().map_err(|_| SocketAddressError)?),
                None => std::net::IpAddr::V4(host.parse().map_err(|_| SocketAddressError)?),
            },
        };
        Ok(Self { host, port })
    }
}

/// A text is no [`SocketAddress`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketAddressError;

impl fmt::Display for SocketAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080")
    }
}

impl std::error::Error for SocketAddressError {}

impl From<&SocketAddress> for Tree {
    fn from(address: &SocketAddress) -> Self {
        map! { "socket_address": map! { "address": address.host.to_string(), "port_value": address.port } }
    }
}

/// Renders a bootstrap and what it refers to.
///
/// # Errors
/// A directory is missing in the options.
pub fn render(document: &Document, options: &Options) -> Result<Rendered, RenderError> {
    let upstreams = match &document.loaded.policy {
        Policy::Oauth(oauth) => upstream::all(oauth),
        Policy::Anonymous => Vec::new(),
    };
    let secrets = secret::all(&upstreams, document);
    let sds = match (&options.sds, secrets.first()) {
        (None, Some(secret)) => return Err(RenderError::NoSdsDirectory { path: secret.path.clone() }),
        (sds, _) => sds.clone().unwrap_or_default(),
    };
    let configuration = plugin_configuration(document, &upstreams);
    let checked = || upstreams.iter().filter(|upstream| upstream.checks_addresses());
    let mut listeners = vec![listener::listener(options, &configuration)];
    listeners.extend(checked().map(callout::listener));
    let mut clusters = vec![cluster::backend(&options.backend, &options.system_ca)];
    clusters.extend(checked().map(callout::entrance));
    clusters.extend(
        upstreams.iter().map(|upstream| cluster::provider(upstream, document, &options.system_ca, &sds)),
    );
    let tree = map! { "node": map! { "id": "registry-auth", "cluster": "registry-auth" } }
        .and("admin", options.admin.as_ref().map(|admin| map! { "address": admin }))
        .and("layered_runtime", Some(runtime()))
        .and("stats_config", Some(stats_config()))
        .and("overload_manager", Some(overload_manager(options.max_connections)))
        .and("bootstrap_extensions", callout::bootstrap_extensions(&upstreams))
        .and("static_resources", Some(map! { "listeners": listeners, "clusters": clusters }));
    let body = serde_saphyr::to_string(&tree)?;
    Ok(Rendered {
        bootstrap: format!("{}{body}", header(&document.loaded.policy, &upstreams)),
        sds: secrets.iter().map(|secret| secret.sds_file(&sds)).collect::<Result<_, _>>()?,
    })
}

/// What the filter reads: the document's `auth`, and `filter` with our upstreams before the document's own.
fn plugin_configuration(document: &Document, upstreams: &[Upstream<'_>]) -> String {
    let mut configuration = auth_and_filter(&document.value);
    let own =
        configuration.get("filter").filter(|filter| filter.is_object()).cloned().unwrap_or_else(|| json!({}));
    let mut overrides: Vec<Value> = upstreams.iter().map(Upstream::override_entry).collect();
    if let Some(Value::Array(own)) = own.pointer("/upstreams/overrides") {
        overrides.extend(own.iter().cloned());
    }
    let mut filter = own.as_object().cloned().unwrap_or_default();
    let mut rendered = filter.get("upstreams").and_then(Value::as_object).cloned().unwrap_or_default();
    rendered.insert("overrides".to_owned(), Value::Array(overrides));
    filter.insert("upstreams".to_owned(), Value::Object(rendered));
    filter.insert("sharedData".to_owned(), Value::Bool(true));
    filter.entry("calloutTimeout").or_insert_with(|| json!("5s"));
    if let Value::Object(map) = &mut configuration {
        map.insert("filter".to_owned(), Value::Object(filter));
    }
    format!("{configuration:#}\n")
}

fn runtime() -> Tree {
    let limits = map! { "http.async_response_buffer_limit": RESPONSE_BUFFER_LIMIT };
    map! { "layers": list![map! { "name": "static", "static_layer": limits }] }
}

/// The filter's metrics carry their tags in their names: `registry_auth_decisions_total;provider=keycloak;outcome=expired`.
fn stats_config() -> Tree {
    let tag = |name: &str| map! { "tag_name": name, "regex": format!(r"^wasmcustom\.registry_auth_.*?(;{name}=([^;]+))") };
    map! { "stats_tags": list![tag("provider"), tag("outcome")] }
}

fn overload_manager(max_connections: u32) -> Tree {
    map! {
        "resource_monitors": list![map! {
            "name": "envoy.resource_monitors.global_downstream_max_connections",
            "typed_config": map! {
                "@type": "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                "max_active_downstream_connections": max_connections,
            },
        }],
    }
}

/// Names in it are of plain characters: providers and hosts.
fn header(policy: &Policy, upstreams: &[Upstream<'_>]) -> String {
    let mut lines = vec![
        "Envoy 1.40 bootstrap, rendered by `filter-config render envoy`: render it again rather than edit it.".to_owned(),
        String::new(),
        "Paths: Envoy normalizes them and keeps %2F (server names contain it); the filter decides on what results.".to_owned(),
        "Identity headers of clients are removed by the filter, in any spelling, so headers with underscores reach it.".to_owned(),
    ];
    match policy {
        Policy::Anonymous => lines.push("Authentication: anonymous, every request passes.".to_owned()),
        Policy::Oauth(oauth) => lines.extend(provider_lines(oauth, upstreams)),
    }
    lines.iter().map(|line| if line.is_empty() { "#\n".to_owned() } else { format!("# {line}\n") }).collect()
}

fn provider_lines(oauth: &OauthPolicy, upstreams: &[Upstream<'_>]) -> Vec<String> {
    let mut lines =
        vec![String::new(), "Upstreams of the filter, one for each provider and purpose:".to_owned()];
    lines.extend(upstreams.iter().map(|upstream| format!("  {}: {}", upstream.name, upstream.url.origin())));
    if upstreams.iter().any(Upstream::checks_addresses) {
        lines.extend([
            "Where the host is a name, the filter calls NAME-callout, an internal listener of the same name passes it on to NAME, and there the".to_owned(),
            "address is checked before anything is connected to (allowPrivateIP).".to_owned(),
        ]);
    }
    lines.push(
        "caCertPath replaces the system's certificate authorities for its provider's upstreams.".to_owned(),
    );
    let discovering: Vec<&str> = oauth
        .providers
        .iter()
        .filter(|provider| provider.jwks_url.is_none())
        .map(|provider| provider.name.as_str())
        .collect();
    if !discovering.is_empty() {
        lines.extend([
            String::new(),
            format!("Keys found by discovery: {}.", discovering.join(", ")),
            "Where the discovery document's jwks_uri is on another host than the issuer (Google's is), there is no upstream for it".to_owned(),
            "here: the filter reports which one is missing. Setting the provider's jwksUrl renders it.".to_owned(),
        ]);
    }
    let insecure =
        upstreams.iter().any(|upstream| !upstream.url.is_https() && !upstream.url.host().is_loopback());
    if insecure {
        lines.extend([
            String::new(),
            format!("Plain http: the proxy needs {} in its own environment.", Environment::INSECURE_HTTP),
        ]);
    }
    lines
}
