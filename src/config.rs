//! What users write: the `auth` section of a registry's configuration, and the `filter` object beside it (SPEC C).
//!
//! A document is JSON or YAML, already parsed to a [`Value`] by a parser that refuses duplicate keys. Reading it yields a [`Policy`], or **all** errors
//! at once. Three rules hold everywhere:
//! - a key with nothing after it (`publicPaths:`) is a key that is not there, except where that would silently allow more than was meant: an empty
//!   `allowedAlgorithms` or `requiredScopes` is an error;
//! - a value has the kind that is documented, nothing is converted: `allowPrivateIP: "yes"` and `audience: 42` are errors;
//! - top-level keys other than `auth` and `filter` belong to the registry, may hold passwords, and are neither read nor shown.

mod auth;
mod claim_header;
mod cors;
mod duration;
mod error;
mod filter;
mod nearest;
mod provider;
mod reader;
mod scopes;
#[cfg(feature = "yaml")]
pub mod yaml;

use serde_json::{Map, Value};

pub use error::{ConfigError, ConfigErrors, Warning, WarningKind};
pub use nearest::nearest;
pub use reader::shown;

use crate::policy::{FilterPolicy, Policy};
use reader::{Context, Node};

/// What no configuration file can say; shells read it from their environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Environment {
    /// `REGISTRY_AUTH_INSECURE_HTTP=true`: `http:` URLs are accepted everywhere (SPEC C-4).
    pub insecure_http: bool,
}

impl Environment {
    /// The variable behind [`Self::insecure_http`]; only the value `true` sets it.
    pub const INSECURE_HTTP: &str = "REGISTRY_AUTH_INSECURE_HTTP";
}

/// A sound document.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What is enforced.
    pub policy: Policy,
    /// What its author should know.
    pub warnings: Vec<Warning>,
}

/// A sound document, read for a proxy.
#[derive(Clone, Debug)]
pub struct LoadedFilter {
    /// What is enforced.
    pub policy: Policy,
    /// From the `filter` object.
    pub filter: FilterPolicy,
    /// What its author should know.
    pub warnings: Vec<Warning>,
}

impl Policy {
    /// Reads a document's `auth`; other top-level keys, `filter` too, are not looked at.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_document(document: &Value, environment: &Environment) -> Result<Loaded, ConfigErrors> {
        let mut context = Context::new(*environment);
        let policy = root(document, &mut context).and_then(|root| auth::read(root, &mut context));
        let (policy, warnings) = context.finish(policy)?;
        Ok(Loaded { policy, warnings })
    }
}

/// Reads a document's `auth` and `filter`.
///
/// # Errors
/// Everything that is wrong with both.
pub fn load_filter(document: &Value, environment: &Environment) -> Result<LoadedFilter, ConfigErrors> {
    let mut context = Context::new(*environment);
    let both = root(document, &mut context).and_then(|root| {
        let policy = auth::read(root, &mut context);
        let filter = filter::read(root, &mut context);
        Some((policy?, filter?))
    });
    let ((policy, filter), warnings) = context.finish(both)?;
    Ok(LoadedFilter { policy, filter, warnings })
}

/// What of a registry's configuration a proxy may see (SPEC C-8): `auth` and `filter`, nothing else.
pub fn auth_and_filter(document: &Value) -> Value {
    let keys = ["auth", "filter"].into_iter();
    Value::Object(keys.filter_map(|key| Some((key.to_owned(), document.get(key)?.clone()))).collect())
}

/// A file a document names (SPEC C-6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferencedFile<'p> {
    /// Where it is named: `auth.oauth.providers[0].caCertPath`.
    pub path: String,
    /// Its name, as written.
    pub file: &'p str,
    /// What must be in it.
    pub kind: FileKind,
}

/// What a [`ReferencedFile`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// `caCertPath`: PEM certificates.
    CaCertificate,
    /// `clientSecretFile`: a secret.
    ClientSecret,
    /// `authTokenFile`: a bearer token.
    AuthToken,
}

/// The files the document behind `policy` names, in its order.
pub fn files(policy: &Policy) -> Vec<ReferencedFile<'_>> {
    let Policy::Oauth(oauth) = policy else {
        return Vec::new();
    };
    let mut files = Vec::new();
    for (index, provider) in oauth.providers.iter().enumerate() {
        for (key, file, kind) in [
            ("clientSecretFile", &provider.client_secret_file, FileKind::ClientSecret),
            ("caCertPath", &provider.ca_cert_path, FileKind::CaCertificate),
            ("authTokenFile", &provider.auth_token_file, FileKind::AuthToken),
        ] {
            if let Some(file) = file {
                files.push(ReferencedFile {
                    path: format!("auth.oauth.providers[{index}].{key}"),
                    file,
                    kind,
                });
            }
        }
    }
    files
}

fn root<'v>(document: &'v Value, context: &mut Context) -> Option<&'v Map<String, Value>> {
    let root = document.as_object();
    if root.is_none() {
        Node::new(String::new(), document).fail("a mapping with the key auth", context);
    }
    root
}
