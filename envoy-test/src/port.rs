//! Ports for processes that cannot be handed a listening socket.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Mutex, PoisonError};

/// Below the range from which Linux takes the ports of outgoing connections (`ip_local_port_range`), so that nobody gets one by chance between the
/// check here and the bind there.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port of 127.0.0.1 that is free now and was not given out by this process before. It starts at a random place: Envoy binds with `SO_REUSEPORT`,
/// so two test runs that chose the same port would silently share it.
pub fn free() -> SocketAddr {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut random = [0; 2];
    aws_lc_rs::rand::fill(&mut random).expect("randomness");
    let start = u16::from_ne_bytes(random) % COUNT;
    for offset in 0..COUNT {
        let port = FIRST + (start + offset) % COUNT;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if !given.contains(&port) && TcpListener::bind(address).is_ok() {
            given.insert(port);
            return address;
        }
    }
    panic!("no free port from {FIRST} on");
}
