//! An Envoy bootstrap without our filter: for the harness's own tests, and as the other arm of comparisons.

use std::net::SocketAddr;

use serde_json::{Value, json};

/// A listener, an upstream, and what stands between them. Printed as JSON, which is YAML.
#[derive(Clone, Debug)]
#[must_use]
pub struct Bootstrap {
    listen: SocketAddr,
    admin: SocketAddr,
    upstream: SocketAddr,
    upstream_http2: bool,
    http_filters: Vec<Value>,
    clusters: Vec<Value>,
}

impl Bootstrap {
    /// Everything that reaches `listen` goes to `upstream`, paths handled as SPEC P-2 says.
    pub fn new(listen: SocketAddr, admin: SocketAddr, upstream: SocketAddr) -> Self {
        Self {
            listen,
            admin,
            upstream,
            upstream_http2: false,
            http_filters: Vec::new(),
            clusters: Vec::new(),
        }
    }

    /// Speaks HTTP/2 to the upstream, so that trailers get there.
    pub fn upstream_http2(mut self) -> Self {
        self.upstream_http2 = true;
        self
    }

    /// Adds an HTTP filter before the router.
    pub fn http_filter(mut self, filter: Value) -> Self {
        self.http_filters.push(filter);
        self
    }

    /// Adds a cluster for a plain HTTP server.
    pub fn cluster(mut self, name: &str, address: SocketAddr) -> Self {
        self.clusters.push(cluster(name, address, false));
        self
    }

    /// Adds Envoy's own `jwt_authn` for one issuer, keys fetched from `jwks_url` by `cluster`.
    pub fn jwt_authn(self, issuer: &str, audience: &str, jwks_url: &str, keys: SocketAddr) -> Self {
        let provider = json!({
            "issuer": issuer,
            "audiences": [audience],
            "forward": true,
            "remote_jwks": {
                "http_uri": { "uri": jwks_url, "cluster": "jwt_authn_keys", "timeout": "5s" },
                "cache_duration": { "seconds": 300 },
            },
        });
        self.cluster("jwt_authn_keys", keys).http_filter(json!({
            "name": "envoy.filters.http.jwt_authn",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
                "providers": { "provider": provider },
                "rules": [{ "match": { "prefix": "/" }, "requires": { "provider_name": "provider" } }],
            },
        }))
    }
}

impl std::fmt::Display for Bootstrap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut http_filters = self.http_filters.clone();
        http_filters.push(json!({
            "name": "envoy.filters.http.router",
            "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
        }));
        let connection_manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "ingress",
            "codec_type": "AUTO",
            "normalize_path": true,
            "merge_slashes": true,
            "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
            "http_protocol_options": { "enable_trailers": true },
            "route_config": {
                "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": [{ "match": { "prefix": "/" }, "route": { "cluster": "upstream" } }] }],
            },
            "http_filters": http_filters,
        });
        let mut clusters = self.clusters.clone();
        clusters.push(cluster("upstream", self.upstream, self.upstream_http2));
        let bootstrap = json!({
            "admin": { "address": socket_address(self.admin) },
            "static_resources": {
                "listeners": [{
                    "name": "ingress",
                    "address": socket_address(self.listen),
                    "filter_chains": [{ "filters": [{ "name": "envoy.filters.network.http_connection_manager", "typed_config": connection_manager }] }],
                }],
                "clusters": clusters,
            },
        });
        write!(f, "{bootstrap:#}")
    }
}

fn cluster(name: &str, address: SocketAddr, http2: bool) -> Value {
    let protocol = if http2 { "http2_protocol_options" } else { "http_protocol_options" };
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": { protocol: {} },
            },
        },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": socket_address(address) } }] }],
        },
    })
}

fn socket_address(address: SocketAddr) -> Value {
    json!({ "socket_address": { "address": address.ip().to_string(), "port_value": address.port() } })
}
