//! The way of callouts to names: through a listener inside of Envoy.
//!
//! Envoy judges an upstream's address (SPEC C-5) only for requests that came through a listener, and the filter's callouts do not. So the filter calls
//! a cluster that leads to an internal listener, and that one's only route leads to the cluster that connects to the provider. The first
//! hop never leaves the process; TLS begins in the second cluster.

use super::cluster::{self, limits};
use super::upstream::Upstream;
use crate::tree::Tree;
use crate::{list, map};

/// What internal listeners need in a bootstrap.
pub(super) fn bootstrap_extensions(upstreams: &[Upstream<'_>]) -> Option<Tree> {
    let extension = || {
        list![map! {
            "name": "envoy.bootstrap.internal_listener",
            "typed_config": map! {
                "@type": "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener",
            },
        }]
    };
    upstreams.iter().any(Upstream::checks_addresses).then(extension)
}

/// The cluster the filter calls.
pub(super) fn entrance(upstream: &Upstream<'_>) -> Tree {
    let name = upstream.entrance();
    let address = map! { "envoy_internal_address": map! { "server_listener_name": name.as_str() } };
    map! { "name": name.as_str(), "type": "STATIC", "connect_timeout": "3s" }
        .and("circuit_breakers", Some(cluster::circuit_breakers(&limits(upstream.purpose))))
        .and("typed_extension_protocol_options", Some(cluster::http_options(None)))
        .and("load_assignment", Some(cluster::load_assignment(&name, address)))
}

/// The internal listener.
pub(super) fn listener(upstream: &Upstream<'_>) -> Tree {
    let name = upstream.entrance();
    let connection_manager = map! {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name.as_str(),
        "codec_type": "HTTP1",
        "generate_request_id": false,
        "route_config": routes(upstream, &name),
        "http_filters": list![map! {
            "name": "envoy.filters.http.router",
            "typed_config": map! {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                "suppress_envoy_headers": true,
            },
        }],
    };
    let filter = map! {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": connection_manager,
    };
    map! {
        "name": name.as_str(),
        "internal_listener": Tree::Map(Vec::new()),
        // Clients must not be able to use up the connections that keys are fetched by.
        "ignore_global_conn_limit": true,
        "filter_chains": list![map! { "filters": list![filter] }],
    }
}

fn routes(upstream: &Upstream<'_>, name: &str) -> Tree {
    let route = map! {
        "cluster": upstream.name.as_str(),
        // The filter's own calloutTimeout ends it.
        "timeout": "0s",
        // A name's next address, where one does not answer. Each is judged.
        "retry_policy": map! {
            "retry_on": "connect-failure",
            "num_retries": 2_u32,
            "retry_host_predicate": list![map! {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": map! {
                    "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
                },
            }],
            "host_selection_retry_max_attempts": 3_u32,
        },
    };
    map! {
        "name": name,
        "virtual_hosts": list![map! {
            "name": name,
            "domains": list![upstream.url.authority()],
            "routes": list![map! { "match": map! { "prefix": "/" }, "route": route }],
            "request_headers_to_remove": list![
                "x-envoy-expected-rq-timeout-ms",
                "x-envoy-internal",
                "x-forwarded-for",
                "x-forwarded-proto",
            ],
        }],
    }
}
