//! Checks a registry's configuration and renders each proxy's.
//!
//! The binary `filter-config` is a thin shell over this library: [`document`] reads a registry's own configuration file, [`files`] looks at the files
//! it names, [`envoy`] renders. Nothing in the library writes a file or opens a connection, and no secret is ever read into what is rendered.

pub mod document;
pub mod envoy;
pub mod files;
pub mod tree;
