//! `render envoy`.

use std::path::Path;

use super::{
    LOCAL, SEEDS, cluster, command, directory, filter_configuration, read, render_beside, rendered, seed,
    stderr, upstream_filters, write,
};

/// Where the golden files have what belongs beside them.
const SDS: &str = "/etc/envoy/sds";

#[test]
fn rendered_files_are_the_golden_ones() {
    for name in SEEDS {
        let sds = directory(&format!("golden-{name}"));
        let output = render_beside(&sds, &seed(name), &["--admin", "127.0.0.1:9901", "--rate-limit", "50"]);
        let text = read(output).0.replace(sds.to_str().unwrap(), SDS);
        let mut files: Vec<_> = std::fs::read_dir(&sds).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        let beside: String = files
            .iter()
            .map(|file| {
                let name = file.file_name().unwrap().to_str().unwrap();
                format!("## {SDS}/{name}\n{}", std::fs::read_to_string(file).unwrap())
            })
            .collect();
        is_golden(&format!("envoy-{name}.yaml"), &text);
        is_golden(&format!("envoy-{name}-sds.txt"), &beside);
    }
}

fn is_golden(name: &str, text: &str) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        if text.is_empty() {
            let _ = std::fs::remove_file(&golden);
        } else {
            std::fs::write(&golden, text).unwrap();
        }
    }
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(
        text == expected,
        "{} differs: rewrite it with UPDATE_GOLDEN=1 and look at the difference",
        golden.display()
    );
}

#[test]
fn each_provider_and_purpose_has_an_upstream_of_its_own() {
    let (_, complete) = rendered(&seed("complete"), &[]);
    let configuration = filter_configuration(&complete);
    let overrides = configuration.pointer("/filter/upstreams/overrides").unwrap();
    let entry = |provider: &str, purpose: &str, origin: &str| {
        let name = format!("{provider}-{purpose}-callout");
        serde_json::json!({"provider": provider, "purpose": purpose, "origin": origin, "name": name})
    };
    let keycloak = "https://keycloak.example.com";
    let expected = [entry("keycloak-prod", "keys", keycloak), entry("keycloak-staging", "keys", keycloak)];
    assert_eq!(overrides.as_array().unwrap(), &expected);
    assert_eq!(configuration.pointer("/filter/sharedData").unwrap(), true);
    let ca = |name: &str, pointer: &str| {
        let context =
            cluster(&complete, name).unwrap().pointer("/transport_socket/typed_config/common_tls_context");
        context.unwrap().pointer(pointer).unwrap().as_str().unwrap().to_owned()
    };
    let own = "/combined_validation_context/validation_context_sds_secret_config/name";
    assert_eq!(ca("keycloak-prod-keys", own), "keycloak-prod-ca");
    let system = "/validation_context/trusted_ca/filename";
    assert_eq!(ca("keycloak-staging-keys", system), "/etc/ssl/certs/ca-certificates.crt");

    let (_, google) = rendered(&seed("opaque"), &[]);
    let overrides = filter_configuration(&google);
    let overrides = overrides.pointer("/filter/upstreams/overrides").unwrap().as_array().unwrap().clone();
    assert_eq!(
        overrides,
        [
            entry("google", "keys", "https://accounts.google.com"),
            entry("google", "introspection", "https://oauth2.googleapis.com"),
        ]
    );
    let (_, kubernetes) = rendered(&seed("kubernetes"), &[]);
    let sni = cluster(&kubernetes, "kubernetes-keys")
        .unwrap()
        .pointer("/transport_socket/typed_config/sni")
        .unwrap();
    assert_eq!(sni, "kubernetes.default.svc", "jwksUrl skips discovery");
    let (_, anonymous) = rendered(&seed("anonymous"), &[]);
    assert_eq!(anonymous.pointer("/static_resources/clusters").unwrap().as_array().unwrap().len(), 1);
}

#[test]
fn every_https_cluster_verifies_a_name_and_no_http_cluster_speaks_tls() {
    let directory = directory("tls");
    let config = write(&directory, "config.yaml", LOCAL);
    let (_, local) = rendered(&config, &["--backend", "https://registry.example:8443"]);
    assert!(cluster(&local, "dev-keys").unwrap().get("transport_socket").is_none());
    let context = |name: &str| {
        cluster(&local, name).unwrap().pointer("/transport_socket/typed_config").unwrap().clone()
    };
    let backend = context("registry");
    assert_eq!(
        (&backend["sni"], &backend["auto_sni_san_validation"]),
        (&"registry.example".into(), &true.into())
    );
    let literal = context("dev-introspection");
    assert!(literal.get("sni").is_none());
    let validation = literal.pointer("/common_tls_context/combined_validation_context").unwrap();
    let expected = serde_json::json!([{"san_type": "IP_ADDRESS", "matcher": {"exact": "::1"}}]);
    assert_eq!(validation["default_validation_context"]["match_typed_subject_alt_names"], expected);
    let reference = "/validation_context_sds_secret_config/sds_config/path_config_source/path";
    let sds_file = std::fs::read_to_string(validation.pointer(reference).unwrap().as_str().unwrap()).unwrap();
    let ca = std::path::absolute(directory.join("certs/ca.pem")).unwrap();
    assert!(sds_file.contains(ca.to_str().unwrap()), "relative names start at the configuration: {sds_file}");
}

