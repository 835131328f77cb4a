//! `render envoy`.

use std::path::Path;

use super::{LOCAL, SEEDS, cluster, directory, filter_configuration, render, rendered, seed, stderr, write};

#[test]
fn rendered_files_are_the_golden_ones() {
    for name in SEEDS {
        let more = ["--admin", "127.0.0.1:9901", "--rate-limit", "50"];
        let (text, _) = rendered(&seed(name), &more);
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/envoy-{name}.yaml"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, &text).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        assert!(
            text == expected,
            "{} differs: rewrite it with UPDATE_GOLDEN=1 and look at the difference",
            golden.display()
        );
    }
}

#[test]
fn each_provider_and_purpose_has_an_upstream_of_its_own() {
    let (_, complete) = rendered(&seed("complete"), &[]);
    let configuration = filter_configuration(&complete);
    let overrides = configuration.pointer("/filter/upstreams/overrides").unwrap();
    let entry = |provider: &str, purpose: &str, origin: &str| {
        let name = format!("{provider}-{purpose}");
        serde_json::json!({"provider": provider, "purpose": purpose, "origin": origin, "name": name})
    };
    let keycloak = "https://keycloak.example.com";
    let expected = [entry("keycloak-prod", "keys", keycloak), entry("keycloak-staging", "keys", keycloak)];
    assert_eq!(overrides.as_array().unwrap(), &expected);
    assert_eq!(configuration.pointer("/filter/sharedData").unwrap(), true);
    let ca = |name: &str| {
        let validation =
            "/transport_socket/typed_config/common_tls_context/validation_context/trusted_ca/filename";
        cluster(&complete, name).unwrap().pointer(validation).unwrap().as_str().unwrap().to_owned()
    };
    assert_eq!(ca("keycloak-prod-keys"), "/etc/ssl/certs/keycloak-ca.crt");
    assert_eq!(ca("keycloak-staging-keys"), "/etc/ssl/certs/ca-certificates.crt");

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
    let validation = literal.pointer("/common_tls_context/validation_context").unwrap();
    let expected = serde_json::json!([{"san_type": "IP_ADDRESS", "matcher": {"exact": "::1"}}]);
    assert_eq!(validation["match_typed_subject_alt_names"], expected);
    let ca = std::path::absolute(directory.join("certs/ca.pem")).unwrap();
    assert_eq!(
        validation["trusted_ca"]["filename"],
        ca.to_str().unwrap(),
        "relative names start at the configuration"
    );
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
    assert_eq!(filter["upstreams"]["overrides"][0]["name"], "keycloak-keys");
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
fn what_is_not_rendered_yet_is_said() {
    let directory = directory("unrendered");
    let output = render(&write(&directory, "config.yaml", LOCAL), &[]);
    for part in
        ["authTokenFile: is not rendered yet", "clientSecretFile: is not rendered yet", "loopback host"]
    {
        assert!(stderr(&output).contains(part), "{}", stderr(&output));
    }
    let complete = stderr(&render(&seed("complete"), &[]));
    assert!(!complete.contains("clientSecretFile"), "without introspectionUrl nothing needs it: {complete}");
    assert!(complete.contains("what names resolve to is not checked"), "{complete}");
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
