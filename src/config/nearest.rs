//! Which valid word was probably meant.

/// The candidate most like `word`, if one is like it at all. Case, `_` and `-` make no difference; neighbours that were swapped are one change.
pub fn nearest<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let word = fold(word);
    candidates
        .iter()
        .filter_map(|candidate| {
            let folded = fold(candidate);
            let distance = strsim::osa_distance(&word, &folded);
            let longest = word.chars().count().max(folded.chars().count());
            let part =
                word.len() >= 3 && folded.contains(&word) || folded.len() >= 3 && word.contains(&folded);
            (part || distance <= (longest / 3).max(1)).then_some((distance, *candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Bounded, so that a long key costs little.
fn fold(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("nmae", Some("name")),
            ("xyz", None),
            ("id", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &keys), expected, "{word}");
        }
    }
}