#[test]
fn nothing_but_auth_and_filter_is_rendered() {
    let directory = directory("secrets");
    let text = format!(
        "{}database:\n  url: postgres://u:hunter2@db.example/x\nfilter:\n  calloutTimeout: 2s\n  sharedData: false\n  upstreams:\n    template: '{{host}}'\n    \
         overrides:\n      - {{provider: keycloak, name: mine, origin: 'https://keys.example'}}\n",
        std::fs::read_to_string(seed("basic")).unwrap()
    );
    let (text, value) = rendered(&write(&directory, "config.yaml", &text), &[]);
    assert!(!text.contains("hunter2") && !text.contains("database"));
    let filter = filter_configuration(&value)["filter"].clone();
    assert_eq!((&filter["calloutTimeout"], &filter["sharedData"]), (&"2s".into(), &true.into()));
    assert_eq!(filter["upstreams"]["template"], "{host}");
    assert_eq!(filter["upstreams"]["overrides"][0]["name"], "keycloak-keys-callout");
    assert_eq!(filter["upstreams"]["overrides"][1]["name"], "mine");
}

#[test]
fn the_filter_accepts_what_is_rendered_for_it() {
    for name in SEEDS {
        let (_, value) = rendered(&seed(name), &[]);
        let configuration = filter_configuration(&value);
        let loaded = registry_auth::config::load_filter(
            &configuration,
            &registry_auth::config::Environment::default(),
        );
        assert!(loaded.is_ok(), "{name}");
    }
}

#[test]
fn what_refers_to_files_that_change_is_written_beside_the_configuration_by_default() {
    let directory = directory("no-sds");
    let copied = |name: &str| std::fs::read_to_string(seed(name)).unwrap();
    for (text, written) in [
        (copied("kubernetes"), true),
        (copied("complete"), true),
        (LOCAL.to_owned(), true),
        (copied("basic"), false),
        (copied("anonymous"), false),
    ] {
        let sds = directory.join("envoy-sds");
        let _ = std::fs::remove_dir_all(&sds);
        let file = write(&directory, "config.yaml", &text);
        let options = ["--wasm", "/f.wasm", "--listen", ":80", "--backend", "http://b.example", "--config"];
        let output = command(&["render", "envoy"]).args(options).arg(&file).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let bootstrap = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!((sds.exists(), bootstrap.contains(sds.to_str().unwrap())), (written, written), "{text}");
    }
    // Where files cannot be written there is no bootstrap either: it would refer to nothing.
    let in_the_way = write(&directory, "file", "");
    let output = render_beside(&in_the_way, &seed("kubernetes"), &[]);
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(2), true), "{}", stderr(&output));
}

#[test]
fn credentials_are_added_by_their_own_providers_clusters_only() {
    let names = |bootstrap: &serde_json::Value, name: &str| -> Vec<String> {
        upstream_filters(bootstrap, name).into_iter().map(|(name, _)| name).collect()
    };
    let checked = ["upstream_rbac", "upstream_codec"];
    let with_credential = ["upstream_rbac", "credential_injector", "lua", "upstream_codec"];
    let (_, kubernetes) = rendered(&seed("kubernetes"), &[]);
    assert_eq!(names(&kubernetes, "kubernetes-keys"), with_credential);
    for cluster in ["registry", "kubernetes-keys-callout"] {
        assert!(names(&kubernetes, cluster).is_empty(), "{cluster}");
    }
    let (complete_text, complete) = rendered(&seed("complete"), &[]);
    for cluster in ["keycloak-prod-keys", "keycloak-staging-keys"] {
        assert_eq!(names(&complete, cluster), checked, "the client's secret is for introspection");
    }
    assert!(!complete_text.contains("client-secret"));

    let directory = directory("credentials");
    let (_, local) = rendered(&write(&directory, "config.yaml", LOCAL), &[]);
    let last = ["credential_injector", "lua", "upstream_codec"];
    for (cluster, secret, made) in
        [("dev-keys", "dev-auth-token", "Bearer "), ("dev-introspection", "dev-client-secret", "Basic ")]
    {
        assert_eq!(names(&local, cluster), last, "addresses written in URLs were judged");
        let filters = upstream_filters(&local, cluster);
        assert_eq!(filters[0].1["overwrite"], true);
        assert_eq!(filters[0].1.pointer("/credential/typed_config/credential/name").unwrap(), secret);
        assert!(filters[1].1.to_string().contains(made));
    }
}

