//! What a request may cost at most, whatever the baseline says.

use std::fmt;

use crate::counts::Counts;

/// The hard limit of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// A recognised token: 10,000 instructions, 7 host calls, one of them returning data.
    Recognised,
    /// Refused by form or length: 20,000 instructions.
    ByForm,
    /// Refused by header or claims: 20,000 instructions, and 60 for each byte of the token.
    ByClaims,
    /// The baseline's only.
    None,
}

/// Bytes of linear memory a recognised token may take.
pub(crate) const BYTES_PER_TOKEN: u64 = 300;

/// A limit and what was found.
pub(crate) struct Verdict {
    pub(crate) scenario: String,
    what: &'static str,
    limit: u64,
    pub(crate) actual: u64,
}

impl Verdict {
    /// Whether it is kept.
    pub(crate) const fn is_met(&self) -> bool {
        self.actual <= self.limit
    }

    /// Of the memory of recognised tokens.
    pub(crate) fn memory(tokens: u64, bytes: u64) -> Self {
        Self {
            scenario: format!("{tokens} recognised tokens"),
            what: "bytes a token",
            limit: BYTES_PER_TOKEN,
            actual: bytes,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_met() { "ok  " } else { "OVER" };
        write!(
            f,
            "{verdict} {:<34} {:>9} of at most {:>9} {}",
            self.scenario, self.actual, self.limit, self.what
        )
    }
}

impl Limit {
    /// The verdicts on a scenario whose token has so many bytes.
    pub(crate) fn verdicts(self, scenario: &str, counts: &Counts, token: usize) -> Vec<Verdict> {
        let verdict = |what, limit, actual| Verdict { scenario: scenario.to_owned(), what, limit, actual };
        let instructions = |limit| verdict("instructions", limit, counts.instructions());
        match self {
            Self::Recognised => vec![
                instructions(10_000),
                verdict("host calls", 7, counts.host_calls()),
                verdict("host calls that return data", 1, counts.data_calls()),
            ],
            Self::ByForm => vec![instructions(20_000)],
            Self::ByClaims => vec![instructions(20_000 + 60 * token as u64)],
            Self::None => Vec::new(),
        }
    }
}
