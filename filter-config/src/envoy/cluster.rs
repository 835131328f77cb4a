//! Clusters: the registry's, and one for each upstream of the filter.

use std::path::Path;

use registry_auth::policy::Purpose;
use registry_auth::url::{Host, Url};

use super::upstream::Upstream;
use crate::document::Document;
use crate::tree::Tree;
use crate::{list, map};

/// Of the registry's cluster; no upstream's name lacks its purpose, so none is this.
pub(super) const BACKEND: &str = "registry";

/// Connections and requests at one time.
struct Limits {
    connections: u32,
    requests: u32,
}

pub(super) fn backend(url: &Url, system_ca: &Path) -> Tree {
    cluster(BACKEND, url, Addresses::Servers, &Limits { connections: 1024, requests: 1024 })
        .and("transport_socket", url.is_https().then(|| tls(url.host(), system_ca)))
}

pub(super) fn provider(upstream: &Upstream<'_>, document: &Document, system_ca: &Path) -> Tree {
    let ca = upstream.provider.ca_cert_path.as_deref().map(|file| document.resolve(file));
    let limits = match upstream.purpose {
        Purpose::Keys => Limits { connections: 8, requests: 32 },
        Purpose::Introspection => Limits { connections: 128, requests: 1024 },
    };
    cluster(&upstream.name, upstream.url, Addresses::Service, &limits).and(
        "transport_socket",
        upstream.url.is_https().then(|| tls(upstream.url.host(), ca.as_deref().unwrap_or(system_ca))),
    )
}

/// What the addresses of a name are.
#[derive(Clone, Copy)]
enum Addresses {
    /// Each a server of its own.
    Servers,
    /// Changing ones of one service.
    Service,
}

fn dns(addresses: Addresses) -> Tree {
    map! {
        "name": "envoy.cluster.dns",
        "typed_config": map! {
            "@type": "type.googleapis.com/envoy.extensions.clusters.dns.v3.DnsCluster",
            "dns_lookup_family": "V4_PREFERRED",
            "respect_dns_ttl": true,
            "dns_failure_refresh_rate": map! { "base_interval": "1s", "max_interval": "10s" },
            "all_addresses_in_single_endpoint": matches!(addresses, Addresses::Service),
        },
    }
}

fn cluster(name: &str, url: &Url, addresses: Addresses, limits: &Limits) -> Tree {
    let named = matches!(url.host(), Host::Name(_));
    let address = map! { "address": url.host_str(), "port_value": url.port() };
    let endpoint = map! { "endpoint": map! { "address": map! { "socket_address": address } } };
    map! { "name": name }
        .and("type", (!named).then_some("STATIC"))
        .and("cluster_type", named.then(|| dns(addresses)))
        .and("connect_timeout", Some("3s"))
        .and(
            "circuit_breakers",
            Some(map! {
                "thresholds": list![map! {
                    "max_connections": limits.connections,
                    "max_pending_requests": limits.requests,
                    "max_requests": limits.requests,
                }],
            }),
        )
        .and(
            "typed_extension_protocol_options",
            Some(map! {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": map! {
                    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    // Shorter than servers keep idle connections: a request never meets one that is just being closed.
                    "common_http_protocol_options": map! { "idle_timeout": "30s" },
                    "explicit_http_config": map! { "http_protocol_options": Tree::Map(Vec::new()) },
                },
            }),
        )
        .and(
            "load_assignment",
            Some(map! { "cluster_name": name, "endpoints": list![map! { "lb_endpoints": list![endpoint] }] }),
        )
}

/// A certificate authority alone checks no name; both are needed, always.
fn tls(host: &Host, ca: &Path) -> Tree {
    let trusted = map! { "trusted_ca": map! { "filename": ca.display().to_string() } };
    let (sni, validation) = match host {
        Host::Name(name) => (Some(name.as_str()), trusted),
        // RFC 6066 §3: no address is a server name.
        Host::Ipv4(_) | Host::Ipv6(_) => {
            let literal = match host {
                Host::Ipv6(address) => address.to_string(),
                other => other.to_string(),
            };
            let name = map! { "san_type": "IP_ADDRESS", "matcher": map! { "exact": literal } };
            (None, trusted.and("match_typed_subject_alt_names", Some(list![name])))
        }
    };
    let context =
        map! { "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext" }
            .and("sni", sni)
            .and("auto_sni_san_validation", sni.map(|_| true))
            .and(
                "common_tls_context",
                Some(map! {
                    "tls_params": map! { "tls_minimum_protocol_version": "TLSv1_2" },
                    "validation_context": validation,
                }),
            );
    map! { "name": "envoy.transport_sockets.tls", "typed_config": context }
}
