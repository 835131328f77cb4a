//! Server names: `namespace/name`.

use std::fmt;

/// A server's name, as the server.json schema and the registry want it: 3–200 characters, `[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+`, and each half starts and
/// ends with a letter or digit. Ordered by its bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerName(String);

/// What is wrong with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Shorter than 3 or longer than 200 characters.
    #[error("server name must have 3 to 200 characters")]
    Length,
    /// No slash, or several.
    #[error(
        "server name must contain exactly one slash, as io.github.user/name (one path segment: io.github.user%2Fname)"
    )]
    Slash,
    /// A character outside of the allowed ones.
    #[error("server name may contain letters, digits, `.`, `-` and, after the slash, `_`")]
    Character,
    /// A half is empty, or starts or ends with a sign.
    #[error("both halves of a server name must start and end with a letter or digit")]
    Edge,
}

impl ServerName {
    /// Checks a name.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn from_text(text: &str) -> Result<Self, NameError> {
        let (namespace, name) = text.split_once('/').ok_or(NameError::Slash)?;
        if name.contains('/') {
            return Err(NameError::Slash);
        }
        if !(3..=200).contains(&text.len()) {
            return Err(NameError::Length);
        }
        let allowed = |half: &str, signs: &[u8]| {
            half.bytes().all(|byte| byte.is_ascii_alphanumeric() || signs.contains(&byte))
        };
        if !allowed(namespace, b".-") || !allowed(name, b"._-") {
            return Err(NameError::Character);
        }
        let edges = |half: &str| {
            let plain = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
            plain(half.bytes().next()) && plain(half.bytes().next_back())
        };
        if !edges(namespace) || !edges(name) {
            return Err(NameError::Edge);
        }
        Ok(Self(text.to_owned()))
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_two_halves_are_accepted() {
        for name in ["a/b", "io.github.user/weather", "com.example-1/a_b.c-d", "A.B/C"] {
            assert_eq!(ServerName::from_text(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn each_rule_has_its_error() {
        let long = format!("a/{}", "b".repeat(199));
        for (name, error) in [
            ("", NameError::Slash),
            ("abc", NameError::Slash),
            ("a/b/c", NameError::Slash),
            ("a/b/", NameError::Slash),
            ("/a", NameError::Length),
            (long.as_str(), NameError::Length),
            ("a b/c", NameError::Character),
            ("a_b/c", NameError::Character),
            ("a/b%2Fc", NameError::Character),
            ("a/b\n", NameError::Character),
            ("a/ü", NameError::Character),
            ("/ab", NameError::Edge),
            ("ab/", NameError::Edge),
            (".a/b", NameError::Edge),
            ("a./b", NameError::Edge),
            ("a/-b", NameError::Edge),
            ("a/b_", NameError::Edge),
            ("../..", NameError::Edge),
        ] {
            assert_eq!(ServerName::from_text(name), Err(error), "{name:?}");
        }
    }
}
