//! Exponential back-off: a provider that fails is asked after one second, then two, four, up to a minute; the first success ends it.

use std::time::Duration;

use crate::time::UnixTime;

/// The longest.
const MOST: Duration = Duration::from_secs(60);

/// When a provider may be asked again.
#[derive(Debug, Default)]
pub(crate) struct BackOff {
    failures: u32,
    retry_at: UnixTime,
}

impl BackOff {
    /// Counts a failure; true for the first since the last success. `spread` is given the time to wait and the number of failures, and may shorten it.
    pub(crate) fn fail(&mut self, now: UnixTime, spread: impl FnOnce(Duration, u32) -> Duration) -> bool {
        let wait = Duration::from_secs(1 << self.failures.min(6)).min(MOST);
        self.failures = self.failures.saturating_add(1);
        self.retry_at = now.plus(spread(wait, self.failures));
        self.failures == 1
    }

    /// Ends it; whether there was a failure.
    pub(crate) fn succeed(&mut self) -> bool {
        std::mem::take(self).failures > 0
    }

    /// Somebody else failed and waits until `retry_at`: so do we, within the bounds.
    pub(crate) fn extend(&mut self, retry_at: UnixTime, now: UnixTime) {
        self.retry_at = self.retry_at.max(retry_at.min(now.plus(MOST)));
    }

    /// Nothing is to be asked now.
    pub(crate) fn holds(&self, now: UnixTime) -> bool {
        now < self.retry_at
    }

    /// When it ends, or ended.
    pub(crate) const fn retry_at(&self) -> UnixTime {
        self.retry_at
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const T0: UnixTime = UnixTime::from_secs(1_800_000_000);

    fn after(seconds: u64) -> UnixTime {
        T0.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn each_failure_doubles_it_up_to_a_minute() {
        let mut back_off = BackOff::default();
        assert!(!back_off.holds(T0));
        let mut waits = Vec::new();
        for failure in 1..=8 {
            assert_eq!(back_off.fail(T0, |wait, _| wait), failure == 1);
            waits.push(back_off.retry_at().since(T0).as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(back_off.holds(after(59)) && !back_off.holds(after(60)));
    }

    #[test]
    fn a_success_ends_it() {
        let mut back_off = BackOff::default();
        assert!(!back_off.succeed(), "nothing failed");
        back_off.fail(T0, |wait, _| wait);
        assert!(back_off.succeed() && !back_off.holds(T0));
        assert!(back_off.fail(T0, |wait, _| wait), "the first again");
    }

    #[test]
    fn what_others_found_out_extends_it_and_never_shortens_it() {
        let mut back_off = BackOff::default();
        back_off.extend(after(10), T0);
        assert_eq!(back_off.retry_at(), after(10));
        back_off.extend(after(5), T0);
        assert_eq!(back_off.retry_at(), after(10));
        back_off.extend(after(10_000), T0);
        assert_eq!(back_off.retry_at(), after(60));
    }
}
