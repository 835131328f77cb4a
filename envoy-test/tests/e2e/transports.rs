//! Secrets, certificate authorities and private networks in a real Envoy, with the bootstrap as it is rendered (SPEC C-5, C-6, C-8, O-2).
//!
//! Two things are added to it: a name server of the test's own, and a listener whose requests go the way of the filter's callouts.

mod auth_token;
mod authority;
mod client_secret;
mod private_networks;
mod secrets;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use envoy_test::client;
use envoy_test::dns::NameServer;
use envoy_test::gateway::{BootstrapEdit, Gateway, GatewayOptions};
use envoy_test::message::{RawRequest, RawResponse};
use envoy_test::port;
use envoy_test::provider::{
    Algorithm, Authority, Document, Fault, Identity, LoggedRequest, Provider, RealmOptions,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const REALM: &str = "production";
const OTHER: &str = "staging";
const HOST: &str = "idp.example.test";
const LOOPBACK: &[IpAddr] = &[IpAddr::V4(Ipv4Addr::LOCALHOST)];

/// How soon a replaced file is in use.
const IN_USE_WITHIN: Duration = Duration::from_secs(2);

/// A provider with a name, the authority that certifies it, and files the document can name.
struct World {
    provider: Provider,
    authority: Authority,
    names: NameServer,
    files: TempDir,
}

impl World {
    fn new() -> Self {
        Self::certified_for(&[HOST])
    }

    fn certified_for(names: &[&str]) -> Self {
        let authority = Authority::new("first");
        let provider = provider(HOST, authority.issue(names));
        let names = NameServer::start(LOOPBACK).unwrap();
        let world = Self { provider, authority, names, files: TempDir::with_prefix("files-").unwrap() };
        world.write("ca.pem", &world.authority.pem());
        world
    }

    fn path(&self, file: &str) -> PathBuf {
        self.files.path().join(file)
    }

    /// Replaces a file as a whole.
    fn write(&self, file: &str, text: &str) {
        replace(&self.path(file), text);
    }

    /// A provider of the document: in-cluster, under its own authority.
    fn entry(&self, realm: &str, more: &Value) -> Value {
        let mut entry = json!({
            "name": realm,
            "issuerUrl": self.provider.issuer(realm),
            "audience": "registry-api",
            "caCertPath": self.path("ca.pem"),
            "allowPrivateIP": true,
        });
        let members = more.as_object().unwrap().clone();
        entry.as_object_mut().unwrap().extend(members);
        entry
    }

    async fn gateway(&self, entries: &[Value]) -> (Gateway, Probe) {
        self.gateway_with(entries, GatewayOptions::default(), |_| {}).await
    }

    async fn gateway_with(
        &self,
        entries: &[Value],
        mut options: GatewayOptions,
        edit: impl Fn(&mut Value) + Send + Sync + 'static,
    ) -> (Gateway, Probe) {
        let probe = Probe { address: port::free(), authority: authority(&self.provider) };
        let (names, added) = (self.names.address(), probe.clone());
        options.edit = Some(BootstrapEdit::new(move |bootstrap| {
            NameServer::be_asked_by(names, bootstrap);
            added.add_to(bootstrap);
            edit(bootstrap);
        }));
        let oauth = json!({ "resourceUrl": "https://registry.example.com", "providers": entries });
        let document = json!({ "auth": { "mode": "oauth", "oauth": oauth } });
        (Gateway::start(&document, &options).await, probe)
    }

    fn request(&self, realm: &str) -> RawRequest {
        RawRequest::get("/registry/default/v0.1/servers").bearer(&self.provider.token(realm).mint())
    }

    /// `Authorization` of every request for a realm's documents.
    fn authorizations(&self, realm: &str) -> Vec<Option<String>> {
        self.provider
            .requests(realm)
            .iter()
            .map(|request| request.header("authorization").map(str::to_owned))
            .collect()
    }
}

fn provider(host: &str, identity: Identity) -> Provider {
    let realm = |name| RealmOptions::new(name, "registry-api").algorithms(&[Algorithm::Es256]);
    Provider::builder().realm(realm(REALM)).realm(realm(OTHER)).tls(host, identity).start().unwrap()
}

fn authority(provider: &Provider) -> String {
    provider.url().strip_prefix("https://").unwrap().to_owned()
}

fn replace(file: &Path, text: &str) {
    let new = file.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, file).unwrap();
}

