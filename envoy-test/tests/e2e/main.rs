//! End-to-end tests, in one binary so that they share a build and a set-up.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    missing_docs
)]

mod core;
mod envoy_behaviour;
mod envoy_cases;
mod flood;
mod harness;
mod hostile;
mod introspection;
mod keys;
mod providers;
mod registry_process;
mod signatures;
mod tower;
mod transports;
mod vendors;

/// Held by tests that take all they can get of the machine: one at a time.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
