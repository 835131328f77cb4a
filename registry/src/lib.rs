//! The native MCP registry backend: the registry API over catalog files, and health, version and metrics on a listener of their own.
//!
//! [`config`] reads the document, [`catalog`] turns files into sorted, serialised entries, [`store`] keeps them fresh, [`http`] answers requests from
//! them, and [`server`] runs the listeners. [`auth`] decides which requests get that far. [`serve`] is the command.

pub mod auth;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod http;
pub mod metrics;
pub mod serve;
pub mod server;
pub mod store;
pub mod timestamp;

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
