//! Percent-decoding, once and strictly.

/// Decodes `%XX`, and `+` to a space where `form` (in queries); `None` for an incomplete escape or a result that is not UTF-8.
pub(super) fn decode(text: &str, form: bool) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            b'+' if form => b' ',
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_once() {
        for (text, decoded) in [
            ("", ""),
            ("a%2Fb", "a/b"),
            ("a%2fb", "a/b"),
            ("a%252Fb", "a%2Fb"),
            ("%C3%BC", "ü"),
            ("a+b", "a+b"),
            ("%00", "\0"),
        ] {
            assert_eq!(decode(text, false).as_deref(), Some(decoded), "{text}");
        }
        assert_eq!(decode("a+b%2B", true).as_deref(), Some("a b+"));
    }

    #[test]
    fn broken_escapes_are_refused() {
        for text in ["%", "%2", "a%", "%zz", "%2g", "%%32F", "%FF", "%C3", "%+1"] {
            assert_eq!(decode(text, false), None, "{text}");
            assert_eq!(decode(text, true), None, "{text}");
        }
    }
}
