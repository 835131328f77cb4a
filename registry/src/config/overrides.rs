//! What flags and the environment say in place of the document.

use serde_json::Value;

use super::reader::Reader;
use super::{Address, AuthMode};

/// A text, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// `--address`, or `REGISTRY_ADDRESS`; names the place in errors.
    pub origin: &'static str,
    /// As given.
    pub text: String,
}

/// A flag wins over its environment variable, and both win over the document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--address`, `REGISTRY_ADDRESS`.
    pub address: Option<Override>,
    /// `--internal-address`, `REGISTRY_INTERNAL_ADDRESS`.
    pub internal_address: Option<Override>,
    /// `--auth-mode`, `REGISTRY_AUTH_MODE`.
    pub auth_mode: Option<Override>,
}

impl Overrides {
    /// Fills what no flag has set from the environment. A variable that is empty counts as absent.
    #[must_use]
    pub fn or_environment(mut self, variable: impl Fn(&str) -> Option<String>) -> Self {
        let read = |name: &'static str| {
            variable(name).filter(|text| !text.is_empty()).map(|text| Override { origin: name, text })
        };
        self.address = self.address.or_else(|| read("REGISTRY_ADDRESS"));
        self.internal_address = self.internal_address.or_else(|| read("REGISTRY_INTERNAL_ADDRESS"));
        self.auth_mode = self.auth_mode.or_else(|| read("REGISTRY_AUTH_MODE"));
        self
    }

    /// The mode asked for, if any; a text that names none was reported by [`super::Config::parse`].
    pub fn wanted_mode(&self) -> Option<AuthMode> {
        let text = &self.auth_mode.as_ref()?.text;
        AuthMode::from_text(text).ok()
    }

    pub(super) fn read(&self, reader: &mut Reader) -> Overridden {
        read_one(self.auth_mode.as_ref(), reader, AuthMode::from_text);
        Overridden {
            address: read_one(self.address.as_ref(), reader, Address::from_text),
            internal_address: read_one(self.internal_address.as_ref(), reader, Address::from_text),
        }
    }
}

/// The addresses that replace the document's.
pub(super) struct Overridden {
    pub(super) address: Option<Address>,
    pub(super) internal_address: Option<Address>,
}

fn read_one<T, E: std::fmt::Display>(
    given: Option<&Override>,
    reader: &mut Reader,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Option<T> {
    let given = given?;
    match parse(&given.text) {
        Ok(parsed) => Some(parsed),
        Err(error) => {
            let value = Value::String(given.text.clone());
            reader.error(given.origin, Some(&value), error.to_string());
            None
        }
    }
}
