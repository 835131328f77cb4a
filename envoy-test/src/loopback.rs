//! The hosts of a [`Vendor`](crate::provider::vendor::Vendor) on this machine: names lead here, certificates are for the real names, and the files that its example names are there.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::dns::NameServer;
use crate::gateway::BootstrapEdit;
use crate::message::RawRequest;
use crate::provider::Authority;
use crate::provider::tls::Presented;
use crate::provider::vendor::Asked;
use crate::server_thread::ServerThread;

const HTTPS: u16 = 443;

/// A vendor's hosts. They end when dropped.
#[derive(Debug)]
pub struct Loopback {
    address: SocketAddr,
    names: NameServer,
    files: TempDir,
    _server: ServerThread,
}

impl Loopback {
    /// Listens on a free port of 127.0.0.1, and writes the vendor's files.
    ///
    /// # Errors
    /// No port is free, or files cannot be written.
    pub fn start(asked: Arc<Asked>) -> io::Result<Self> {
        let authority = Authority::new("kubernetes");
        let presented = Presented::new(authority.issue(asked.vendor().hosts()));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let files = TempDir::with_prefix("vendor-")?;
        let vendor_files = asked.vendor().files();
        let server = ServerThread::start(listener, move |stream| {
            serve(Arc::clone(&asked), presented.clone(), stream)
        })?;
        let names = NameServer::start(&[IpAddr::V4(Ipv4Addr::LOCALHOST)])?;
        let loopback = Self { address, names, files, _server: server };
        loopback.write(CA_FILE, &authority.pem())?;
        for (name, text) in vendor_files {
            loopback.write(name, &text)?;
        }
        Ok(loopback)
    }

    /// Where every host is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Puts a file, named as in the document, in the place of a former one.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let file = self.place(name);
        std::fs::create_dir_all(file.parent().unwrap_or(Path::new("/")))?;
        let new = file.with_extension("new");
        std::fs::write(&new, text)?;
        std::fs::rename(new, file)
    }

    /// A document with what this machine cannot give it in place of the real thing; nothing else is changed:
    /// - files are below a directory of the test's own, which may not write to `/var/run` or `/etc`;
    /// - certificates are trusted that no public authority gives for other people's hosts;
    /// - the providers' addresses may be loopback ones.
    #[must_use]
    pub fn document(&self, document: &Value) -> Value {
        let mut document = document.clone();
        let providers = document.pointer_mut("/auth/oauth/providers").and_then(Value::as_array_mut);
        for provider in providers.expect("providers") {
            for key in ["clientSecretFile", "authTokenFile"] {
                if let Some(name) = provider[key].as_str() {
                    provider[key] = json!(self.place(name));
                }
            }
            provider["caCertPath"] = json!(self.place(CA_FILE));
            provider["allowPrivateIP"] = json!(true);
        }
        document
    }

    /// Lets an Envoy find the hosts: names by our name server, and our port in place of 443.
    pub fn edit(&self) -> BootstrapEdit {
        let (names, address) = (self.names.address(), self.address);
        BootstrapEdit::new(move |bootstrap| {
            NameServer::be_asked_by(names, bootstrap);
            let clusters = bootstrap["static_resources"]["clusters"].as_array_mut().expect("clusters");
            for cluster in clusters {
                let place =
                    "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address/port_value";
                if let Some(port) = cluster.pointer_mut(place).filter(|port| **port == HTTPS) {
                    *port = json!(address.port());
                }
            }
        })
    }

    fn place(&self, name: &str) -> PathBuf {
        self.files.path().join(name.trim_start_matches('/'))
    }
}

/// The authority's certificate, where a pod finds it.
const CA_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

async fn serve(asked: Arc<Asked>, presented: Presented, stream: TcpStream) {
    // Errors here are clients that do not trust us, or went away.
    let Ok(stream) = presented.accept(stream).await else { return };
    let service = service_fn(move |request| {
        let asked = Arc::clone(&asked);
        async move { Ok::<_, Infallible>(answer(&asked, request).await) }
    });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(asked: &Asked, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let mut received = RawRequest::new(head.method.as_str(), &target);
    for (name, value) in &head.headers {
        received = received.header(name.as_str(), value.as_bytes());
    }
    if let Ok(body) = body.collect().await {
        received = received.body(body.to_bytes());
    }
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
    let answer = asked.answer(&host, received);
    let mut response = Response::new(Full::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).expect("a status");
    for (name, value) in answer.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
        response.headers_mut().append(name, HeaderValue::from_bytes(&value).expect("a header's value"));
    }
    response
}
