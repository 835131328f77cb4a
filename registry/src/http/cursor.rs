//! Cursors: a place in the order by name and version, opaque to clients.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::catalog::{Position, ServerName, Version};

/// base64url of `name:version`; a name has no colon.
pub(super) fn encode(position: &Position) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}:{}", position.name, position.version.as_str()))
}

/// The place a cursor names, whether or not an entry is still there; `None` for a text that [`encode`] never makes.
pub(super) fn decode(cursor: &str) -> Option<Position> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (name, version) = text.split_once(':')?;
    if version.is_empty() {
        return None;
    }
    Some(Position { name: ServerName::from_text(name).ok()?, version: Version::from_text(version) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        for (name, version) in [("a/b", "1.0.0"), ("io.github.x/y", "a:b/ü+1"), ("a/b", " ")] {
            let position =
                Position { name: ServerName::from_text(name).unwrap(), version: Version::from_text(version) };
            let cursor = encode(&position);
            assert!(cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
            assert_eq!(decode(&cursor), Some(position));
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let made = |text: &str| URL_SAFE_NO_PAD.encode(text);
        for cursor in [
            String::new(),
            "a/b:1".to_owned(),
            "!".to_owned(),
            format!("{}=", made("a/b:1.0")),
            format!(" {}", made("a/b:1.0")),
            made("a/b"),
            made("a/b:"),
            made("ab:1"),
            made("a/b/c:1"),
            made(":1"),
            URL_SAFE_NO_PAD.encode(b"a/b:\xff"),
        ] {
            assert_eq!(decode(&cursor), None, "{cursor:?}");
        }
    }
}
