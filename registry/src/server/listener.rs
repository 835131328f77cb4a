//! One listening socket and its connections.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::Tuning;
use super::connection::Patient;
use crate::config::Address;
use crate::http::guard::MAX_HEADER_SIZE;
use crate::metrics::Metrics;

/// After an error of `accept` that is not one connection's, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a refused connection may take to read its answer.
const REFUSAL_TIME: Duration = Duration::from_secs(1);
/// Refusals in progress at once; beyond that connections are just closed.
const MAX_REFUSALS: usize = 256;
const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 40\r\n\r\n{\"error\":\"Too many connections at once\"}";

/// A bound socket.
#[derive(Debug)]
pub(super) struct Listener {
    listener: TcpListener,
    /// Where it listens, with the port the system chose.
    pub(super) address: SocketAddr,
}

/// Listens on an address; a name on the first of its addresses that can be bound.
pub(super) async fn bind(address: &Address) -> io::Result<Listener> {
    let listener = match address {
        Address::Host { host, port } => TcpListener::bind((host.as_str(), *port)).await?,
        Address::AllInterfaces(port) => {
            // On Linux an IPv6 wildcard takes IPv4, too. Without IPv6 there is only IPv4.
            match TcpListener::bind((Ipv6Addr::UNSPECIFIED, *port)).await {
                Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                    TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).await?
                }
                bound => bound?,
            }
        }
    };
    let address = listener.local_addr()?;
    Ok(Listener { listener, address })
}

impl Listener {
    /// Serves until `stopping` is true and the connections have ended, or their time to do so is over.
    pub(super) async fn serve(
        self,
        app: Router,
        tuning: Tuning,
        metrics: Option<Arc<Metrics>>,
        mut stopping: watch::Receiver<bool>,
    ) {
        let graceful = GracefulShutdown::new();
        let permits = Arc::new(Semaphore::new(tuning.max_connections.min(Semaphore::MAX_PERMITS)));
        let refusals = Arc::new(Semaphore::new(MAX_REFUSALS));
        let http = http(&tuning);
        // Dropped at the end: what is still open is cut.
        let mut tasks = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(_) = tasks.join_next() => continue,
                _ = stopping.wait_for(|stopping| *stopping) => break,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_of_one_connection(&error) => continue,
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
                if let Some(metrics) = &metrics {
                    metrics.connection_refused();
                }
                if let Ok(refusal) = Arc::clone(&refusals).try_acquire_owned() {
                    tasks.spawn(refuse(stream, refusal));
                }
                continue;
            };
            let open = Open::new(permit, metrics.clone());
            // Answers are written at once: waiting for more to send would only delay them.
            let _ = stream.set_nodelay(true);
            let stream = Patient::new(stream, tuning.header_timeout, tuning.write_timeout);
            let busy = stream.busy();
            let app = app.clone();
            let service = service_fn(move |mut request: hyper::Request<Incoming>| {
                busy.store(true, Ordering::Relaxed);
                request.extensions_mut().insert(ConnectInfo(peer));
                app.clone().oneshot(request)
            });
            let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
            tasks.spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "connection ended");
                }
                drop(open);
            });
        }
        drop(self.listener);
        let ended = tokio::time::timeout(tuning.drain, graceful.shutdown()).await;
        if ended.is_err() {
            tracing::warn!("connections are cut: their requests did not end in time");
        }
    }
}

fn http(tuning: &Tuning) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        // Counts from the end of the response before: it is the idle time. `Patient` has the time for the headers themselves.
        .header_read_timeout(tuning.idle_timeout)
        // Twice the limit, so that what is a little too large gets an answer with a text.
        .max_buf_size(2 * MAX_HEADER_SIZE);
    http
}

/// A counted connection.
struct Open {
    _permit: OwnedSemaphorePermit,
    metrics: Option<Arc<Metrics>>,
}

impl Open {
    fn new(permit: OwnedSemaphorePermit, metrics: Option<Arc<Metrics>>) -> Self {
        if let Some(metrics) = &metrics {
            metrics.connections.inc();
        }
        Self { _permit: permit, metrics }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(metrics) = &self.metrics {
            metrics.connections.dec();
        }
    }
}

/// Says that there are too many connections, without reading a request.
async fn refuse(mut stream: TcpStream, _refusal: OwnedSemaphorePermit) {
    let talk = async {
        stream.write_all(REFUSAL).await?;
        stream.shutdown().await?;
        // Closing with unread data would reset the connection, and the answer with it.
        let mut unread = [0; 1024];
        while stream.read(&mut unread).await? > 0 {}
        io::Result::Ok(())
    };
    let _ = tokio::time::timeout(REFUSAL_TIME, talk).await;
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_interfaces_include_ipv4() {
        let listener = bind(&Address::AllInterfaces(0)).await.unwrap();
        let port = listener.address.port();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    }

    #[tokio::test]
    async fn an_address_in_use_is_an_error() {
        let listener = bind(&Address::AllInterfaces(0)).await.unwrap();
        let again = Address::AllInterfaces(listener.address.port());
        assert_eq!(bind(&again).await.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn the_refusal_is_a_whole_response() {
        let text = std::str::from_utf8(REFUSAL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("content-length: {}", body.len())));
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
    }
}
