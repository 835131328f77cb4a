//! Clusters: the registry's, and one for each upstream of the filter.

use std::path::Path;

use registry_auth::policy::Purpose;
use registry_auth::url::{Host, Url};

use super::secret::Secret;
use super::upstream::Upstream;
use super::upstream_filter;
use crate::document::Document;
use crate::tree::Tree;
use crate::{list, map};

/// Of the registry's cluster; no upstream's name lacks its purpose, so none is this.
pub(super) const BACKEND: &str = "registry";

/// Connections and requests at one time.
pub(super) struct Limits {
    connections: u32,
    requests: u32,
}

/// Of a provider's cluster.
pub(super) const fn limits(purpose: Purpose) -> Limits {
    match purpose {
        Purpose::Keys => Limits { connections: 8, requests: 32 },
        Purpose::Introspection => Limits { connections: 128, requests: 1024 },
    }
}

pub(super) fn backend(url: &Url, system_ca: &Path) -> Tree {
    let filters = None;
    cluster(BACKEND, url, &Limits { connections: 1024, requests: 1024 }, filters)
        .and("transport_socket", url.is_https().then(|| tls(url.host(), &Authorities::System(system_ca))))
}

/// The cluster that connects to the provider. `sds` is the directory of files that [`Secret`]s are found by.
pub(super) fn provider(upstream: &Upstream<'_>, document: &Document, system_ca: &Path, sds: &Path) -> Tree {
    let own = Secret::of_authority(upstream, document).map(|secret| secret.reference(sds));
    let authorities = own.map_or(Authorities::System(system_ca), Authorities::Own);
    let mut filters = Vec::new();
    if upstream.checks_addresses() {
        filters.push(upstream_filter::check_address(upstream.provider.addresses));
    }
    if let (Some(credential), Some(secret)) =
        (upstream.credential(), Secret::of_credential(upstream, document))
    {
        filters.extend(upstream_filter::authenticate(&credential, secret.reference(sds)));
    }
    let filters = upstream_filter::chain(filters);
    cluster(&upstream.name, upstream.url, &limits(upstream.purpose), filters)
        .and("transport_socket", upstream.url.is_https().then(|| tls(upstream.url.host(), &authorities)))
}

/// Each address of a name is a server of its own: of several in one, only the first would be judged (SPEC C-5), whichever is connected to.
fn dns() -> Tree {
    map! {
        "name": "envoy.cluster.dns",
        "typed_config": map! {
            "@type": "type.googleapis.com/envoy.extensions.clusters.dns.v3.DnsCluster",
            "dns_lookup_family": "V4_PREFERRED",
            "respect_dns_ttl": true,
            "dns_failure_refresh_rate": map! { "base_interval": "1s", "max_interval": "10s" },
            "all_addresses_in_single_endpoint": false,
        },
    }
}

fn cluster(name: &str, url: &Url, limits: &Limits, filters: Option<Tree>) -> Tree {
    let named = matches!(url.host(), Host::Name(_));
    let address = map! { "address": url.host_str(), "port_value": url.port() };
    map! { "name": name }
        .and("type", (!named).then_some("STATIC"))
        .and("cluster_type", named.then(dns))
        .and("connect_timeout", Some("3s"))
        .and("circuit_breakers", Some(circuit_breakers(limits)))
        .and("typed_extension_protocol_options", Some(http_options(filters)))
        .and("load_assignment", Some(load_assignment(name, map! { "socket_address": address })))
}

pub(super) fn circuit_breakers(limits: &Limits) -> Tree {
    map! {
        "thresholds": list![map! {
            "max_connections": limits.connections,
            "max_pending_requests": limits.requests,
            "max_requests": limits.requests,
        }],
    }
}

/// `filters` are upstream HTTP filters.
pub(super) fn http_options(filters: Option<Tree>) -> Tree {
    let options = map! {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        // Shorter than servers keep idle connections: a request never meets one that is just being closed.
        "common_http_protocol_options": map! { "idle_timeout": "30s" },
        "explicit_http_config": map! { "http_protocol_options": Tree::Map(Vec::new()) },
    };
    map! { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options.and("http_filters", filters) }
}

pub(super) fn load_assignment(cluster: &str, address: Tree) -> Tree {
    let endpoint = map! { "endpoint": map! { "address": address } };
    map! { "cluster_name": cluster, "endpoints": list![map! { "lb_endpoints": list![endpoint] }] }
}

/// Whose certificates are trusted.
enum Authorities<'a> {
    /// A file that is read when Envoy starts.
    System(&'a Path),
    /// A reference to a [`Secret`], which is followed.
    Own(Tree),
}

/// A certificate authority alone checks no name; both are needed, always.
fn tls(host: &Host, authorities: &Authorities<'_>) -> Tree {
    let (sni, names) = match host {
        Host::Name(name) => (Some(name.as_str()), None),
        // RFC 6066 §3: no address is a server name.
        Host::Ipv4(_) | Host::Ipv6(_) => {
            let literal = match host {
                Host::Ipv6(address) => address.to_string(),
                other => other.to_string(),
            };
            (None, Some(list![map! { "san_type": "IP_ADDRESS", "matcher": map! { "exact": literal } }]))
        }
    };
    let common = map! { "tls_params": map! { "tls_minimum_protocol_version": "TLSv1_2" } };
    let common = match authorities {
        Authorities::System(file) => {
            let trusted = map! { "trusted_ca": map! { "filename": file.display().to_string() } };
            common.and("validation_context", Some(trusted.and("match_typed_subject_alt_names", names)))
        }
        Authorities::Own(reference) => {
            let names = Tree::Map(Vec::new()).and("match_typed_subject_alt_names", names);
            let combined = map! {
                "default_validation_context": names,
                "validation_context_sds_secret_config": reference.clone(),
            };
            common.and("combined_validation_context", Some(combined))
        }
    };
    let context =
        map! { "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext" }
            .and("sni", sni)
            .and("auto_sni_san_validation", sni.map(|_| true))
            .and("common_tls_context", Some(common));
    map! { "name": "envoy.transport_sockets.tls", "typed_config": context }
}
