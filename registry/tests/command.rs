//! The `registry` command: what it refuses, and how it ends.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    missing_docs
)]

#[path = "auth/provider.rs"]
#[allow(dead_code, unreachable_pub)]
mod provider;
mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use provider::Provider;
use support::{data, get, raw};
use tempfile::TempDir;

const ANONYMOUS: &str = "auth: {mode: anonymous}";
const OAUTH: &str = "
auth:
  mode: oauth
  oauth:
    resourceUrl: https://registry.example.com
    providers: [{name: p, issuerUrl: 'https://idp.example.com', audience: registry-api}]
";

/// A directory with `config.yaml` and the catalog it names.
fn directory(auth: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::copy(data("catalog-large.json"), directory.path().join("catalog.json")).unwrap();
    let text = format!(
        "{auth}\naddress: 127.0.0.1:0\ninternalAddress: 127.0.0.1:0\nsources: [{{name: s, file: {{path: catalog.json}}}}]\nregistries: [{{name: default, sources: [s]}}]\n"
    );
    fs::write(directory.path().join("config.yaml"), text).unwrap();
    directory
}

fn command(directory: &TempDir, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_registry"));
    command.arg("serve").arg("--config").arg(directory.path().join("config.yaml")).args(args);
    for name in [
        "REGISTRY_CONFIG",
        "REGISTRY_ADDRESS",
        "REGISTRY_INTERNAL_ADDRESS",
        "REGISTRY_AUTH_MODE",
        "REGISTRY_LOG",
    ] {
        command.env_remove(name);
    }
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A running command; killed when a test fails.
struct Served {
    child: Child,
    log: BufReader<ChildStderr>,
    lines: Vec<String>,
    public: SocketAddr,
    internal: SocketAddr,
}

impl Served {
    /// Starts it and waits until it listens.
    fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut served = Self {
            log: BufReader::new(child.stderr.take().unwrap()),
            child,
            lines: Vec::new(),
            public: unknown,
            internal: unknown,
        };
        while served.internal == unknown {
            let mut line = String::new();
            assert!(served.log.read_line(&mut line).unwrap() > 0, "{:#?}", served.lines);
            let address = |key: &str| {
                let (_, rest) = line.split_once(&format!(" {key}="))?;
                rest.split_whitespace().next()?.parse().ok()
            };
            if let (Some(public), Some(internal)) = (address("public"), address("internal")) {
                (served.public, served.internal) = (public, internal);
            }
            served.lines.push(line);
        }
        served
    }

    fn signal(&self, name: &str) {
        let status = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", name, &self.child.id().to_string()])
            .status();
        assert!(status.unwrap().success());
    }

    /// The exit code and the whole log.
    fn end(mut self) -> (Option<i32>, String) {
        for line in self.log.by_ref().lines() {
            self.lines.push(line.unwrap());
        }
        (self.child.wait().unwrap().code(), self.lines.concat())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_catalog_is_served_until_a_signal_comes() {
    for signal in ["TERM", "INT"] {
        let directory = directory(ANONYMOUS);
        let served = Served::start(&mut command(&directory, &[]));
        let list = get(served.public, "/registry/default/v0.1/servers").await;
        assert_eq!(list.json()["metadata"]["count"], 30);
        assert_eq!(get(served.internal, "/readiness").await.status, 200);
        served.signal(signal);
        let (code, log) = served.end();
        assert_eq!(code, Some(0), "{log}");
    }
}

#[test]
fn an_oauth_document_is_not_served_unprotected() {
    for auth in ["", "auth: {}", "auth: {oauth: {}}"] {
        let output = command(&directory(auth), &[]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{auth}");
        assert!(stderr(&output).contains("config.yaml: auth"), "{}", stderr(&output));
    }
    let output = command(&directory(ANONYMOUS), &["--auth-mode", "oauth"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("config.yaml: auth"), "{}", stderr(&output));
}

#[test]
fn files_that_auth_names_must_be_usable() {
    let auth = OAUTH.replace("audience:", "caCertPath: ca.crt, clientSecretFile: pasted-secret, audience:");
    let output = command(&directory(&auth), &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    for part in [
        "config.yaml: auth.oauth.providers[0].caCertPath: ",
        "config.yaml: auth.oauth.providers[0].clientSecretFile: ",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("pasted"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oauth_document_is_enforced_counted_and_logged() {
    let provider = Provider::start(1).await;
    for (document, args) in [("oauth", &[][..]), ("anonymous", &["--auth-mode", "oauth"])] {
        let auth = OAUTH
            .replace("https://idp.example.com", provider.issuer())
            .replace("mode: oauth", &format!("mode: {document}"));
        let directory = directory(&auth);
        let served = Served::start(&mut command(&directory, args));
        let path = "/registry/default/v0.1/servers";
        for path in [path, "/", "/nowhere"] {
            assert_eq!(get(served.public, path).await.status, 401, "{path}");
        }
        assert_eq!(get(served.public, "/openapi.json").await.status, 200);
        assert_eq!(get(served.public, "/.well-known/oauth-protected-resource").await.status, 200);
        let token = provider.token(1);
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
        );
        let answer = raw(served.public, request.as_bytes()).await;
        assert_eq!((answer.status, answer.names().len()), (200, 30));
        let metrics = get(served.internal, "/metrics").await;
        let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
        for line in [
            r#"registry_auth_decisions_total{provider="p",outcome="authenticated"} 1"#,
            r#"registry_auth_decisions_total{provider="none",outcome="no_credentials"} 3"#,
        ] {
            assert!(metrics.contains(line), "{line} in {metrics}");
        }
        served.signal("TERM");
        let (code, log) = served.end();
        assert_eq!(code, Some(0));
        assert!(log.contains("401: authentication required"), "{log}");
        assert!(!log.contains(&token), "{log}");
    }
}

#[test]
fn opening_an_oauth_document_needs_an_explicit_address() {
    let output = command(&directory(OAUTH), &["--auth-mode", "anonymous"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("needs an explicit --address"), "{}", stderr(&output));
    let output = command(&directory(OAUTH), &[]).env("REGISTRY_AUTH_MODE", "anonymous").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[tokio::test]
async fn an_opened_document_is_served_and_warned_about_where_others_reach_it() {
    for (address, warns) in [("127.0.0.1:0", false), ("[::1]:0", false), (":0", true), ("0.0.0.0:0", true)] {
        let directory = directory(OAUTH);
        let mut command = command(&directory, &["--auth-mode", "anonymous", "--address", address]);
        let served = Served::start(&mut command);
        let mut reachable = served.public;
        if reachable.ip().is_unspecified() {
            reachable.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        assert_eq!(get(reachable, "/registry/default/v0.1/servers").await.status, 200);
        served.signal("TERM");
        let (code, log) = served.end();
        assert_eq!(code, Some(0));
        assert_eq!(log.contains("neither loopback nor private"), warns, "{address}: {log}");
    }
}

#[test]
fn all_errors_of_a_document_are_told_at_once() {
    let directory = directory("auth: {mode: open}\nadress: ':1'");
    let output = command(&directory, &["--address", "nowhere"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    for part in [
        "config.yaml: adress: expected one of `auth`, `address`",
        "did you mean address?",
        "config.yaml: auth.mode: expected `oauth` or `anonymous`, found \"open\"",
        "config.yaml: --address: expected `:PORT`",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn what_cannot_start_says_why() {
    let directory = directory(ANONYMOUS);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = command(&directory, &["--address", &address]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&format!("cannot listen on {address}")), "{}", stderr(&output));

    let run = |args: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_registry"))
            .args(args)
            .env_remove("REGISTRY_CONFIG")
            .output()
            .unwrap()
    };
    for args in [&["serve"][..], &["serve", "--config", "missing.yaml"], &["serve", "--nope"], &["run"]] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).starts_with("registry: "));
    }
    assert!(run(&["--help"]).status.success());
    assert!(String::from_utf8(run(&["--version"]).stdout).unwrap().starts_with("registry "));
}

#[tokio::test]
async fn no_credentials_are_logged() {
    let directory = directory(ANONYMOUS);
    let served = Served::start(command(&directory, &[]).env("REGISTRY_LOG", "trace"));
    let headers = [("authorization", "Bearer hunter2"), ("cookie", "session=hunter2")];
    support::send(served.public, "GET", "/registry/default/v0.1/servers?access_token=hunter2", &headers)
        .await;
    served.signal("TERM");
    let (_, log) = served.end();
    assert!(log.contains("path=\"/registry/default/v0.1/servers\""), "{log}");
    assert!(!log.contains("hunter2"), "{log}");
}

/// With the files that a deployment has, and hosts that do not exist: no test asks the real ones.
#[tokio::test]
async fn every_example_is_served() {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut served = 0;
    for entry in
        fs::read_dir(&examples).unwrap().map(Result::unwrap).filter(|entry| entry.file_name() != "local")
    {
        let directory = tempfile::tempdir().unwrap();
        let place = format!("{}/", directory.path().display());
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        for (name, text) in
            [("keycloak-client-secret", "secret\n"), ("token", "token\n"), ("ca.crt", &authority.pem())]
        {
            fs::write(directory.path().join(name), text).unwrap();
        }
        let text = fs::read_to_string(entry.path().join("config.yaml")).unwrap();
        let text = text
            .replace("/etc/registry/", &place)
            .replace("/var/run/secrets/kubernetes.io/serviceaccount/", &place)
            .replace("../local/", &format!("{}/local/", examples.display()));
        let (start, rest) = text.split_once("https://").unwrap();
        let elsewhere = rest.split("https://").map(|url| {
            let end = url.find(|end: char| !end.is_ascii_alphanumeric() && !".-".contains(end)).unwrap();
            format!("https://{}.invalid{}", &url[..end], &url[end..])
        });
        fs::write(directory.path().join("config.yaml"), start.to_owned() + &elsewhere.collect::<String>())
            .unwrap();

        let addresses = ["--address", "127.0.0.1:0", "--internal-address", "127.0.0.1:0"];
        let server = Served::start(&mut command(&directory, &addresses));
        assert_eq!(get(server.public, "/registry/default/v0.1/servers").await.status, 401);
        let metadata = get(server.public, "/.well-known/oauth-protected-resource").await;
        assert!(metadata.json()["authorization_servers"][0].is_string(), "{metadata:?}");
        server.signal("TERM");
        let (code, log) = server.end();
        assert_eq!(code, Some(0), "{log}");
        served += 1;
    }
    assert_eq!(served, 6);
}
