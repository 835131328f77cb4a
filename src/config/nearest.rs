//! Which valid word was probably meant.

/// The candidate most like `word`, if one is like it at all. Case, `_` and `-` make no difference.
pub(super) fn nearest<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let word = fold(word);
    candidates
        .iter()
        .filter_map(|candidate| {
            let folded = fold(candidate);
            let distance = distance_with_swap(&word, &folded);
            let longest = word.len().max(folded.len());
            let part =
                word.len() >= 3 && contains(&folded, &word) || folded.len() >= 3 && contains(&word, &folded);
            (part || distance <= (longest / 3).max(1)).then_some((distance, *candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Bounded, so that a long key costs little.
fn fold(word: &str) -> Vec<char> {
    word.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).take(64).collect()
}

fn contains(word: &[char], part: &[char]) -> bool {
    word.windows(part.len()).any(|window| window == part)
}

/// Levenshtein's distance, where one swap of neighbours counts as one change: `mdoe`.
fn distance_with_swap(a: &[char], b: &[char]) -> usize {
    let swapped = (1..a.len()).map(|index| {
        let mut a = a.to_vec();
        a.swap(index - 1, index);
        distance(&a, b) + 1
    });
    swapped.fold(distance(a, b), usize::min)
}

fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        // `diagonal` is the previous row's value to the upper left, `left` this row's to the left.
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, y) in row.iter_mut().skip(1).zip(b) {
            let changed = diagonal + usize::from(x != y);
            diagonal = *cell;
            left = changed.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("abc", "abc", 0),
            ("kitten", "sitting", 3),
            ("ab", "ba", 2),
        ] {
            let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            assert_eq!(distance(&a, &b), expected);
        }
    }

    #[test]
    fn probable_words_are_found_and_others_not() {
        let keys = [
            "name",
            "issuerUrl",
            "audience",
            "jwksUrl",
            "clientId",
            "clientSecretFile",
            "allowPrivateIP",
            "clockSkew",
        ];
        for (word, expected) in [
            ("issuerURL", Some("issuerUrl")),
            ("issuer_url", Some("issuerUrl")),
            ("issuer", Some("issuerUrl")),
            ("jwks-uri", Some("jwksUrl")),
            ("aud", Some("audience")),
            ("audiance", Some("audience")),
            ("clientSecret", Some("clientSecretFile")),
            ("allowPrivateIPs", Some("allowPrivateIP")),
            ("skew", Some("clockSkew")),
            ("nam", Some("name")),
            ("xyz", None),
            ("id", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &keys), expected, "{word}");
        }
    }
}
