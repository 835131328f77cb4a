//! What both listeners answer.
//!
//! The public one is routed on the raw path, so that a percent-encoded slash in a server's name stays within its segment; each segment is decoded once,
//! afterwards. Every error is JSON, `{"error": "text"}`.

mod conditional;
mod cursor;
mod error;
pub mod guard;
pub mod internal;
mod openapi;
mod percent;
pub mod public;
mod query;
mod respond;
mod route;

pub use error::ApiError;
pub use public::public_router;
