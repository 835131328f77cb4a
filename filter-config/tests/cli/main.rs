//! The command line, as its users see it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod check;
mod render;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

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
    command.args(arguments).env_remove("REGISTRY_AUTH_INSECURE_HTTP");
    command
}

fn check(file: &Path, more: &[&str]) -> Output {
    command(&["check", "--config"]).arg(file).args(more).output().unwrap()
}

fn render(file: &Path, more: &[&str]) -> Output {
    // Tests run side by side.
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let sds = directory(&format!("sds-{}", CALLS.fetch_add(1, Ordering::Relaxed)));
    render_beside(&sds, file, more)
}

/// With files beside the bootstrap in `sds`.
fn render_beside(sds: &Path, file: &Path, more: &[&str]) -> Output {
    let options = ["--wasm", "/opt/registry-auth/filter.wasm", "--listen", "0.0.0.0:8080", "--sds-dir"];
    let mut command = command(&["render", "envoy", "--config"]);
    command.arg(file).args(options).arg(sds);
    if !more.contains(&"--backend") {
        command.args(["--backend", "http://127.0.0.1:8090"]);
    }
    command.args(more).output().unwrap()
}

#[track_caller]
fn rendered(file: &Path, more: &[&str]) -> (String, serde_json::Value) {
    read(render(file, more))
}

#[track_caller]
fn read(output: Output) -> (String, serde_json::Value) {
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
        .pointer("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters")
        .and_then(|filters| filters.as_array())
        .unwrap();
    let wasm = filters.iter().find(|filter| filter["name"] == "envoy.filters.http.wasm").unwrap();
    let text = wasm.pointer("/typed_config/config/configuration/value").unwrap().as_str().unwrap();
    serde_json::from_str(text).unwrap()
}

fn cluster<'b>(bootstrap: &'b serde_json::Value, name: &str) -> Option<&'b serde_json::Value> {
    let clusters = bootstrap.pointer("/static_resources/clusters").unwrap().as_array().unwrap();
    clusters.iter().find(|cluster| cluster["name"] == name)
}

/// The typed configurations of a cluster's upstream HTTP filters, by name.
fn upstream_filters(bootstrap: &serde_json::Value, name: &str) -> Vec<(String, serde_json::Value)> {
    let options = &cluster(bootstrap, name).unwrap()["typed_extension_protocol_options"];
    let filters = &options["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]["http_filters"];
    let entry = |filter: &serde_json::Value| {
        let name = filter["name"].as_str().unwrap().rsplit('.').next().unwrap().to_owned();
        (name, filter["typed_config"].clone())
    };
    filters.as_array().map(|filters| filters.iter().map(entry).collect()).unwrap_or_default()
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
