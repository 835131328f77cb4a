//! What is read of every request, before anything is decided: its headers, its path, and what stands where a token belongs.
//!
//! A package of its own for the compiler's sake: the filter is built to be small, and this to be fast. `registry_auth` shows these modules as its own.

pub mod bearer;
pub mod digest;
pub mod header;
pub mod header_map;
pub mod public_path;
pub mod request;