#[test]
fn a_client_id_cannot_break_out_of_the_script() {
    let directory = directory("client-id");
    for (id, literal) in [
        ("a\"..os.exit()..\"", "a%22..os.exit%28%29..%22:"),
        ("]]--\\n%d", "%5D%5D--%5Cn%25d:"),
        ("f(:ü", "f%28%3A%C3%BC:"),
    ] {
        let document = LOCAL.replace("clientId: me", &format!("clientId: {}", serde_json::json!(id)));
        let (_, local) = rendered(&write(&directory, "config.yaml", &document), &[]);
        let script = upstream_filters(&local, "dev-introspection")[1].1.clone();
        let script = script["default_source_code"]["inline_string"].as_str().unwrap().to_owned();
        assert!(script.contains(&format!("base64Escape(\"{literal}\" .. encode(secret))")), "{script}");
    }
}

#[test]
fn names_are_reached_through_a_listener_that_has_their_addresses_checked() {
    let (_, basic) = rendered(&seed("basic"), &[]);
    let listeners = basic.pointer("/static_resources/listeners").unwrap().as_array().unwrap();
    let inner = listeners.iter().find(|listener| listener["name"] == "keycloak-keys-callout").unwrap();
    assert!(inner["internal_listener"].is_object() && inner.get("address").is_none());
    let route =
        inner.pointer("/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts/0").unwrap();
    assert_eq!(route["domains"], serde_json::json!(["keycloak.example.com"]));
    assert_eq!(route.pointer("/routes/0/route/cluster").unwrap(), "keycloak-keys");
    let entrance = cluster(&basic, "keycloak-keys-callout").unwrap();
    let endpoint = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/envoy_internal_address";
    assert_eq!(entrance.pointer(endpoint).unwrap()["server_listener_name"], "keycloak-keys-callout");
    let dns = cluster(&basic, "keycloak-keys").unwrap().pointer("/cluster_type/typed_config").unwrap();
    assert_eq!(dns["all_addresses_in_single_endpoint"], false, "only a host's first address is judged");
    assert!(basic["bootstrap_extensions"].is_array());

    let lists = |bootstrap: &serde_json::Value, cluster: &str| {
        let rules = upstream_filters(bootstrap, cluster)[0].1["rules"].clone();
        assert_eq!(rules["action"], "ALLOW", "what is not known is refused");
        let rules =
            rules.pointer("/policies/permitted-addresses/permissions/0/and_rules/rules").unwrap().clone();
        [rules[0].clone(), rules[1]["not_rule"].clone()].map(|any| {
            let rules = any["or_rules"]["rules"].as_array().unwrap().clone();
            let block = |rule: &serde_json::Value| {
                let ip = rule.pointer("/matcher/typed_config/upstream_ip").unwrap();
                format!("{}/{}", ip["address_prefix"].as_str().unwrap(), ip["prefix_len"])
            };
            rules.iter().map(block).collect::<Vec<String>>()
        })
    };
    let [permitted, refused] = lists(&basic, "keycloak-keys");
    assert_eq!(permitted, ["0.0.0.0/0", "2000::/3"]);
    for block in ["127.0.0.0/8", "10.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10", "224.0.0.0/4", "2002::/16"]
    {
        assert!(refused.iter().any(|refused| refused == block), "{block}");
    }
    let (_, kubernetes) = rendered(&seed("kubernetes"), &[]);
    let [permitted, refused] = lists(&kubernetes, "kubernetes-keys");
    assert_eq!(permitted, ["0.0.0.0/0", "::1/128", "fc00::/7", "2000::/3"]);
    assert!(!refused.iter().any(|block| block == "10.0.0.0/8" || block == "127.0.0.0/8"));
    assert!(refused.iter().any(|block| block == "169.254.0.0/16"));

    // The local host was judged as it is written.
    let directory = directory("direct");
    let (text, local) = rendered(&write(&directory, "config.yaml", LOCAL), &[]);
    assert!(!text.contains("-callout") && local.get("bootstrap_extensions").is_none());
}

#[test]
fn options_find_their_place() {
    let more = [
        "--admin",
        "[::1]:9901",
        "--trusted-hops",
        "2",
        "--max-connections",
        "7",
        "--access-log",
        "--tls-cert",
        "/c.pem",
        "--tls-key",
        "/k.pem",
        "--system-ca",
        "/roots.pem",
    ];
    let (_, value) = rendered(&seed("basic"), &more);
    let at = |pointer: &str| value.pointer(pointer).unwrap_or_else(|| panic!("{pointer}")).clone();
    assert_eq!(at("/admin/address/socket_address/address"), "::1");
    assert_eq!(at("/overload_manager/resource_monitors/0/typed_config/max_active_downstream_connections"), 7);
    let chain = "/static_resources/listeners/0/filter_chains/0";
    assert_eq!(at(&format!("{chain}/filters/0/typed_config/xff_num_trusted_hops")), 2);
    assert!(at(&format!("{chain}/filters/0/typed_config/access_log")).is_array());
    let certificate = format!(
        "{chain}/transport_socket/typed_config/common_tls_context/tls_certificates/0/certificate_chain/filename"
    );
    assert_eq!(at(&certificate), "/c.pem");
    let (_, plain) = rendered(&seed("basic"), &[]);
    assert!(plain.get("admin").is_none());
    assert!(plain.pointer(&format!("{chain}/transport_socket")).is_none());
    assert!(!plain.to_string().contains("local_ratelimit"));
}
