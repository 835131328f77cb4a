//! The command line, as its users see it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SEEDS: [&str; 5] = ["anonymous", "basic", "complete", "kubernetes", "opaque"];

fn seed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/seed/{name}.yaml"))
}

/// A directory of this test's own, emptied.
fn directory(test: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let file = directory.join(name);
    std::fs::write(&file, text).unwrap();
    file
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_filter-config"));
    command
        .args(arguments)
        .env_remove("REGISTRY_AUTH_INSECURE_HTTP");
    command
}

fn check(file: &Path, more: &[&str]) -> Output {
    command(&["check", "--config"])
        .arg(file)
        .args(more)
        .output()
        .unwrap()
}

fn render(file: &Path, more: &[&str]) -> Output {
    let options = [
        "--wasm",
        "/opt/registry-auth/filter.wasm",
        "--listen",
        "0.0.0.0:8080",
    ];
    let mut command = command(&["render", "envoy", "--config"]);
    command.arg(file).args(options);
    if !more.contains(&"--backend") {
        command.args(["--backend", "http://127.0.0.1:8090"]);
    }
    command.args(more).output().unwrap()
}

#[track_caller]
fn rendered(file: &Path, more: &[&str]) -> (String, serde_json::Value) {
    let output = render(file, more);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let value = serde_saphyr::from_str(&text).unwrap();
    (text, value)
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn filter_configuration(bootstrap: &serde_json::Value) -> serde_json::Value {
    let filters = bootstrap
        .pointer(
            "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters",
        )
        .and_then(|filters| filters.as_array())
        .unwrap();
    let wasm = filters
        .iter()
        .find(|filter| filter["name"] == "envoy.filters.http.wasm")
        .unwrap();
    let text = wasm
        .pointer("/typed_config/config/configuration/value")
        .unwrap()
        .as_str()
        .unwrap();
    serde_json::from_str(text).unwrap()
}

fn cluster<'b>(bootstrap: &'b serde_json::Value, name: &str) -> Option<&'b serde_json::Value> {
    let clusters = bootstrap
        .pointer("/static_resources/clusters")
        .unwrap()
        .as_array()
        .unwrap();
    clusters.iter().find(|cluster| cluster["name"] == name)
}

const LOCAL: &str = "
auth:
  oauth:
    resourceUrl: http://localhost:8080
    providers:
      - name: dev
        issuerUrl: http://localhost:9000/realms/a
        audience: registry-api
        introspectionUrl: https://[::1]:9443/introspect
        caCertPath: certs/ca.pem
        clientId: me
        clientSecretFile: secret
        authTokenFile: token
";

#[test]
fn every_seed_document_passes() {
    for name in SEEDS {
        let output = check(&seed(name), &[]);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", stderr(&output));
        assert!(String::from_utf8(output.stdout).unwrap().contains(": ok ("));
    }
}

