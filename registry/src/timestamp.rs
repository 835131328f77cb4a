//! RFC 3339 timestamps.

use time::OffsetDateTime;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;

/// A point in time with its RFC 3339 text in UTC. Ordered by time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    at: OffsetDateTime,
    text: String,
}

impl Timestamp {
    /// Parses RFC 3339, any offset; `None` for anything else, dates without a time or an offset included.
    pub fn from_text(text: &str) -> Option<Self> {
        let at = OffsetDateTime::parse(text, &Rfc3339).ok()?.checked_to_offset(UtcOffset::UTC)?;
        let text = at.format(&Rfc3339).ok()?;
        Some(Self { at, text })
    }

    /// 1970-01-01T00:00:00Z: the date of what bears none.
    pub fn epoch() -> Self {
        Self { at: OffsetDateTime::UNIX_EPOCH, text: "1970-01-01T00:00:00Z".to_owned() }
    }

    /// The point in time, in UTC.
    pub fn at(&self) -> OffsetDateTime {
        self.at
    }

    /// RFC 3339 in UTC, with as many digits of a second as were given.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_turned_to_utc() {
        for (given, utc) in [
            ("2025-08-07T13:15:04.280Z", "2025-08-07T13:15:04.28Z"),
            ("2025-08-07T13:15:04+02:00", "2025-08-07T11:15:04Z"),
            ("2025-08-07t13:15:04z", "2025-08-07T13:15:04Z"),
            ("1970-01-01T00:00:00Z", Timestamp::epoch().as_str()),
        ] {
            assert_eq!(Timestamp::from_text(given).unwrap().as_str(), utc);
        }
        assert_eq!(Timestamp::from_text("1970-01-01T00:00:00Z"), Some(Timestamp::epoch()));
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "2025",
            "2025-08-07",
            "2025-08-07T13:15:04",
            "2025-08-07T13:15Z",
            "1754572504",
            "2025-13-07T13:15:04Z",
            "2025-08-07T25:15:04Z",
            "2025-08-07T13:15:04+0200",
            "2025-08-07T13:15:04Z ",
            "2025-08-07T13:15:04 02:00",
            "yesterday",
            "9999-12-31T23:59:59-01:00",
            "2025-08-07T13:15:04Z[UTC]",
        ] {
            assert_eq!(Timestamp::from_text(text), None, "{text:?}");
        }
    }
}
