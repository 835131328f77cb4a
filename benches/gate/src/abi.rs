//! Values as proxy-wasm 0.2.1 has them in linear memory.

/// Names and values, in order, with duplicates.
pub(crate) type HeaderMap = Vec<(String, String)>;

/// `proxy_status_t`.
pub(crate) const OK: u32 = 0;
pub(crate) const NOT_FOUND: u32 = 1;
pub(crate) const BAD_ARGUMENT: u32 = 2;
pub(crate) const CAS_MISMATCH: u32 = 8;

/// The number of pairs, the lengths of each, then names and values each with a NUL.
pub(crate) fn serialize(map: &HeaderMap) -> Vec<u8> {
    let word = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = word(map.len()).to_vec();
    for (name, value) in map {
        bytes.extend(word(name.len()));
        bytes.extend(word(value.len()));
    }
    for text in map.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend(text.bytes());
        bytes.push(0);
    }
    bytes
}

/// The reverse of [`serialize`]; `None` for other bytes.
pub(crate) fn deserialize(bytes: &[u8]) -> Option<HeaderMap> {
    let Some((count, rest)) = word(bytes) else { return Some(Vec::new()) };
    let (mut lengths, mut data) = rest.split_at_checked(count.checked_mul(8)?)?;
    let mut map = Vec::new();
    for _ in 0..count {
        let (name, after) = word(lengths)?;
        let (value, after) = word(after)?;
        lengths = after;
        let (name, rest) = data.split_at_checked(name)?;
        let (value, rest) = rest.get(1..)?.split_at_checked(value)?;
        data = rest.get(1..)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        map.push((text(name), text(value)));
    }
    Some(map)
}

fn word(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*word)).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_serialized_is_read_back() {
        let map = vec![(":path".to_owned(), "/".to_owned()), ("a".to_owned(), String::new())];
        assert_eq!(deserialize(&serialize(&map)), Some(map));
        assert_eq!(deserialize(&[]), Some(Vec::new()));
        assert_eq!(deserialize(&[9, 0, 0, 0]), None);
    }
}