#[test]
fn all_errors_are_reported_at_once() {
    let directory = directory("all_errors");
    let text = "auth:\n  oauth:\n    resourceUrl: registry.example.com\n    provider: []\n    providers:\n      - {name: a, issuerUrl: 'https://u:hunter2@a.example', \
                audiance: x}\ndatabase: {password: hunter2}\n";
    let output = check(&write(&directory, "config.yaml", text), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let errors = stderr(&output);
    assert_eq!(errors.lines().count(), 5, "{errors}");
    assert!(
        errors
            .lines()
            .all(|line| line.starts_with("error: auth.oauth.")),
        "{errors}"
    );
    assert!(
        errors.contains("auth.oauth.providers[0].audiance: ")
            && errors.contains("did you mean audience?"),
        "{errors}"
    );
    assert!(!errors.contains("hunter2"), "{errors}");
}

#[test]
fn what_is_no_document_is_an_error_and_what_cannot_be_read_is_another() {
    let directory = directory("no_document");
    for (name, text) in [
        ("empty.yaml", ""),
        ("twice.yaml", "auth: {}\nauth: {}\n"),
        ("open.yaml", "auth: ["),
        ("list.yaml", "- auth\n"),
    ] {
        let output = check(&write(&directory, name, text), &[]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(stderr(&output).starts_with("error: "), "{name}");
    }
    std::fs::write(directory.join("latin1.yaml"), b"auth: \xfc").unwrap();
    assert_eq!(
        check(&directory.join("latin1.yaml"), &[]).status.code(),
        Some(1)
    );
    for file in [directory.join("missing.yaml"), directory.clone()] {
        let output = check(&file, &[]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("cannot be read"));
        assert_eq!(render(&file, &[]).status.code(), Some(2));
    }
}

#[test]
fn wrong_usage_is_2() {
    let config = seed("basic");
    let config = config.to_str().unwrap();
    for arguments in [
        vec![],
        vec!["check"],
        vec!["check", config],
        vec!["check", "--config", config, "--nope"],
        vec!["render", "nginx", "--config", config],
        vec!["render", "envoy", "--config", config],
    ] {
        assert_eq!(
            command(&arguments).output().unwrap().status.code(),
            Some(2),
            "{arguments:?}"
        );
    }
    for more in [
        vec!["--rate-limit", "0"],
        vec!["--rate-limit", "many"],
        vec!["--admin", "localhost"],
        vec!["--admin", "example.com:80"],
        vec!["--admin", "::1:80"],
        vec!["--tls-cert", "chain.pem"],
        vec!["--backend", "127.0.0.1:8090"],
        vec!["--backend", "http://127.0.0.1:8090/path"],
        vec!["--backend", "http://user:secret@registry.example"],
    ] {
        let output = render(&seed("basic"), &more);
        assert_eq!(output.status.code(), Some(2), "{more:?}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn insecure_http_comes_from_the_environment_only() {
    let directory = directory("insecure");
    let text = std::fs::read_to_string(seed("basic"))
        .unwrap()
        .replace("https://keycloak", "http://keycloak");
    let file = write(&directory, "config.yaml", &text);
    assert_eq!(check(&file, &[]).status.code(), Some(1));
    for (value, code) in [("true", 0), ("1", 1), ("TRUE", 1), ("", 1)] {
        let status = command(&["check", "--config"])
            .arg(&file)
            .env("REGISTRY_AUTH_INSECURE_HTTP", value)
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(code), "{value:?}");
    }
    let rendered = command(&[
        "render",
        "envoy",
        "--wasm",
        "/f.wasm",
        "--listen",
        ":80",
        "--backend",
        "http://b.example",
        "--config",
    ])
    .arg(&file)
    .env("REGISTRY_AUTH_INSECURE_HTTP", "true")
    .output()
    .unwrap();
    let text = String::from_utf8(rendered.stdout).unwrap();
    assert!(
        !text.contains("INSECURE_HTTP=true") && text.contains("Plain http"),
        "{text}"
    );
}

#[test]
fn referenced_files_are_warnings_or_errors() {
    let directory = directory("files");
    let config = write(&directory, "config.yaml", LOCAL);
    let output = check(&config, &[]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        stderr(&output).matches("cannot be read").count(),
        3,
        "{}",
        stderr(&output)
    );
    assert_eq!(check(&config, &["--files"]).status.code(), Some(1));

    std::fs::create_dir(directory.join("certs")).unwrap();
    let certificate = "-----BEGIN CERTIFICATE-----\nMIGAMA==\n-----END CERTIFICATE-----\n";
    let good: String = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        base64_sequence()
    );
    write(&directory, "secret", "s3cr3t of two words\n");
    write(&directory, "token", "  abc.def.ghi\n");
    write(
        &directory,
        "certs/ca.pem",
        &format!("# roots\n{good}{good}"),
    );
    let output = check(&config, &["--files"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));

    for (file, text, fault) in [
        ("secret", String::new(), "is empty"),
        ("secret", " \n\t".to_owned(), "is empty"),
        (
            "secret",
            "hunter2\nhunter2".to_owned(),
            "control characters",
        ),
        ("secret", "x".repeat(64 * 1024 + 1), "longer than 64 KiB"),
        ("token", "hunter2 hunter2".to_owned(), "blanks"),
        ("token", "hunter\u{fc}".to_owned(), "blanks"),
        ("certs/ca.pem", String::new(), "no PEM certificate"),
        ("certs/ca.pem", "hunter2".to_owned(), "no PEM certificate"),
        ("certs/ca.pem", certificate.to_owned(), "no PEM certificate"),
        (
            "certs/ca.pem",
            good.replace("END", "ND"),
            "no PEM certificate",
        ),
        (
            "certs/ca.pem",
            good.replace("CERTIFICATE", "PRIVATE KEY"),
            "no PEM certificate",
        ),
    ] {
        let before = std::fs::read_to_string(directory.join(file)).unwrap();
        write(&directory, file, &text);
        let output = check(&config, &["--files"]);
        assert_eq!(output.status.code(), Some(1), "{file}: {text:.40}");
        let errors = stderr(&output);
        assert!(
            errors.contains(fault) && errors.contains("error: auth.oauth.providers[0]."),
            "{errors}"
        );
        assert!(!errors.contains("hunter2"), "{errors}");
        write(&directory, file, &before);
    }
}

/// 130 bytes of DER, `SEQUENCE` of 127 zeros with a long length, as base64.
fn base64_sequence() -> String {
    format!("MIF/{}", "A".repeat(127 / 3 * 4)) + "AA=="
}

#[test]
fn rendered_files_are_the_golden_ones() {
    for name in SEEDS {
        let more = ["--admin", "127.0.0.1:9901", "--rate-limit", "50"];
        let (text, _) = rendered(&seed(name), &more);
        let golden =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/envoy-{name}.yaml"));
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
    let overrides = configuration
        .pointer("/filter/upstreams/overrides")
        .unwrap();
    let entry = |provider: &str, purpose: &str, origin: &str| {
        let name = format!("{provider}-{purpose}");
        serde_json::json!({"provider": provider, "purpose": purpose, "origin": origin, "name": name})
    };
    let keycloak = "https://keycloak.example.com";
    let expected = [
        entry("keycloak-prod", "keys", keycloak),
        entry("keycloak-staging", "keys", keycloak),
    ];
    assert_eq!(overrides.as_array().unwrap(), &expected);
    assert_eq!(configuration.pointer("/filter/sharedData").unwrap(), true);
    let ca = |name: &str| {
        let validation = "/transport_socket/typed_config/common_tls_context/validation_context/trusted_ca/filename";
        cluster(&complete, name)
            .unwrap()
            .pointer(validation)
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(ca("keycloak-prod-keys"), "/etc/ssl/certs/keycloak-ca.crt");
    assert_eq!(
        ca("keycloak-staging-keys"),
        "/etc/ssl/certs/ca-certificates.crt"
    );

    let (_, google) = rendered(&seed("opaque"), &[]);
    let overrides = filter_configuration(&google);
    let overrides = overrides
        .pointer("/filter/upstreams/overrides")
        .unwrap()
        .as_array()
        .unwrap()
        .clone();
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
    assert_eq!(
        anonymous
            .pointer("/static_resources/clusters")
            .unwrap()
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn every_https_cluster_verifies_a_name_and_no_http_cluster_speaks_tls() {
    let directory = directory("tls");
    let config = write(&directory, "config.yaml", LOCAL);
    let (_, local) = rendered(&config, &["--backend", "https://registry.example:8443"]);
    assert!(
        cluster(&local, "dev-keys")
            .unwrap()
            .get("transport_socket")
            .is_none()
    );
    let context = |name: &str| {
        cluster(&local, name)
            .unwrap()
            .pointer("/transport_socket/typed_config")
            .unwrap()
            .clone()
    };
    let backend = context("registry");
    assert_eq!(
        (&backend["sni"], &backend["auto_sni_san_validation"]),
        (&"registry.example".into(), &true.into())
    );
    let literal = context("dev-introspection");
    assert!(literal.get("sni").is_none());
    let validation = literal
        .pointer("/common_tls_context/validation_context")
        .unwrap();
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
    assert_eq!(
        (&filter["calloutTimeout"], &filter["sharedData"]),
        (&"2s".into(), &true.into())
    );
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
    for part in [
        "authTokenFile: is not rendered yet",
        "clientSecretFile: is not rendered yet",
        "loopback host",
    ] {
        assert!(stderr(&output).contains(part), "{}", stderr(&output));
    }
    let complete = stderr(&render(&seed("complete"), &[]));
    assert!(
        !complete.contains("clientSecretFile"),
        "without introspectionUrl nothing needs it: {complete}"
    );
    assert!(
        complete.contains("what names resolve to is not checked"),
        "{complete}"
    );
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
    let at = |pointer: &str| {
        value
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{pointer}"))
            .clone()
    };
    assert_eq!(at("/admin/address/socket_address/address"), "::1");
    assert_eq!(
        at("/overload_manager/resource_monitors/0/typed_config/max_active_downstream_connections"),
        7
    );
    let chain = "/static_resources/listeners/0/filter_chains/0";
    assert_eq!(
        at(&format!(
            "{chain}/filters/0/typed_config/xff_num_trusted_hops"
        )),
        2
    );
    assert!(at(&format!("{chain}/filters/0/typed_config/access_log")).is_array());
    let certificate = format!(
        "{chain}/transport_socket/typed_config/common_tls_context/tls_certificates/0/certificate_chain/filename"
    );
    assert_eq!(at(&certificate), "/c.pem");
    let (_, plain) = rendered(&seed("basic"), &[]);
    assert!(plain.get("admin").is_none());
    assert!(
        plain
            .pointer(&format!("{chain}/transport_socket"))
            .is_none()
    );
    assert!(!plain.to_string().contains("local_ratelimit"));
}
