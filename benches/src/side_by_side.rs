//! The whole comparison.

use crate::arm::{
    ARMS, Arm, CHAINED, JWT_AUTHN_DEFAULT_LIVE, JWT_AUTHN_LARGE, JWT_AUTHN_LARGE_LIVE, JWT_AUTHN_OFF,
    NO_FILTER, OTHER, OTHER_REPEATED, OURS_LIVE, OURS_REPEATED, OURS_VERIFYING,
};
use crate::bootstrap::{Built, Destination};
use crate::error::BenchError;
use crate::module::{self, Module};
use crate::rounds::{self, Extent, Generator, Samples};
use crate::startup::{self, Startup};
use crate::statistics::Ratio;
use crate::testbed::{Cores, Testbed, progress};
use crate::versions::Versions;

/// Copies of the filter in one chain where its cost alone is looked for.
pub const COPIES: usize = 8;

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Rounds and their length.
    pub extent: Extent,
    /// How often a noisy measurement is taken, at most.
    pub attempts: u32,
    /// Starts of each filter.
    pub starts: u32,
    /// Which core does what.
    pub cores: Cores,
    /// Whole requests are answered by Envoy itself.
    pub direct: bool,
}

/// Everything that was found out.
#[derive(Clone, Debug)]
pub struct Findings {
    /// How.
    pub options: Options,
    /// On what.
    pub versions: Versions,
    /// Our filter.
    pub module: Module,
    /// The no-op filter.
    pub noop: Module,
    /// Length of a token in bytes.
    pub token_length: usize,
    /// Whole requests.
    pub requests: Measurement,
    /// Filters alone.
    pub added: Measurement,
    /// Before the first request.
    pub startup: Vec<Startup>,
}

/// Samples of all arms, and the ratios that answer questions.
#[derive(Clone, Debug, Default)]
pub struct Measurement {
    /// Of whole requests, or of one copy of a filter.
    pub samples: Vec<Samples>,
    /// Arm, arm it is compared with, ratio.
    pub ratios: Vec<Comparison>,
    /// How often it was taken.
    pub attempts: u32,
}

/// One arm beside another.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    /// The numerator.
    pub arm: &'static str,
    /// The denominator.
    pub to: &'static str,
    /// In CPU time; `None` where the denominator is lost in the noise.
    pub ratio: Option<Ratio>,
}

/// What whole requests are asked.
const QUESTIONS: [(&str, &str); 8] = [
    (OURS_REPEATED, NO_FILTER),
    (OURS_REPEATED, JWT_AUTHN_LARGE),
    (OURS_REPEATED, JWT_AUTHN_OFF),
    (OURS_LIVE, JWT_AUTHN_LARGE_LIVE),
    (OURS_LIVE, JWT_AUTHN_DEFAULT_LIVE),
    (OURS_VERIFYING, JWT_AUTHN_OFF),
    (OURS_VERIFYING, JWT_AUTHN_DEFAULT_LIVE),
    (OURS_REPEATED, OTHER_REPEATED),
];

/// What filters alone are asked.
const ADDED_QUESTIONS: [(&str, &str); 3] =
    [(OURS_REPEATED, JWT_AUTHN_LARGE), (OURS_REPEATED, JWT_AUTHN_OFF), (OURS_REPEATED, OTHER_REPEATED)];

/// Measures everything.
///
/// # Errors
/// A server or a generator fails, or an answer was not 2xx.
pub async fn run(built: Built, options: Options) -> Result<Findings, BenchError> {
    let versions = Versions::read()?;
    let (module, noop) = (module::read(&built.filter)?, module::read(&built.noop)?);
    let other = built.other.is_some().then_some(OTHER);
    let with_other = |arms: &[Arm]| arms.iter().copied().chain(other).collect::<Vec<_>>();
    progress("starting the provider and the upstream ...");
    let testbed = Testbed::start(built, options.cores).await?;
    progress("start-up and memory ...");
    let startup = startup::run(&testbed, options.starts).await?;
    progress("whole requests ...");
    let destination = if options.direct { Destination::DirectResponse } else { testbed.upstream() };
    let contenders = testbed.contenders(&with_other(&ARMS), destination, 1).await?;
    let mut requests = Measurement::default();
    while requests.wants_another(options.attempts) {
        let samples = rounds::run(&contenders, &testbed.load, Generator::Wrk, options.extent).await?;
        requests = requests.better(samples, &QUESTIONS);
    }
    drop(contenders);
    progress("filters alone ...");
    let contenders = testbed.contenders(&with_other(&CHAINED), Destination::DirectResponse, COPIES).await?;
    let mut added = Measurement::default();
    while added.wants_another(options.attempts) {
        let samples = rounds::run(&contenders, &testbed.load, Generator::H2load, options.extent).await?;
        added = added.better(of_one_copy(samples), &ADDED_QUESTIONS);
    }
    let token_length = testbed.token_length();
    Ok(Findings { options, versions, module, noop, token_length, requests, added, startup })
}

/// What one copy adds: the rounds' differences to no filter, divided by the number of copies.
fn of_one_copy(samples: Vec<Samples>) -> Vec<Samples> {
    let Some(base) = samples.iter().find(|samples| samples.arm == NO_FILTER).cloned() else {
        return Vec::new();
    };
    let added = |mut samples: Samples| {
        let copies = COPIES as f64;
        samples.cpu =
            samples.cpu.iter().zip(&base.cpu).map(|(with, without)| (with - without) / copies).collect();
        samples.best = (samples.best - base.best) / copies;
        samples
    };
    samples.into_iter().filter(|samples| samples.arm != NO_FILTER).map(added).collect()
}

impl Measurement {
    /// Ratios that cannot be trusted.
    pub fn noisy(&self) -> usize {
        self.ratios.iter().filter(|comparison| comparison.ratio.is_none_or(|ratio| ratio.is_noisy())).count()
    }

    fn wants_another(&self, attempts: u32) -> bool {
        self.attempts == 0 || (self.noisy() > 0 && self.attempts < attempts)
    }

    /// The less noisy one of this and a new attempt.
    fn better(self, samples: Vec<Samples>, questions: &[(&'static str, &'static str)]) -> Self {
        let ratios = questions.iter().filter_map(|(arm, to)| compare(&samples, arm, to)).collect();
        let new = Self { samples, ratios, attempts: self.attempts + 1 };
        if new.noisy() > 0 {
            progress(&format!("{} of {} ratios are noisy", new.noisy(), new.ratios.len()));
        }
        if self.attempts > 0 && self.noisy() <= new.noisy() {
            return Self { attempts: new.attempts, ..self };
        }
        new
    }
}

fn compare(samples: &[Samples], arm: &'static str, to: &'static str) -> Option<Comparison> {
    let find = |name: &str| samples.iter().find(|samples| samples.arm == name);
    let (numerator, denominator) = (find(arm)?, find(to)?);
    let ratio = Ratio::of(&numerator.cpu, &denominator.cpu, numerator.best / denominator.best);
    Some(Comparison { arm, to, ratio })
}

/// The ratio of two arms; `None` where one was not measured, or the denominator is lost in the noise.
pub fn ratio(samples: &[Samples], arm: &'static str, to: &'static str) -> Option<Ratio> {
    compare(samples, arm, to)?.ratio
}