/// A volume as the kubelet keeps it: names lead to `..data`, which leads to the directory of the moment.
struct Volume {
    directory: PathBuf,
    generation: u32,
}

impl Volume {
    fn new(directory: &Path, files: &[(&str, &str)]) -> Self {
        std::fs::create_dir(directory).unwrap();
        let mut volume = Self { directory: directory.to_owned(), generation: 0 };
        volume.publish(files);
        for (name, _) in files {
            std::os::unix::fs::symlink(format!("..data/{name}"), directory.join(name)).unwrap();
        }
        volume
    }

    fn publish(&mut self, files: &[(&str, &str)]) {
        let previous = self.directory.join(format!("..{}", self.generation));
        self.generation += 1;
        let name = format!("..{}", self.generation);
        std::fs::create_dir(self.directory.join(&name)).unwrap();
        for (file, text) in files {
            std::fs::write(self.directory.join(&name).join(file), text).unwrap();
        }
        let new = self.directory.join("..data_tmp");
        std::os::unix::fs::symlink(&name, &new).unwrap();
        std::fs::rename(new, self.directory.join("..data")).unwrap();
        let _ = std::fs::remove_dir_all(previous);
    }
}

/// A listener whose requests go to the cluster that the path begins with: `/CLUSTER/realms/…`.
#[derive(Clone)]
struct Probe {
    address: SocketAddr,
    authority: String,
}

impl Probe {
    fn add_to(&self, bootstrap: &mut Value) {
        let clusters = bootstrap["static_resources"]["clusters"].as_array().unwrap();
        let route = |cluster: &Value| {
            let name = cluster["name"].as_str().unwrap();
            json!({
                "match": { "prefix": format!("/{name}/") },
                "route": { "cluster": name, "prefix_rewrite": "/", "host_rewrite_literal": self.authority },
            })
        };
        let routes: Vec<Value> = clusters.iter().map(route).collect();
        let connection_manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "probe",
            "route_config": { "virtual_hosts": [{ "name": "probe", "domains": ["*"], "routes": routes }] },
            "http_filters": [{
                "name": "envoy.filters.http.router",
                "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
            }],
        });
        let listener = json!({
            "name": format!("probe-{}", self.address.port()),
            "address": { "socket_address": { "address": self.address.ip().to_string(), "port_value": self.address.port() } },
            "filter_chains": [{ "filters": [{ "name": "envoy.filters.network.http_connection_manager", "typed_config": connection_manager }] }],
        });
        bootstrap["static_resources"]["listeners"].as_array_mut().unwrap().push(listener);
    }

    /// Asks for a realm's keys by a cluster.
    async fn ask(&self, cluster: &str, realm: &str) -> RawResponse {
        self.send(RawRequest::get(&format!("/{cluster}/realms/{realm}/protocol/openid-connect/certs"))).await
    }

    async fn send(&self, request: RawRequest) -> RawResponse {
        client::send(self.address, &request).await.unwrap()
    }

    /// Asks again and again until `done` with what the provider saw last; every answer is 200.
    async fn ask_until(
        &self,
        world: &World,
        cluster: &str,
        done: impl Fn(&LoggedRequest) -> bool,
    ) -> Duration {
        let started = Instant::now();
        loop {
            let response = self.ask(cluster, REALM).await;
            assert_eq!(response.status, 200, "{}", response.text());
            if done(world.provider.requests(REALM).last().unwrap()) {
                return started.elapsed();
            }
            assert!(started.elapsed() < Duration::from_secs(20), "never in use");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn bearer(token: &'static str) -> impl Fn(&LoggedRequest) -> bool {
    move |request| request.header("authorization") == Some(&format!("Bearer {token}"))
}
