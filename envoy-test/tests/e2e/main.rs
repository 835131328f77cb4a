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
mod harness;
mod introspection;
mod keys;
mod providers;
mod tower;
mod transports;
mod vendors;
