//! An OAuth 2.0 resource server that performs no I/O and reads no clock.
//!
//! Two thin shells run it: the proxy-wasm filter (this crate, built for `wasm32-wasip1`) and the native server's tower layer (`registry`).

pub mod address;
pub mod config;
pub mod header;
pub mod policy;
pub mod public_path;
pub mod signature;
pub mod time;
pub mod url;
