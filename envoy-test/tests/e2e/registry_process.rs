//! The registry as a process of its own, so that its memory can be told from the test's.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use envoy_test::{RawRequest, client, port, project};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) struct Registry {
    child: Child,
    pub(crate) address: SocketAddr,
    internal: SocketAddr,
    _files: TempDir,
}

impl Registry {
    pub(crate) async fn start(document: &Value) -> Self {
        let files = TempDir::with_prefix("registry-").unwrap();
        let (address, internal) = (port::free(), port::free());
        let catalog = project::root().join("examples/local/catalog.json");
        let mut document = document.clone();
        document["sources"] = json!([{ "name": "catalog", "file": { "path": catalog } }]);
        document["registries"] = json!([{ "name": "default", "sources": ["catalog"] }]);
        let config = files.path().join("config.yaml");
        // JSON is YAML.
        std::fs::write(&config, document.to_string()).unwrap();
        let child = Command::new(project::registry())
            .args(["serve", "--config"])
            .arg(&config)
            .args(["--address", &address.to_string(), "--internal-address", &internal.to_string()])
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(files.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let registry = Self { child, address, internal, _files: files };
        let started = Instant::now();
        while client::send(internal, &RawRequest::get("/health")).await.map_or(0, |answer| answer.status)
            != 200
        {
            assert!(started.elapsed() < Duration::from_secs(20), "the registry does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        registry
    }

    /// Its `/metrics`.
    pub(crate) async fn metrics(&self) -> String {
        client::send(self.internal, &RawRequest::get("/metrics")).await.unwrap().text().into_owned()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
