//! How much one provider is asked (SPEC O-1): so many at once, so many in any second, and nothing during the back-off after a failure.
//!
//! A quarter of both is kept for tokens that were good when they were asked about last. Whoever floods us with garbage takes up the rest, and those who are in
//! already stay in.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::back_off::BackOff;
use crate::policy::IntrospectionLimits;
use crate::time::UnixTime;

/// A question that was asked longer ago has been lost by its shell.
const LOST_AFTER: Duration = Duration::from_secs(60);

/// One part in so many is kept for tokens that were good.
const KEPT: u32 = 4;

/// What is known of a token that is to be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing good.
    Unknown,
    /// It was active when it was asked about last, and has not expired.
    WasActive,
}

/// Bounds the questions to one provider.
#[derive(Debug)]
pub struct Limiter {
    limits: IntrospectionLimits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    in_flight: u32,
    /// When questions of the last second were asked; at most as many as may be. Any second is looked at, not the clock's, of which two could meet.
    begun: VecDeque<UnixTime>,
    last_begun: UnixTime,
    back_off: BackOff,
}

impl Limiter {
    /// Nothing asked yet.
    pub fn new(limits: IntrospectionLimits) -> Self {
        Self { limits, state: Mutex::default() }
    }

    /// Whether the provider may be asked now.
    pub fn may_ask(&self, standing: Standing, now: UnixTime) -> bool {
        self.state().may_ask(self.limits, standing, now)
    }

    /// Counts a question that goes out now. False: it may not.
    pub fn begin(&self, standing: Standing, now: UnixTime) -> bool {
        let mut state = self.state();
        if !state.may_ask(self.limits, standing, now) {
            return false;
        }
        state.in_flight += 1;
        state.begun.push_back(now);
        state.last_begun = now;
        true
    }

    /// The provider answered, whatever.
    pub fn succeed(&self) -> bool {
        let mut state = self.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        state.back_off.succeed()
    }

    /// It did not. True for the first since the last success.
    pub fn fail(&self, now: UnixTime) -> bool {
        let mut state = self.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        state.back_off.fail(now, |wait, _| wait)
    }

    /// A question whose asker is gone.
    pub fn abandon(&self) {
        let mut state = self.state();
        state.in_flight = state.in_flight.saturating_sub(1);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn may_ask(&mut self, limits: IntrospectionLimits, standing: Standing, now: UnixTime) -> bool {
        // A clock that was set back makes the future of the past.
        let is_over = |begun: &UnixTime| now.since(*begun) >= Duration::from_secs(1) || now < *begun;
        while self.begun.front().is_some_and(is_over) {
            self.begun.pop_front();
        }
        if now.since(self.last_begun) > LOST_AFTER {
            self.in_flight = 0;
        }
        !self.back_off.holds(now)
            && self.in_flight < share(limits.in_flight, standing)
            && u32::try_from(self.begun.len()).is_ok_and(|begun| begun < share(limits.per_second, standing))
    }
}

/// How much of a limit is for such tokens.
const fn share(limit: u32, standing: Standing) -> u32 {
    match standing {
        Standing::Unknown => limit - limit / KEPT,
        Standing::WasActive => limit,
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const T0: UnixTime = UnixTime::from_secs(1_800_000_000);

    fn after(millis: u64) -> UnixTime {
        T0.plus(Duration::from_millis(millis))
    }

    #[test]
    fn only_so_many_are_in_flight() {
        let limiter = Limiter::new(IntrospectionLimits { in_flight: 2, per_second: 100 });
        let begin = || limiter.begin(Standing::Unknown, T0);
        assert_eq!([begin(), begin(), begin()], [true, true, false]);
        limiter.succeed();
        assert!(begin() && !begin());
        limiter.abandon();
        assert!(begin());
    }

    #[test]
    fn only_so_many_go_out_in_any_second() {
        let limiter = Limiter::new(IntrospectionLimits { in_flight: 100, per_second: 3 });
        let begun = |at| (0..10).filter(|_| limiter.begin(Standing::Unknown, at)).count();
        assert_eq!([begun(T0), begun(after(999)), begun(after(1000)), begun(after(1500))], [3, 0, 3, 0]);
        // Late in one second of the clock and early in the next is the same second.
        assert_eq!(
            [begun(after(2900)), begun(after(3100)), begun(after(3899)), begun(after(3900))],
            [3, 0, 0, 3]
        );
    }

    #[test]
    fn a_clock_that_is_set_back_closes_nothing_for_long() {
        let limiter = Limiter::new(IntrospectionLimits { in_flight: 100, per_second: 2 });
        let begun = |at| (0..10).filter(|_| limiter.begin(Standing::Unknown, at)).count();
        assert_eq!([begun(after(100_000)), begun(T0), begun(after(999)), begun(after(1000))], [2, 2, 0, 2]);
    }

    #[test]
    fn a_quarter_is_kept_for_tokens_that_were_good() {
        for (in_flight, per_second) in [(8, 1000), (1000, 8)] {
            let limiter = Limiter::new(IntrospectionLimits { in_flight, per_second });
            let begun = |standing| (0..100).filter(|_| limiter.begin(standing, T0)).count();
            assert_eq!(
                [begun(Standing::Unknown), begun(Standing::WasActive), begun(Standing::Unknown)],
                [6, 2, 0]
            );
        }
        // And what they take is taken from all.
        let limiter = Limiter::new(IntrospectionLimits { in_flight: 8, per_second: 8 });
        assert_eq!((0..100).filter(|_| limiter.begin(Standing::WasActive, T0)).count(), 8);
        assert!(!limiter.may_ask(Standing::Unknown, T0));
    }

    #[test]
    fn where_little_may_be_asked_nothing_is_kept() {
        let limiter = Limiter::new(IntrospectionLimits { in_flight: 1, per_second: 1 });
        assert!(limiter.may_ask(Standing::Unknown, T0));
    }

    #[test]
    fn nothing_goes_out_during_the_back_off() {
        let limiter = Limiter::new(IntrospectionLimits::default());
        let begin = |at| limiter.begin(Standing::WasActive, at);
        assert!(begin(T0) && limiter.fail(T0));
        assert!(!begin(after(999)) && begin(after(1000)));
        assert!(!limiter.fail(after(1000)), "told once");
        assert!(!begin(after(2999)) && begin(after(3000)));
        assert!(limiter.succeed(), "it recovered");
        assert!(begin(after(3000)));
    }
}
