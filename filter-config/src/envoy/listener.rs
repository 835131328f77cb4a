//! The listener: limits for untrusted clients, our filter, and the way to the registry.

use registry_auth::config::Environment;

use super::Options;
use super::cluster::BACKEND;
use crate::tree::Tree;
use crate::{list, map};

/// Remembered client addresses of the rate limit; the least recently seen is forgotten first.
const RATE_LIMITED_CLIENTS: u32 = 10_000;

pub(super) fn listener(options: &Options, plugin_configuration: &str) -> Tree {
    let chain = map! {
        "filters": list![map! {
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": connection_manager(options, plugin_configuration),
        }],
    };
    map! {
        "name": "registry",
        "address": &options.listen,
        "per_connection_buffer_limit_bytes": 32_768_u32,
        "filter_chains": list![
            chain.and("transport_socket_connect_timeout", options.tls.as_ref().map(|_| "10s"))
                .and("transport_socket", options.tls.as_ref().map(|(chain, key)| {
                    let certificate = map! {
                        "certificate_chain": map! { "filename": chain.display().to_string() },
                        "private_key": map! { "filename": key.display().to_string() },
                    };
                    map! {
                        "name": "envoy.transport_sockets.tls",
                        "typed_config": map! {
                            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                            "common_tls_context": map! {
                                "tls_params": map! { "tls_minimum_protocol_version": "TLSv1_2" },
                                "alpn_protocols": list!["h2", "http/1.1"],
                                "tls_certificates": list![certificate],
                            },
                        },
                    }
                })),
        ],
    }
}

fn connection_manager(options: &Options, plugin_configuration: &str) -> Tree {
    let mut filters = Vec::new();
    filters.extend(options.rate_limit.map(rate_limit));
    filters.push(wasm(options, plugin_configuration));
    filters.push(map! {
        "name": "envoy.filters.http.router",
        "typed_config": map! { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
    });
    map! {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "registry",
        "use_remote_address": true,
    }
    .and("xff_num_trusted_hops", (options.trusted_hops > 0).then_some(options.trusted_hops))
    .and("normalize_path", Some(true))
    .and("merge_slashes", Some(true))
    .and("path_with_escaped_slashes_action", Some("KEEP_UNCHANGED"))
    .and("server_header_transformation", Some("PASS_THROUGH"))
    .and(
        "common_http_protocol_options",
        Some(map! { "idle_timeout": "300s", "headers_with_underscores_action": "ALLOW" }),
    )
    .and(
        "http2_protocol_options",
        Some(map! {
            "max_concurrent_streams": 100_u32,
            "initial_stream_window_size": 65_536_u32,
            "initial_connection_window_size": 1_048_576_u32,
        }),
    )
    // Longest waits: for the request's headers, for all of the request, and with nothing to read or write.
    .and("request_headers_timeout", Some("10s"))
    .and("request_timeout", Some("30s"))
    .and("stream_idle_timeout", Some("60s"))
    .and("access_log", options.access_log.then(access_log))
    .and("route_config", Some(routes()))
    .and("http_filters", Some(filters))
}

fn routes() -> Tree {
    // The registry gives up after 10 seconds by itself.
    let route = map! { "cluster": BACKEND, "timeout": "15s" };
    map! {
        "name": "registry",
        "virtual_hosts": list![map! {
            "name": "registry",
            "domains": list!["*"],
            "routes": list![map! { "match": map! { "prefix": "/" }, "route": route }],
        }],
    }
}

/// A bucket for each client: its IPv4 address, or its IPv6 network, of which one client has all addresses.
fn rate_limit(requests_per_second: u32) -> Tree {
    let bucket = || map! { "max_tokens": requests_per_second, "tokens_per_fill": requests_per_second, "fill_interval": "1s" };
    let always = || map! { "default_value": map! { "numerator": 100_u32, "denominator": "HUNDRED" } };
    let client =
        map! { "masked_remote_address": map! { "v4_prefix_mask_len": 32_u32, "v6_prefix_mask_len": 64_u32 } };
    let header = map! { "header": map! { "key": "retry-after", "value": "1" } };
    map! {
        "name": "envoy.filters.http.local_ratelimit",
        "typed_config": map! {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
            "stat_prefix": "registry",
            "filter_enabled": always(),
            "filter_enforced": always(),
            // For requests without a client address, of which there are none on this listener.
            "token_bucket": bucket(),
            "always_consume_default_token_bucket": false,
            "rate_limits": list![map! { "actions": list![client] }],
            "descriptors": list![map! {
                "entries": list![map! { "key": "masked_remote_address" }],
                "token_bucket": bucket(),
            }],
            "max_dynamic_descriptors": RATE_LIMITED_CLIENTS,
            "response_headers_to_add": list![header],
        },
    }
}

fn wasm(options: &Options, plugin_configuration: &str) -> Tree {
    let vm = map! {
        "vm_id": "registry-auth",
        "runtime": "envoy.wasm.runtime.v8",
        "code": map! { "local": map! { "filename": options.wasm.display().to_string() } },
        "environment_variables": map! { "host_env_keys": list![Environment::INSECURE_HTTP] },
    };
    map! {
        "name": "envoy.filters.http.wasm",
        "typed_config": map! {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": map! {
                "name": "registry-auth",
                "root_id": "registry-auth",
                "failure_policy": "FAIL_RELOAD",
                "vm_config": vm,
                "configuration": map! {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": plugin_configuration,
                },
            },
        },
    }
}

fn access_log() -> Tree {
    let format = "%START_TIME% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %REQ(:METHOD)% %PATH(NQ:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% \
                  %BYTES_SENT% %DURATION%\n";
    list![map! {
        "name": "envoy.access_loggers.stdout",
        "typed_config": map! {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            "log_format": map! { "text_format_source": map! { "inline_string": format } },
        },
    }]
}
