//! The registry's own configuration: what is served, from where, and on which addresses.
//!
//! One YAML document holds this and the `auth` section, whose keys belong to the core. Every error of the document is reported at once, each with its
//! path, the value found, what was expected and, for a key, the nearest valid one (SPEC C-3). Relative file paths are taken from the directory of the
//! configuration file, so that the working directory does not matter.

mod address;
mod error;
mod mode;
mod overrides;
mod reader;
mod sources;
pub mod yaml;

use std::path::Path;

use serde_json::Value;

pub(crate) use address::is_loopback_or_private;
pub use address::{Address, AddressError};
pub use error::ConfigError;
pub use mode::{AuthMode, ModeError, effective_mode};
pub use overrides::{Override, Overrides};
pub use sources::{Format, RegistryConfig, SourceConfig};

use reader::Reader;

/// A document that was sound in all its parts.
#[derive(Clone, Debug)]
pub struct Config {
    /// The `auth` section as written; `Null` where there is none.
    pub auth: Value,
    /// `auth.mode`; a document without one means [`AuthMode::Oauth`] (SPEC C-2).
    pub auth_mode: AuthMode,
    /// Where the API is served. Default `:8080`.
    pub address: Address,
    /// Where health, version and metrics are served. Default `:8081`.
    pub internal_address: Address,
    /// At least one, names unique.
    pub sources: Vec<SourceConfig>,
    /// At least one, names unique.
    pub registries: Vec<RegistryConfig>,
    /// What is allowed but probably not meant; for the log.
    pub warnings: Vec<String>,
}

const KEYS: &[&str] = &["auth", "address", "internalAddress", "sources", "registries", "database", "filter"];

impl Config {
    /// Reads a YAML document. Relative paths in it are relative to `directory`; `overrides` replace what the document says.
    ///
    /// # Errors
    /// All errors of the document and of the overrides, in document order.
    pub fn parse(text: &str, directory: &Path, overrides: &Overrides) -> Result<Self, Vec<ConfigError>> {
        let document = yaml::parse(text)?;
        let mut reader = Reader::default();
        let config = read(&document, directory, overrides, &mut reader);
        match config {
            Some(config) if reader.errors.is_empty() => Ok(config),
            _ => Err(reader.errors),
        }
    }
}

fn read(document: &Value, directory: &Path, overrides: &Overrides, reader: &mut Reader) -> Option<Config> {
    // `filter` is what only a proxy needs (SPEC C-8): one document configures both, and this process leaves it alone.
    let root = reader.object(document, "", KEYS)?;
    let auth = root.get("auth").cloned().unwrap_or(Value::Null);
    let auth_mode = mode::from_document(&auth, reader);
    let address = reader.parsed(root, "", "address", Address::from_text);
    let internal_address = reader.parsed(root, "", "internalAddress", Address::from_text);
    if root.get("database").is_some_and(|value| !value.is_null()) {
        // The value may hold a password: it is never shown.
        reader.error(
            "database",
            None,
            "no `database`: not supported yet, because there is no `managed` source yet",
        );
    }
    let sources = sources::read_sources(root, directory, reader);
    let registries = sources::read_registries(root, &sources, reader);
    let warnings = sources::unused(&sources, &registries);

    let overridden = overrides.read(reader);
    Some(Config {
        auth,
        auth_mode: auth_mode?,
        address: overridden.address.or(address).unwrap_or(Address::AllInterfaces(8080)),
        internal_address: overridden
            .internal_address
            .or(internal_address)
            .unwrap_or(Address::AllInterfaces(8081)),
        sources,
        registries,
        warnings,
    })
}

#[cfg(test)]
mod tests;
