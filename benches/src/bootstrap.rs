//! Envoys that differ in their filter alone: each has the bootstrap that `filter-config render envoy` makes, with our filter replaced.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use envoy_test::Provider;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::arm::Filter;
use crate::error::{BenchError, Doing, output};

/// The provider's realm, and its audience.
pub const REALM: &str = "production";
/// See [`REALM`].
pub const AUDIENCE: &str = "registry-api";

/// As `filter-config` calls the provider's cluster.
const KEYS_CLUSTER: &str = "keycloak-keys";

/// What filters set on a request. In a chain, the next copy must not find what the previous one wrote: it would take it for a client's forgery.
const IDENTITY_HEADERS: [&str; 4] = ["x-auth-provider", "x-auth-subject", "x-auth-user", "x-auth-scopes"];

/// What of a token `jwt_authn` writes into [`IDENTITY_HEADERS`], where it does.
const IDENTITY_CLAIMS: [&str; 4] = ["iss", "sub", "preferred_username", "scope"];

/// More signatures a second than are asked for: none of them is to be refused for its number.
const SIGNATURES_PER_SECOND: u32 = 1_000_000;

/// The programs and modules.
#[derive(Clone, Debug)]
pub struct Built {
    /// `filter-config`.
    pub filter_config: PathBuf,
    /// Our filter.
    pub filter: PathBuf,
    /// Another build of our filter.
    pub other: Option<PathBuf>,
    /// The no-op filter.
    pub noop: PathBuf,
}

/// Where requests end.
#[derive(Clone, Copy, Debug)]
pub enum Destination {
    /// Another server.
    Upstream(SocketAddr),
    /// Envoy's own router answers: as little as possible around the filters.
    DirectResponse,
}

/// A bootstrap with `copies` of the filter in its chain.
///
/// # Errors
/// `filter-config` fails, or renders something of another shape.
pub fn render(
    built: &Built,
    provider: &Provider,
    (listen, admin): (SocketAddr, SocketAddr),
    destination: Destination,
    filter: Filter,
    copies: usize,
) -> Result<Value, BenchError> {
    let chained = copies > 1;
    let module = built.other.as_ref().filter(|_| filter == Filter::Other).unwrap_or(&built.filter);
    let document = document(provider, filter, chained);
    let mut bootstrap = rendered(built, module, &document, listen, admin, destination)?;
    let missing = |what: &str| BenchError::Bootstrap(what.to_owned());
    let manager = bootstrap
        .pointer_mut("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config")
        .ok_or_else(|| missing("connection manager"))?;
    let filters = manager
        .get_mut("http_filters")
        .and_then(Value::as_array_mut)
        .filter(|filters| filters.len() == 2)
        .ok_or_else(|| missing("chain of our filter and the router"))?;
    let router = filters.pop().ok_or_else(|| missing("router"))?;
    let ours = filters.pop().ok_or_else(|| missing("filter"))?;
    let chosen = match filter {
        Filter::None => None,
        Filter::Ours { .. } | Filter::Other => Some(ours),
        Filter::NoOp => Some(noop(ours, &built.noop)),
        Filter::JwtAuthn(cache) => Some(jwt_authn(provider, cache.config(), &[], chained)),
        Filter::JwtAuthnTelling(cache) => {
            Some(jwt_authn(provider, cache.config(), &IDENTITY_CLAIMS, chained))
        }
    };
    for _ in 0..copies {
        filters.extend(chosen.clone());
        if chained {
            filters.push(identity_removal());
        }
    }
    filters.push(router);
    if !chained {
        let host = manager
            .pointer_mut("/route_config/virtual_hosts/0")
            .and_then(Value::as_object_mut)
            .ok_or_else(|| missing("virtual host"))?;
        // Filters that look at the token remove it. Without this, the other arms would pay for a kilobyte more to the upstream.
        host.insert("request_headers_to_remove".to_owned(), json!(["authorization"]));
    }
    if matches!(destination, Destination::DirectResponse) {
        let route = manager
            .pointer_mut("/route_config/virtual_hosts/0/routes/0")
            .and_then(Value::as_object_mut)
            .ok_or_else(|| missing("route"))?;
        route.remove("route");
        route.insert("direct_response".to_owned(), direct_response());
    }
    Ok(bootstrap)
}

/// The upstream: an Envoy that answers by itself.
pub fn upstream(listen: SocketAddr, admin: SocketAddr) -> Value {
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "upstream",
        "route_config": { "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": [
            { "match": { "prefix": "/" }, "direct_response": direct_response() },
        ] }] },
        "http_filters": [{
            "name": "envoy.filters.http.router",
            "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
        }],
    });
    json!({
        "admin": { "address": address(admin) },
        "static_resources": { "listeners": [{
            "name": "upstream",
            "address": address(listen),
            "filter_chains": [{ "filters": [{ "name": "envoy.filters.network.http_connection_manager", "typed_config": manager }] }],
        }] },
    })
}

