//! `application/x-www-form-urlencoded`: how parameters are sent to providers, and client credentials in HTTP Basic (RFC 6749 §2.3.1).

/// Encodes a name or a value (WHATWG URL §5.2). The result is letters, digits and `*-._+%`: it means nothing to a header, a URL or a script.
pub fn encode(text: impl AsRef<[u8]>) -> String {
    let text = text.as_ref();
    let mut encoded = String::with_capacity(text.len());
    for byte in text {
        match *byte {
            b' ' => encoded.push('+'),
            b'*' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                encoded.push(char::from(*byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::encode;

    #[test]
    fn odd_characters_are_escaped() {
        assert_eq!(encode("registry-client_1.0*"), "registry-client_1.0*");
        assert_eq!(encode("a:b c%é/+*"), "a%3Ab+c%25%C3%A9%2F%2B*");
        assert_eq!(encode("a b+c:d\"\\\n~ü%"), "a+b%2Bc%3Ad%22%5C%0A%7E%C3%BC%25");
    }
}
