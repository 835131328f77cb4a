//! CPU time of threads: what other programs do on this machine is not in it.

use std::sync::Barrier;

use rustix::time::{ClockId, clock_gettime};

use crate::fixture::Failure;

/// CPU time of this thread so far, in nanoseconds.
pub(crate) fn cpu_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// CPU time of `work`, in nanoseconds.
pub(crate) fn time(work: impl FnOnce() -> Result<(), Failure>) -> Result<f64, Failure> {
    let begun = cpu_time();
    work()?;
    Ok(cpu_time() - begun)
}

/// Runs `work` on so many threads at once; it says how many nanoseconds of CPU time how many operations took. Gives nanoseconds per operation.
/// What `work` has to prepare comes before its call of the function it is given, which waits for the other threads.
pub(crate) fn on_threads(
    threads: usize,
    work: impl Fn(usize, &dyn Fn()) -> Result<(f64, usize), Failure> + Sync,
) -> Result<f64, Failure> {
    let barrier = Barrier::new(threads);
    let (work, barrier) = (&work, &barrier);
    let results: Vec<Result<(f64, usize), Failure>> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|number| {
                scope.spawn(move || {
                    work(number, &|| {
                        barrier.wait();
                    })
                })
            })
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err("a measuring thread panicked".into())))
            .collect()
    });
    let (mut nanoseconds, mut operations) = (0.0, 0);
    for result in results {
        let (time, count) = result?;
        nanoseconds += time;
        operations += count;
    }
    Ok(nanoseconds / operations as f64)
}