/// The registry's document. In a chain, the token stays for the next copy.
fn document(provider: &Provider, filter: Filter, chained: bool) -> Value {
    let mut oauth = json!({
        "resourceUrl": "https://registry.example.com",
        "providers": [{ "name": "keycloak", "issuerUrl": provider.issuer(REALM), "audience": AUDIENCE }],
        "forwardToken": chained,
        "signatureLimits": { "perSecond": SIGNATURES_PER_SECOND, "perClient": SIGNATURES_PER_SECOND },
    });
    if let (Filter::Ours { token_cache: Some(size) }, Value::Object(oauth)) = (filter, &mut oauth) {
        oauth.insert("tokenCache".to_owned(), json!({ "size": size }));
    }
    json!({ "auth": { "mode": "oauth", "oauth": oauth } })
}

fn written(files: &TempDir, document: &Value) -> Result<PathBuf, BenchError> {
    let config = files.path().join("config.yaml");
    // JSON is YAML.
    std::fs::write(&config, document.to_string()).doing(|| config.display().to_string())?;
    Ok(config)
}

fn rendered(
    built: &Built,
    module: &Path,
    document: &Value,
    listen: SocketAddr,
    admin: SocketAddr,
    destination: Destination,
) -> Result<Value, BenchError> {
    let files = TempDir::with_prefix("bench-").doing(|| "a directory".to_owned())?;
    let config = written(&files, document)?;
    let backend = match destination {
        Destination::Upstream(address) => address,
        Destination::DirectResponse => listen,
    };
    let yaml = output(
        Command::new(&built.filter_config)
            .args(["render", "envoy", "--config"])
            .arg(&config)
            .arg("--wasm")
            .arg(module)
            .args(["--listen", &listen.to_string(), "--admin", &admin.to_string()])
            .args(["--backend", &format!("http://{backend}")]),
    )?;
    serde_saphyr::from_str(&yaml).map_err(|error| BenchError::Bootstrap(format!("YAML: {error}")))
}

/// The same host settings around another module.
fn noop(mut ours: Value, module: &Path) -> Value {
    if let Some(Value::Object(config)) = ours.pointer_mut("/typed_config/config") {
        config.remove("configuration");
        config.insert("name".to_owned(), json!("noop"));
        config.insert("root_id".to_owned(), json!("noop"));
    }
    if let Some(Value::Object(vm)) = ours.pointer_mut("/typed_config/config/vm_config") {
        vm.insert("vm_id".to_owned(), json!("noop"));
        vm.insert("code".to_owned(), json!({ "local": { "filename": module } }));
    }
    ours
}

/// Issuer, audience, expiry and signature checked, the token removed, and these claims told.
fn jwt_authn(provider: &Provider, cache: Option<Value>, claims: &[&str], chained: bool) -> Value {
    let told = |(header, claim): (&&str, &&str)| json!({ "header_name": header, "claim_name": claim });
    let told: Vec<Value> = IDENTITY_HEADERS.iter().zip(claims).map(told).collect();
    let mut settings = json!({
        "issuer": provider.issuer(REALM),
        "audiences": [AUDIENCE],
        "forward": chained,
        "claim_to_headers": told,
        "remote_jwks": {
            "http_uri": { "uri": provider.jwks_url(REALM), "cluster": KEYS_CLUSTER, "timeout": "5s" },
            "cache_duration": "300s",
            "async_fetch": {},
        },
    });
    if let (Some(cache), Value::Object(settings)) = (cache, &mut settings) {
        settings.insert("jwt_cache_config".to_owned(), cache);
    }
    json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": { "keycloak": settings },
            "rules": [{ "match": { "prefix": "/" }, "requires": { "provider_name": "keycloak" } }],
        },
    })
}

fn identity_removal() -> Value {
    // Set first, so that chains without a filter that sets them have as much to remove.
    let set = |name: &&str| {
        let header = json!({ "key": name, "value": "3f2b7c1e-52f7-4f6f-8f44" });
        json!({ "append": { "header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD" } })
    };
    let sets = IDENTITY_HEADERS.iter().map(set);
    let removals = IDENTITY_HEADERS.iter().map(|name| json!({ "remove": name }));
    let mutations: Vec<Value> = sets.chain(removals).collect();
    json!({
        "name": "envoy.filters.http.header_mutation",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
            "mutations": { "request_mutations": mutations },
        },
    })
}

fn direct_response() -> Value {
    json!({ "status": 200, "body": { "inline_string": "{\"servers\":[]}" } })
}

fn address(address: SocketAddr) -> Value {
    json!({ "socket_address": { "address": address.ip().to_string(), "port_value": address.port() } })
}
