//! What happened in the last second, in memory of one size: the bound holds in any second, not only in the clock's, of which two could meet.

use crate::time::UnixTime;

/// Parts of a second.
const PARTS: u64 = 8;
const PART_NANOS: u64 = 1_000_000_000 / PARTS;

/// A second touches one part more than it has.
const TOUCHED: usize = PARTS as usize + 1;

/// Counts by parts of a second. What was counted is forgotten after one second and at most an eighth.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    /// The number of the newest part since 1970.
    part: u64,
    /// The newest first.
    counts: [u32; TOUCHED],
}

impl Window {
    /// Whether `cost` more keep within `limit`. What costs more than the limit finds room where there is nothing else.
    pub(super) fn has_room(&mut self, cost: u32, limit: u32, now: UnixTime) -> bool {
        self.advance(now);
        let used = self.counts.iter().fold(0_u32, |used, count| used.saturating_add(*count));
        used == 0 || used.saturating_add(cost) <= limit
    }

    /// Counts it.
    pub(super) fn add(&mut self, cost: u32, now: UnixTime) {
        self.advance(now);
        let [newest, ..] = &mut self.counts;
        *newest = newest.saturating_add(cost);
    }

    fn advance(&mut self, now: UnixTime) {
        let part = now.as_nanos() / PART_NANOS;
        if let Some(passed) = part.checked_sub(self.part) {
            let passed = usize::try_from(passed).map_or(TOUCHED, |passed| passed.min(TOUCHED));
            self.counts.rotate_right(passed);
            self.counts.iter_mut().take(passed).for_each(|count| *count = 0);
            self.part = part;
        } else if self.part - part > PARTS {
            // The clock was set back: what was counted ages from here. Threads that read it a little earlier than others are no such thing.
            self.part = part;
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use std::time::Duration;

    use super::*;

    const T0: UnixTime = UnixTime::from_secs(1_800_000_000);

    fn after(millis: u64) -> UnixTime {
        T0.plus(Duration::from_millis(millis))
    }

    /// How many of `wanted` find room.
    fn taken(window: &mut Window, wanted: u32, limit: u32, now: UnixTime) -> u32 {
        (0..wanted).map(|_| take(window, 1, limit, now)).sum()
    }

    fn take(window: &mut Window, cost: u32, limit: u32, now: UnixTime) -> u32 {
        let has_room = window.has_room(cost, limit, now);
        if has_room {
            window.add(cost, now);
        }
        u32::from(has_room)
    }

    #[test]
    fn the_bound_holds_in_any_second() {
        let mut window = Window::default();
        let mut admitted: Vec<u64> = Vec::new();
        // A flood whose rate changes, over ten seconds.
        for millis in 0..10_000_u64 {
            let wanted = if millis % 700 < 350 { 2 } else { u32::from(millis % 3 == 0) };
            let count = taken(&mut window, wanted, 100, after(millis));
            admitted.extend(std::iter::repeat_n(millis, count as usize));
        }
        for start in 0..10_000 {
            let within = admitted.iter().filter(|at| (start..start + 1000).contains(*at)).count();
            assert!(within <= 100, "{within} in the second from {start} ms");
        }
        assert!(admitted.len() >= 800, "and most of what may be is used: {}", admitted.len());
    }

    #[test]
    fn room_comes_back_in_parts() {
        let mut window = Window::default();
        assert_eq!(taken(&mut window, 9, 4, T0), 4);
        assert_eq!(taken(&mut window, 9, 8, after(500)), 4);
        assert_eq!(taken(&mut window, 9, 8, after(1000)), 0);
        assert_eq!(taken(&mut window, 9, 8, after(1125)), 4);
        assert_eq!(taken(&mut window, 9, 8, after(60_000)), 8);
    }

    #[test]
    fn what_costs_more_than_the_limit_goes_alone() {
        let mut window = Window::default();
        assert_eq!([take(&mut window, 8, 3, T0), take(&mut window, 1, 3, T0)], [1, 0]);
        assert_eq!(take(&mut window, 8, 3, after(1125)), 1);
    }

    #[test]
    fn a_clock_that_is_set_back_opens_nothing_and_closes_nothing_for_long() {
        let mut window = Window::default();
        assert_eq!(taken(&mut window, 9, 5, after(100_000)), 5);
        assert_eq!(taken(&mut window, 9, 5, T0), 0);
        assert_eq!(taken(&mut window, 9, 5, after(1125)), 5);
    }

    #[test]
    fn threads_that_disagree_about_the_time_do_not_age_it() {
        let mut window = Window::default();
        assert_eq!(taken(&mut window, 9, 5, after(200)), 5);
        for _ in 0..20 {
            assert_eq!(taken(&mut window, 9, 5, after(100)), 0);
            assert_eq!(taken(&mut window, 9, 5, after(200)), 0);
        }
    }

    #[test]
    fn counts_saturate() {
        let mut window = Window::default();
        window.add(u32::MAX, T0);
        window.add(u32::MAX, T0);
        assert!(!window.has_room(1, u32::MAX - 1, T0));
    }
}
