//! What is counted (SPEC L-2). The core counts; shells publish in their host's own metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::rejection::Cause;
use crate::shards::Shards;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Forwarded with an identity.
    Authenticated,
    /// Forwarded without one: a public path, a preflight, or anonymous mode.
    Public,
    /// Answered with the resource's metadata.
    Metadata,
    /// Refused.
    Refused(Cause),
}

const FORWARDED: usize = 3;
const OUTCOMES: usize = FORWARDED + Cause::ALL.len();
const EVENTS: [Event; 4] = [Event::CacheHit, Event::Fetch, Event::FetchFailure, Event::Verification];

impl Outcome {
    const fn number(self) -> usize {
        match self {
            Self::Authenticated => 0,
            Self::Public => 1,
            Self::Metadata => 2,
            Self::Refused(cause) => FORWARDED + cause as usize,
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        [Self::Authenticated, Self::Public, Self::Metadata].into_iter().chain(Cause::ALL.map(Self::Refused))
    }

    /// The label in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authenticated => "authenticated",
            Self::Public => "public",
            Self::Metadata => "metadata",
            Self::Refused(cause) => cause.as_str(),
        }
    }
}

/// Something counted beside decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A token was recognised.
    CacheHit,
    /// A request to a provider went out.
    Fetch,
    /// It was of no use.
    FetchFailure,
    /// A signature was verified, or found wrong.
    Verification,
}

/// One counter with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// `decisions_total` and the like.
    pub name: &'static str,
    /// The provider's place in the configuration; `None` where no provider was chosen.
    pub provider: Option<usize>,
    /// The outcome of decisions.
    pub outcome: Option<&'static str>,
    /// Since the start.
    pub value: u64,
}

/// The counters of one worker.
pub struct Metrics {
    /// Threads count in parts of their own; the sums are what was counted.
    shards: Shards<Box<[AtomicU64]>>,
}

const ROW: usize = OUTCOMES + EVENTS.len();

impl Metrics {
    /// All zero, for about so many threads.
    pub fn new(providers: usize, threads: usize) -> Self {
        let cells = |_| (0..(providers + 1) * ROW).map(|_| AtomicU64::new(0)).collect();
        Self { shards: Shards::new(threads, usize::MAX, cells) }
    }

    /// Counts a decision.
    pub fn decided(&self, provider: Option<usize>, outcome: Outcome) {
        self.count(provider, outcome.number());
    }

    /// Counts an event of a provider.
    pub fn happened(&self, provider: usize, event: Event) {
        self.count(Some(provider), OUTCOMES + event as usize);
    }

    /// All counters, in the same order each time, so that a shell can keep what it published beside them.
    pub fn counters(&self) -> impl Iterator<Item = Counter> + '_ {
        let cells = self.shards.iter().next().map_or(0, |cells| cells.len());
        (0..cells / ROW).flat_map(move |row| {
            let provider = row.checked_sub(1);
            let decisions = Outcome::all().map(|outcome| ("decisions_total", Some(outcome.as_str())));
            let events = EVENTS.iter().map(|event| (event.name(), None));
            decisions.chain(events).enumerate().map(move |(column, (name, outcome))| Counter {
                name,
                provider,
                outcome,
                value: self.sum(row * ROW + column),
            })
        })
    }

    fn sum(&self, cell: usize) -> u64 {
        let cells = self.shards.iter().filter_map(|cells| cells.get(cell));
        cells.map(|cell| cell.load(Ordering::Relaxed)).sum()
    }

    fn count(&self, provider: Option<usize>, column: usize) {
        let row = provider.map_or(0, |provider| provider + 1);
        if let Some(cell) = self.shards.of_this_thread().get(row * ROW + column) {
            cell.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Event {
    const fn name(self) -> &'static str {
        match self {
            Self::CacheHit => "token_cache_hits_total",
            Self::Fetch => "fetches_total",
            Self::FetchFailure => "fetch_failures_total",
            Self::Verification => "signature_verifications_total",
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn every_outcome_and_event_has_a_cell_of_its_own() {
        let metrics = Metrics::new(2, 4);
        for outcome in Outcome::all() {
            metrics.decided(Some(1), outcome);
        }
        EVENTS.iter().for_each(|event| metrics.happened(1, *event));
        metrics.decided(None, Outcome::Public);
        let counted: Vec<Counter> = metrics.counters().filter(|counter| counter.value > 0).collect();
        assert_eq!(counted.len(), ROW + 1);
        assert!(counted.iter().all(|counter| counter.value == 1));
        assert_eq!(
            counted[0],
            Counter { name: "decisions_total", provider: None, outcome: Some("public"), value: 1 }
        );
    }

    #[test]
    #[cfg(not(target_arch = "wasm32"))]
    fn what_threads_counted_is_summed() {
        let metrics = Metrics::new(1, 4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..100).for_each(|_| metrics.happened(0, Event::CacheHit)));
            }
        });
        assert_eq!(metrics.counters().map(|counter| counter.value).sum::<u64>(), 400);
    }
}
