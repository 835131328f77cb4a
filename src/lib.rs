//! An OAuth 2.0 resource server that performs no I/O and reads no clock.
//!
//! Two thin shells run it: the proxy-wasm filter (this crate, built for `wasm32-wasip1`) and the native server's tower layer (`registry`).
//! Start with [`authenticator`].

pub mod address;
pub mod authenticator;
mod back_off;
pub mod cache;
pub mod challenge;
pub mod claims;
pub mod client;
pub mod config;
pub mod cors;
pub mod decision;
pub mod discovery;
pub mod fetch;
pub mod form;
pub mod header;
pub mod identity;
pub mod introspection;
pub mod jwk;
pub mod jwt;
pub mod keys;
pub mod metrics;
pub mod policy;
pub mod rejection;
pub mod resource_metadata;
pub mod scopes;
mod shards;
pub mod shared_keys;
pub mod signature;
pub mod signature_limiter;
pub mod time;
pub mod upstream;
pub mod url;

pub use request_head::{bearer, digest, header_map, public_path, request};
pub use strict_encoding::{base64url, json};

#[cfg(target_os = "wasi")]
mod filter;
