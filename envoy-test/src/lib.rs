//! What end-to-end tests are made of: a real Envoy, identity providers with faults and counts, an upstream that reports what reached it, clients
//! that send exactly the bytes they are told to, and the table of cases that every shell of the core has to pass.
//!
//! The servers run on threads of their own, so a test may block, and several tests may share one server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test harness: an assumption that does not hold must end the test where it is"
)]

pub mod bootstrap;
pub mod cases;
pub mod client;
pub mod dns;
pub mod envoy;
mod frames;
pub mod gateway;
pub mod loopback;
pub mod message;
pub mod port;
pub mod project;
pub mod provider;
mod server_thread;
pub mod upstream;

pub use envoy::{Envoy, EnvoyOptions};
pub use gateway::{Gateway, GatewayOptions};
pub use message::{RawRequest, RawResponse};
pub use provider::{Algorithm, Provider};
pub use upstream::Upstream;
