//! How much one provider is asked (SPEC O-1): so many at once, so many a second, and nothing during the back-off after a failure.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::policy::IntrospectionLimits;
use crate::time::UnixTime;

/// The longest back-off.
const MAX_BACK_OFF: Duration = Duration::from_secs(60);

/// A question that was asked longer ago has been lost by its shell.
const LOST_AFTER: Duration = Duration::from_secs(60);

/// Bounds the questions to one provider.
#[derive(Debug)]
pub struct Limiter {
    limits: IntrospectionLimits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    in_flight: u32,
    last_begun: UnixTime,
    second: UnixTime,
    begun_this_second: u32,
    failures: u32,
    retry_at: UnixTime,
}

impl Limiter {
    /// Nothing asked yet.
    pub fn new(limits: IntrospectionLimits) -> Self {
        Self { limits, state: Mutex::default() }
    }

    /// Whether the provider may be asked now.
    pub fn may_ask(&self, now: UnixTime) -> bool {
        self.state().may_ask(self.limits, now)
    }

    /// Counts a question that goes out now. False: it may not.
    pub fn begin(&self, now: UnixTime) -> bool {
        let mut state = self.state();
        if !state.may_ask(self.limits, now) {
            return false;
        }
        state.in_flight += 1;
        state.begun_this_second += 1;
        state.last_begun = now;
        true
    }

    /// The provider answered, whatever.
    pub fn succeed(&self) -> bool {
        let mut state = self.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        state.retry_at = UnixTime::EPOCH;
        std::mem::take(&mut state.failures) > 0
    }

    /// It did not. True for the first since the last success.
    pub fn fail(&self, now: UnixTime) -> bool {
        let mut state = self.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        let back_off = Duration::from_secs(1 << state.failures.min(6)).min(MAX_BACK_OFF);
        state.failures = state.failures.saturating_add(1);
        state.retry_at = now.plus(back_off);
        state.failures == 1
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
    fn may_ask(&mut self, limits: IntrospectionLimits, now: UnixTime) -> bool {
        if now.since(self.second) >= Duration::from_secs(1) || now < self.second {
            self.second = now;
            self.begun_this_second = 0;
        }
        if now.since(self.last_begun) > LOST_AFTER {
            self.in_flight = 0;
        }
        now >= self.retry_at
            && self.in_flight < limits.in_flight
            && self.begun_this_second < limits.per_second
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
        assert_eq!([limiter.begin(T0), limiter.begin(T0), limiter.begin(T0)], [true, true, false]);
        limiter.succeed();
        assert!(limiter.begin(T0) && !limiter.begin(T0));
        limiter.abandon();
        assert!(limiter.begin(T0));
    }

    #[test]
    fn only_so_many_go_out_in_a_second() {
        let limiter = Limiter::new(IntrospectionLimits { in_flight: 100, per_second: 3 });
        let begun = |at| (0..10).filter(|_| limiter.begin(at)).count();
        assert_eq!((begun(T0), begun(after(999)), begun(after(1000)), begun(after(1500))), (3, 0, 3, 0));
    }

    #[test]
    fn nothing_goes_out_during_the_back_off() {
        let limiter = Limiter::new(IntrospectionLimits::default());
        assert!(limiter.begin(T0) && limiter.fail(T0));
        assert!(!limiter.begin(after(999)) && limiter.begin(after(1000)));
        assert!(!limiter.fail(after(1000)), "told once");
        assert!(!limiter.begin(after(2999)) && limiter.begin(after(3000)));
        assert!(limiter.succeed(), "it recovered");
        assert!(limiter.begin(after(3000)));
    }
}
