//! The compact serialization of JWS, and what else is written in parts with dots between them (RFC 7515 §7.1).

/// What stands between the dots, where there are exactly two of them.
pub fn three_parts(token: &[u8]) -> Option<[&[u8]; 3]> {
    let (first, rest) = split(token)?;
    let (second, third) = split(rest)?;
    split(third).is_none().then_some([first, second, third])
}

/// Before and after the first dot.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (eights, _) = bytes.as_chunks::<8>();
    let without = eights.iter().position(has_dot).unwrap_or(eights.len()) * 8;
    let place = without + bytes.get(without..)?.iter().position(|byte| *byte == b'.')?;
    Some((bytes.get(..place)?, bytes.get(place + 1..)?))
}

/// All at a time: only a byte that was zero borrows into its high bit, or one above such a byte.
fn has_dot(eight: &[u8; 8]) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let differences = u64::from_le_bytes(*eight) ^ (EACH * u64::from(b'.'));
    differences.wrapping_sub(EACH) & !differences & (EACH * 0x80) != 0
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn two_dots_make_three_parts() {
        assert_eq!(three_parts(b"a.b.c"), Some([&b"a"[..], b"b", b"c"]));
        assert_eq!(three_parts(b".."), Some([&b""[..], b"", b""]));
        for token in ["", ".", "a.b", "...", "a.b.c.d", "abcdefghijklmnopqrstuvwxyz"] {
            assert_eq!(three_parts(token.as_bytes()), None, "{token}");
        }
    }

    #[test]
    fn dots_are_found_wherever_they_are() {
        for (length, byte) in
            (2..40).flat_map(|length| [b'-', b'/', b'a', 0, 0xff, 0xae].map(|byte| (length, byte)))
        {
            for (one, other) in (0..length).flat_map(|one| (one + 1..length).map(move |other| (one, other))) {
                let mut token = vec![byte; length];
                token[one] = b'.';
                token[other] = b'.';
                let expected = [&token[..one], &token[one + 1..other], &token[other + 1..]];
                assert_eq!(three_parts(&token), Some(expected), "{byte:#x} {one} {other} {length}");
            }
        }
    }
}
