//! registry.

pub mod auth;
