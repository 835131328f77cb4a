//! One thing in several parts, so that threads do not wait for each other: nobody shares a lock or a cache line without need.
//!
//! WebAssembly has one thread, and there one part without any bookkeeping.

#[cfg(target_arch = "wasm32")]
pub(crate) use one::Shards;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use several::Shards;

#[cfg(target_arch = "wasm32")]
mod one {
    use super::Share;

    pub(crate) struct Shards<T>(T);

    impl<T> Shards<T> {
        pub(crate) fn new(_threads: usize, _most: usize, mut make: impl FnMut(Share) -> T) -> Self {
            Self(make(Share { number: 0, count: 1 }))
        }

        pub(crate) const fn of(&self, _choice: u64) -> &T {
            &self.0
        }

        pub(crate) const fn of_this_thread(&self) -> &T {
            &self.0
        }

        pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
            std::iter::once(&self.0)
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod several {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::Share;

    pub(crate) struct Shards<T> {
        first: Alone<T>,
        /// One less than a power of two.
        others: Box<[Alone<T>]>,
    }

    /// On cache lines of its own: two, because processors fetch them in pairs.
    #[repr(align(128))]
    struct Alone<T>(T);

    /// Parts for each thread: two threads seldom meet.
    const PARTS_PER_THREAD: usize = 4;

    impl<T> Shards<T> {
        /// For about so many threads, `most` parts at the utmost. One thread has one part.
        pub(crate) fn new(threads: usize, most: usize, mut make: impl FnMut(Share) -> T) -> Self {
            let wanted = if threads > 1 { threads.saturating_mul(PARTS_PER_THREAD) } else { 1 };
            // The power of two that is not above.
            let count = 1 << wanted.next_power_of_two().min(most.max(1)).ilog2();
            let mut part = |number| Alone(make(Share { number, count }));
            Self { first: part(0), others: (1..count).map(part).collect() }
        }

        /// The part that `choice` picks; uniform choices spread evenly.
        pub(crate) fn of(&self, choice: u64) -> &T {
            let place = usize::try_from(choice & self.others.len() as u64).unwrap_or_default();
            let part = place.checked_sub(1).and_then(|place| self.others.get(place));
            &part.unwrap_or(&self.first).0
        }

        /// The part that the running thread has, perhaps with others.
        pub(crate) fn of_this_thread(&self) -> &T {
            static THREADS: AtomicUsize = AtomicUsize::new(0);
            thread_local! {
                static NUMBER: u64 = THREADS.fetch_add(1, Ordering::Relaxed) as u64;
            }
            if self.others.is_empty() { &self.first.0 } else { self.of(NUMBER.with(|number| *number)) }
        }

        pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
            std::iter::once(&self.first).chain(&self.others).map(|part| &part.0)
        }
    }
}

/// One part of several.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    /// Its place, from 0.
    pub(crate) number: usize,
    /// How many there are.
    pub(crate) count: usize,
}

impl Share {
    /// This part's share of `total`: all shares together are `total`.
    pub(crate) const fn of(self, total: usize) -> usize {
        total / self.count + (self.number < total % self.count) as usize
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn count(threads: usize, most: usize) -> usize {
        Shards::new(threads, most, |share| share.number).iter().count()
    }

    #[test]
    fn there_is_a_power_of_two_of_parts_and_never_more_than_allowed() {
        assert_eq!(count(1, 1000), 1);
        assert_eq!(count(0, 1000), 1);
        assert_eq!(count(2, 1000), 8);
        assert_eq!(count(3, 1000), 16);
        assert_eq!(count(96, 1000), 512);
        for (most, expected) in [(0, 1), (1, 1), (2, 2), (3, 2), (39, 32), (40, 32)] {
            assert_eq!(count(64, most), expected, "{most}");
        }
    }

    #[test]
    fn every_part_is_picked_by_the_low_bits_and_always_the_same() {
        let shards = Shards::new(4, 1000, |share| share.number);
        let picked: BTreeSet<usize> = (0..16).map(|choice| *shards.of(choice)).collect();
        assert_eq!(picked.len(), 16);
        for choice in [0, 5, 15, u64::MAX] {
            assert_eq!(shards.of(choice), shards.of(choice ^ 0xff00));
        }
    }

    #[test]
    fn threads_have_parts_of_their_own() {
        let shards = Shards::new(4, 1000, |share| share.number);
        let part = || *shards.of_this_thread();
        assert_eq!(part(), part());
        let others: BTreeSet<usize> = std::thread::scope(|scope| {
            let running: Vec<_> = (0..4).map(|_| scope.spawn(part)).collect();
            running.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(others.len() > 1, "{others:?}");
    }

    #[test]
    fn shares_are_the_whole() {
        for total in [0, 1, 7, 8, 9, 10_000] {
            let mut sum = 0;
            for share in &Shards::new(2, 8, |share| share).iter().copied().collect::<Vec<_>>() {
                sum += share.of(total);
                assert!(share.of(total).abs_diff(total / 8) <= 1);
            }
            assert_eq!(sum, total);
        }
    }
}
