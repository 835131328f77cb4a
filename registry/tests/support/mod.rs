//! A server on free ports, and a client that sends exactly the bytes a test wants.

#![allow(dead_code, unreachable_pub)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use registry::config::{Config, Overrides};
use registry::server::{self, Protection, Running, Tuning};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than anything here takes; a test that waits so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn data(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file)
}

/// Fast polling, everything else as by default.
pub fn tuning() -> Tuning {
    Tuning { poll: Duration::from_millis(10), ..Tuning::default() }
}

/// A configuration with one source, `catalog`, and one registry, `default`.
pub fn one_file(path: &Path) -> String {
    format!(
        "sources: [{{name: catalog, file: {{path: '{}'}}}}]\nregistries: [{{name: default, sources: [catalog]}}]",
        path.display()
    )
}

pub fn config(text: &str, directory: &Path) -> Config {
    let text =
        format!("auth: {{mode: anonymous}}\naddress: '127.0.0.1:0'\ninternalAddress: '127.0.0.1:0'\n{text}");
    Config::parse(&text, directory, &Overrides::default()).unwrap()
}

pub async fn start(text: &str, directory: &Path) -> Running {
    server::start(config(text, directory), Protection::Anonymous, tuning()).await.unwrap()
}

/// A server with the catalog of 293.
pub async fn start_large() -> Running {
    start(&one_file(&data("catalog-large.json")), Path::new("")).await
}

/// A server with one file that holds `catalog`, and the directory of the file.
pub async fn start_with(catalog: &Value) -> (Running, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("catalog.json"), catalog.to_string()).unwrap();
    let running = start(&one_file(Path::new("catalog.json")), directory.path()).await;
    (running, directory)
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let value = values.next();
        assert!(values.next().is_none(), "{name} is there twice");
        value
    }

    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    /// `error` of a body that has nothing else.
    pub fn error(&self) -> String {
        let json = self.json();
        assert_eq!(json.as_object().unwrap().len(), 1, "{json}");
        json["error"].as_str().unwrap().to_owned()
    }

    pub fn names(&self) -> Vec<String> {
        let json = self.json();
        json["servers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["server"]["name"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// Sends bytes as they are and reads until the server closes.
pub async fn raw(address: std::net::SocketAddr, request: &[u8]) -> Response {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        bytes
    };
    let bytes = tokio::time::timeout(PATIENCE, exchange).await.unwrap();
    parse(&bytes)
}

pub fn parse(bytes: &[u8]) -> Response {
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap_or_else(|| panic!("no head: {:?}", String::from_utf8_lossy(bytes)));
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        })
        .collect();
    Response { status, headers, body: bytes[end + 4..].to_vec() }
}

pub async fn send(
    address: std::net::SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
) -> Response {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request =
        format!("{method} {target} HTTP/1.1\r\nhost: registry.example\r\nconnection: close\r\n{headers}\r\n");
    raw(address, request.as_bytes()).await
}

pub async fn get(address: std::net::SocketAddr, target: &str) -> Response {
    send(address, "GET", target, &[]).await
}

/// Waits for a load to finish after which `done` is true. `loads` is older than what causes the load.
pub async fn wait_for_load(
    mut loads: tokio::sync::watch::Receiver<u64>,
    mut done: impl AsyncFnMut() -> bool,
) {
    let waiting = async {
        while !done().await {
            loads.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("no load did it");
}
