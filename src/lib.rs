//! An OAuth 2.0 resource server that performs no I/O and reads no clock.
//!
//! Two thin shells run it: the proxy-wasm filter (this crate, built for `wasm32-wasip1`) and the native server's tower layer (`registry`).

pub mod base64url;
pub mod json;
pub mod jwk;
pub mod signature;
pub mod time;
