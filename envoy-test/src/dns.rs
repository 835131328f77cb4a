//! A name server (RFC 1035) on loopback that says of every name what a test tells it to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

/// Seconds an answer may be kept.
const TTL: u32 = 1;
const TYPE_A: [u8; 2] = [0, 1];
const TYPE_AAAA: [u8; 2] = [0, 28];

/// A running name server. It ends when dropped.
#[derive(Debug)]
pub struct NameServer {
    address: SocketAddr,
    answers: Arc<Mutex<Vec<IpAddr>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    /// Every name has these addresses.
    ///
    /// # Errors
    /// No port is free.
    pub fn start(answers: &[IpAddr]) -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        // How long dropping may take.
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let address = socket.local_addr()?;
        let (answers, ended) = (Arc::new(Mutex::new(answers.to_vec())), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::Builder::new().name("name-server".to_owned()).spawn({
            let (answers, ended) = (Arc::clone(&answers), Arc::clone(&ended));
            move || {
                let mut query = [0; 512];
                while !ended.load(Ordering::Relaxed) {
                    let Ok((length, client)) = socket.recv_from(&mut query) else {
                        continue;
                    };
                    let answers = answers.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    if let Some(response) = respond(&query[..length], &answers) {
                        let _ = socket.send_to(&response, client);
                    }
                }
            }
        })?;
        Ok(Self { address, answers, ended, thread: Some(thread) })
    }

    /// From now on, every name has these.
    pub fn answer(&self, answers: &[IpAddr]) {
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner) = answers.to_vec();
    }

    /// Lets every cluster of a bootstrap that resolves names ask this server.
    pub fn be_asked_by(address: SocketAddr, bootstrap: &mut Value) {
        let resolver = json!({
            "name": "envoy.network.dns_resolver.cares",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig",
                "resolvers": [{ "socket_address": { "address": address.ip().to_string(), "port_value": address.port() } }],
                "dns_resolver_options": { "no_default_search_domain": true },
            },
        });
        let clusters = bootstrap["static_resources"]["clusters"].as_array_mut().expect("clusters");
        for cluster in
            clusters.iter_mut().filter_map(|cluster| cluster.pointer_mut("/cluster_type/typed_config"))
        {
            cluster["typed_dns_resolver_config"] = resolver.clone();
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// RFC 1035 §4.1: the question again, and an answer for each address of the kind it asks for (RFC 3596 for IPv6).
fn respond(query: &[u8], answers: &[IpAddr]) -> Option<Vec<u8>> {
    let header_length = 12;
    let name_length = query.get(header_length..)?.iter().position(|byte| *byte == 0)? + 1;
    let question = query.get(header_length..header_length + name_length + 4)?;
    let octets: Vec<Vec<u8>> = answers
        .iter()
        .filter_map(|address| match address {
            IpAddr::V4(address) => {
                question[name_length..].starts_with(&TYPE_A).then(|| address.octets().to_vec())
            }
            IpAddr::V6(address) => {
                question[name_length..].starts_with(&TYPE_AAAA).then(|| address.octets().to_vec())
            }
        })
        .collect();
    let mut response = query.get(..2)?.to_vec();
    // A response, authoritative, recursion desired and available, no error; one question.
    response.extend([0x85, 0x80, 0, 1, 0, u8::try_from(octets.len()).ok()?, 0, 0, 0, 0]);
    response.extend(question);
    for octets in octets {
        // The name is the one at octet 12.
        response.extend([0xc0, 0x0c]);
        response.extend(&question[name_length..]);
        response.extend(TTL.to_be_bytes());
        response.extend(u16::try_from(octets.len()).ok()?.to_be_bytes());
        response.extend(octets);
    }
    Some(response)
}
