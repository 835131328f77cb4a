//! Header maps as proxies hand them over (proxy-wasm ABI 0.2.1): bytes from a host, which are parsed like any other.

use std::borrow::Cow;

/// Reads the pairs of a serialized header map: their number, the lengths of each, then names and values each with a NUL (proxy-wasm ABI 0.2.1).
/// `None`: it is not one.
pub fn pairs(bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let (count, rest) = take_u32(bytes)?;
    let (mut lengths, mut data) = rest.split_at_checked(count.checked_mul(8)?)?;
    let mut pairs = Vec::with_capacity(count);
    for _ in 0..count {
        let (name_length, after_name) = take_u32(lengths)?;
        let (value_length, after_value) = take_u32(after_name)?;
        let (name, after) = data.split_at_checked(name_length)?;
        let (value, after) = after.get(1..)?.split_at_checked(value_length)?;
        pairs.push((name, value));
        lengths = after_value;
        data = after.get(1..)?;
    }
    Some(pairs)
}

fn take_u32(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*word)).ok()?, rest))
}

/// The reverse of [`pairs`]. Values are printable ASCII by then: hosts emit line breaks raw.
pub fn serialize(pairs: &[(&str, Cow<'_, str>)]) -> Vec<u8> {
    let word = |length: usize| u32::try_from(length).unwrap_or(0).to_le_bytes();
    let length: usize = pairs.iter().map(|(name, value)| name.len() + value.len() + 10).sum();
    let mut bytes = Vec::with_capacity(4 + length);
    bytes.extend_from_slice(&word(pairs.len()));
    for (name, value) in pairs {
        bytes.extend_from_slice(&word(name.len()));
        bytes.extend_from_slice(&word(value.len()));
    }
    for text in pairs.iter().flat_map(|(name, value)| [*name, value]) {
        let start = bytes.len();
        bytes.extend_from_slice(text.as_bytes());
        // Nearly never: everything of ours is made printable before.
        if !all_printable(text.as_bytes()) {
            bytes.iter_mut().skip(start).filter(|byte| !is_printable(**byte)).for_each(|byte| *byte = b'?');
        }
        bytes.push(0);
    }
    bytes
}

/// Eight at a time: the high bit of a byte tells that it is no ASCII, that it is less than a blank, or more than `~`. Where one byte borrows from the next or
/// carries into it, its own high bit is set already.
fn all_printable(bytes: &[u8]) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let (eights, rest) = bytes.as_chunks::<8>();
    let high = eights.iter().fold(0, |high, eight| {
        let word = u64::from_le_bytes(*eight);
        high | word | word.wrapping_sub(EACH * 0x20) | word.wrapping_add(EACH)
    });
    high & (EACH * 0x80) == 0 && rest.iter().all(|byte| is_printable(*byte))
}

const fn is_printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn serialize(pairs: &[(&str, &str)]) -> Vec<u8> {
        let pairs: Vec<(&str, Cow<'_, str>)> =
            pairs.iter().map(|&(name, value)| (name, value.into())).collect();
        super::serialize(&pairs)
    }

    #[test]
    fn what_was_serialized_is_read_back() {
        for map in
            [Vec::<(&str, &str)>::new(), vec![("a", "")], vec![(":path", "/x"), ("x-a", "1"), ("x-a", "2")]]
        {
            let bytes = serialize(&map);
            let read: Vec<(&[u8], &[u8])> =
                map.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
            assert_eq!(pairs(&bytes), Some(read));
        }
        assert_eq!(pairs(b""), Some(vec![]));
    }

    #[test]
    fn values_may_be_any_bytes() {
        let mut bytes = serialize(&[("a", "xx")]);
        bytes[14..16].copy_from_slice(b"\xff\0");
        assert_eq!(pairs(&bytes), Some(vec![(&b"a"[..], &b"\xff\0"[..])]));
    }

    #[test]
    fn a_broken_map_is_none_and_no_panic() {
        let good = serialize(&[("name", "value"), ("other", "value")]);
        for end in 1..good.len() {
            assert_eq!(pairs(&good[..end]), None, "{end} bytes");
        }
        for position in 0..20 {
            let mut broken = good.clone();
            broken[position] = 0xff;
            let _ = pairs(&broken);
        }
        assert_eq!(pairs(&[0xff; 4]), None);
        assert_eq!(pairs(&[0xff; 64]), None);
    }

    #[test]
    fn every_byte_is_judged_alike_in_every_place() {
        for byte in 0..=u8::MAX {
            for length in [1, 7, 8, 16, 19] {
                for (place, neighbour) in (0..length).flat_map(|place| [(place, b' '), (place, b'~')]) {
                    let mut bytes = vec![neighbour; length];
                    bytes[place] = byte;
                    assert_eq!(all_printable(&bytes), is_printable(byte), "{byte:#x} at {place} of {length}");
                }
            }
        }
    }

    #[test]
    fn line_breaks_never_leave() {
        let bytes = serialize(&[("a", "b\r\nc: d\u{e9}")]);
        assert!(bytes.ends_with(b"b??c: d??\0"), "{bytes:?}");
        let bytes = serialize(&[("a\0", "\0b\0"), ("c", "\x7f"), ("d", "~ ")]);
        assert!(bytes.ends_with(b"a?\0?b?\0c\0?\0d\0~ \0"), "{bytes:?}");
    }
}
