//! Durations as users write them: `500ms`, `10s`, `5m`, `1h`.

use std::time::Duration;

/// A whole number and one unit; `None` for everything else.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

/// As [`parse`] reads it, in the largest unit that fits.
pub(super) fn display(duration: Duration) -> String {
    let millis = duration.as_millis();
    [(60 * 60 * 1000, "h"), (60 * 1000, "m"), (1000, "s")]
        .into_iter()
        .find(|(unit, _)| millis > 0 && millis.is_multiple_of(*unit))
        .map_or_else(|| format!("{millis}ms"), |(unit, name)| format!("{}{name}", millis / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_and_one_unit() {
        for (text, millis) in
            [("500ms", 500), ("0s", 0), ("10s", 10_000), ("5m", 300_000), ("1h", 3_600_000), ("007s", 7000)]
        {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn nothing_else() {
        for text in [
            "",
            "10",
            "s",
            "ms",
            "-1s",
            "+1s",
            "1.5s",
            "1 s",
            " 1s",
            "1s ",
            "1S",
            "1d",
            "1h30m",
            "1us",
            "1_000ms",
            "\u{663}s",
            "1e3s",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn shown_as_written() {
        for text in ["500ms", "10s", "90s", "5m", "1h", "24h", "0ms"] {
            assert_eq!(display(parse(text).unwrap()), text);
        }
    }
}
