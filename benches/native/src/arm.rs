//! Something that is measured, round by round.

use crate::fixture::Failure;

/// One row.
pub(crate) struct Arm {
    pub(crate) name: String,
    pub(crate) threads: usize,
    run: Box<dyn Fn() -> Result<f64, Failure>>,
    /// Nanoseconds per operation, of each round.
    pub(crate) samples: Vec<f64>,
}

impl Arm {
    /// `run` is one round.
    pub(crate) fn new(
        name: String,
        threads: usize,
        run: impl Fn() -> Result<f64, Failure> + 'static,
    ) -> Self {
        Self { name, threads, run: Box::new(run), samples: Vec::new() }
    }

    /// Measures once more.
    pub(crate) fn round(&mut self) -> Result<(), Failure> {
        self.samples.push((self.run)()?);
        Ok(())
    }

    /// Warms up: measures and forgets.
    pub(crate) fn warm_up(&self) -> Result<(), Failure> {
        (self.run)().map(drop)
    }
}
