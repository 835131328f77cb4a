//! The tower layer: joined refreshes, faults of providers, addresses and certificates, and what passes to the inner service.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    missing_docs
)]

#[path = "auth/gateway.rs"]
mod gateway;
#[path = "auth/provider.rs"]
mod provider;

#[path = "auth/faults.rs"]
mod faults;
#[path = "auth/files.rs"]
mod files;
#[path = "auth/introspection.rs"]
mod introspection;
#[path = "auth/joining.rs"]
mod joining;
#[path = "auth/requests.rs"]
mod requests;
#[path = "auth/rotation.rs"]
mod rotation;
#[path = "auth/signatures.rs"]
mod signatures;
