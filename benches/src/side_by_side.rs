//! The whole comparison.

use std::time::{Duration, Instant};

use clap::ValueEnum;
use envoy_test::project;

use crate::arm::{
    ARMS, Arm, CHAINED, JWT_AUTHN_DEFAULT_LIVE, JWT_AUTHN_LARGE, JWT_AUTHN_LARGE_LIVE, JWT_AUTHN_OFF,
    JWT_AUTHN_TELLING, NO_FILTER, NOT_VERIFYING, OTHER, OTHER_REPEATED, OURS_LIVE, OURS_REPEATED, PACED,
    VERIFYING,
};
use crate::bootstrap::{Built, Destination};
use crate::error::{BenchError, Doing};
use crate::memory::{self, Filled};
use crate::module::{self, Module};
use crate::rounds::{self, Extent, Generator, Samples};
use crate::startup::{self, Startup};
use crate::statistics::Ratio;
use crate::testbed::{Cores, Testbed, progress};
use crate::throughput::{self, Throughput};
use crate::versions::Versions;

/// Copies of the filter in one chain where its cost alone is looked for. With eight, a `jwt_authn` that knows the token is lost in the noise.
pub const COPIES: usize = 24;

/// Processes of each arm, one after the other: two of one build differ by more than their rounds do.
pub const PROCESSES: u32 = 5;

/// What can be measured without the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Section {
    /// Before the first request.
    Startup,
    /// CPU of whole requests.
    Requests,
    /// Throughput and latency.
    Throughput,
    /// Filters alone, with a recognised token.
    Added,
    /// Filters alone, each token verified.
    Verified,
    /// Of recognised tokens.
    Memory,
}

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
    /// Rounds of throughput and latency.
    pub throughput_rounds: u32,
    /// Tokens that caches are filled with.
    pub cached_tokens: u32,
    /// This section, instead of all.
    pub only: Option<Section>,
}

impl Options {
    fn wants(&self, section: Section) -> bool {
        self.only.is_none_or(|only| only == section)
    }

    fn destination(&self, testbed: &Testbed) -> Destination {
        if self.direct { Destination::DirectResponse } else { testbed.upstream() }
    }
}

/// Everything that was found out; what was not measured is empty.
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
    /// Throughput and latency.
    pub throughput: Vec<Throughput>,
    /// Filters alone, with a recognised token.
    pub added: Measurement,
    /// Filters alone, each token verified.
    pub verified: Measurement,
    /// Of recognised tokens.
    pub memory: Vec<Filled>,
    /// Before the first request.
    pub startup: Vec<Startup>,
    /// The exact gate's committed counts.
    pub gate: String,
    /// How long it took.
    pub elapsed: Duration,
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
const QUESTIONS: [(&str, &str); 7] = [
    (OURS_REPEATED, NO_FILTER),
    (OURS_REPEATED, JWT_AUTHN_LARGE),
    (OURS_REPEATED, JWT_AUTHN_TELLING),
    (OURS_REPEATED, JWT_AUTHN_OFF),
    (OURS_LIVE, JWT_AUTHN_LARGE_LIVE),
    (OURS_LIVE, JWT_AUTHN_DEFAULT_LIVE),
    (OURS_REPEATED, OTHER_REPEATED),
];

/// What filters alone are asked.
const ADDED_QUESTIONS: [(&str, &str); 4] = [
    (OURS_REPEATED, JWT_AUTHN_LARGE),
    (OURS_REPEATED, JWT_AUTHN_TELLING),
    (OURS_REPEATED, JWT_AUTHN_OFF),
    (OURS_REPEATED, OTHER_REPEATED),
];

/// Measures everything, or one section.
///
/// # Errors
/// A server or a generator fails, or an answer was not 2xx.
pub async fn run(built: Built, options: Options) -> Result<Findings, BenchError> {
    let began = Instant::now();
    let versions = Versions::read()?;
    let (module, noop) = (module::read(&built.filter)?, module::read(&built.noop)?);
    let gate = project::root().join("benches/gate/baseline.txt");
    let gate = std::fs::read_to_string(&gate).doing(|| gate.display().to_string())?;
    progress("starting the provider and the upstream ...");
    let testbed = Testbed::start(built, options.cores).await?;
    let token_length = testbed.token_length();
    let mut findings = Findings {
        options,
        versions,
        module,
        noop,
        token_length,
        requests: Measurement::default(),
        throughput: Vec::new(),
        added: Measurement::default(),
        verified: Measurement::default(),
        memory: Vec::new(),
        startup: Vec::new(),
        gate,
        elapsed: Duration::ZERO,
    };
    if options.wants(Section::Startup) {
        progress("start-up ...");
        findings.startup = startup::run(&testbed, options.starts).await?;
    }
    if options.wants(Section::Requests) {
        findings.requests = requests(&testbed, &options).await?;
    }
    if options.wants(Section::Throughput) {
        progress("throughput and latency ...");
        let arms: Vec<Arm> = ARMS.into_iter().filter(|arm| PACED.contains(&arm.name)).collect();
        let contenders = testbed.contenders(&arms, options.destination(&testbed), 1).await?;
        let extent = Extent { rounds: options.throughput_rounds, ..options.extent };
        findings.throughput = throughput::run(&contenders, &testbed.load, extent).await?;
    }
    if options.wants(Section::Added) {
        findings.added = added(&testbed, &options).await?;
    }
    if options.wants(Section::Verified) {
        findings.verified = verified(&testbed, &options).await?;
    }
    if options.wants(Section::Memory) {
        findings.memory = memory::run(&testbed, options.cached_tokens, options.extent).await?;
    }
    findings.elapsed = began.elapsed();
    Ok(findings)
}

async fn requests(testbed: &Testbed, options: &Options) -> Result<Measurement, BenchError> {
    progress("whole requests ...");
    let arms = with_other(testbed, &ARMS);
    let mut measurement = Measurement::default();
    while measurement.wants_another(options.attempts) {
        let chain = (options.destination(testbed), 1);
        let samples = all_rounds(testbed, &arms, chain, Generator::Wrk, options.extent).await?;
        measurement = measurement.better(samples, &QUESTIONS);
    }
    Ok(measurement)
}

async fn added(testbed: &Testbed, options: &Options) -> Result<Measurement, BenchError> {
    progress("filters alone ...");
    let arms = with_other(testbed, &CHAINED);
    let mut measurement = Measurement::default();
    while measurement.wants_another(options.attempts) {
        let chain = (Destination::DirectResponse, COPIES);
        let samples = all_rounds(testbed, &arms, chain, Generator::H2load, options.extent).await?;
        measurement = measurement.better(of_one_copy(samples, COPIES), &ADDED_QUESTIONS);
    }
    Ok(measurement)
}

async fn verified(testbed: &Testbed, options: &Options) -> Result<Measurement, BenchError> {
    progress("filters alone, every token verified ...");
    let pairs = VERIFYING.iter().flat_map(|verifying| [verifying.native, verifying.ours]);
    let arms: Vec<Arm> = [NOT_VERIFYING].into_iter().chain(pairs).collect();
    let questions: Vec<_> =
        VERIFYING.iter().map(|verifying| (verifying.ours.name, verifying.native.name)).collect();
    let mut measurement = Measurement::default();
    while measurement.wants_another(options.attempts) {
        let chain = (Destination::DirectResponse, 1);
        let samples = all_rounds(testbed, &arms, chain, Generator::Wrk, options.extent).await?;
        measurement = measurement.better(of_one_copy(samples, 1), &questions);
    }
    Ok(measurement)
}

/// All rounds of one attempt, in [`PROCESSES`] of each arm.
async fn all_rounds(
    testbed: &Testbed,
    arms: &[Arm],
    (destination, copies): (Destination, usize),
    generator: Generator,
    extent: Extent,
) -> Result<Vec<Samples>, BenchError> {
    let mut all: Vec<Samples> = Vec::new();
    let mut earlier = 0;
    for process in 0..PROCESSES {
        let until = extent.rounds * (process + 1) / PROCESSES;
        if until == earlier {
            continue;
        }
        let contenders = testbed.contenders(arms, destination, copies).await?;
        let part = Extent { rounds: until - earlier, ..extent };
        let samples = rounds::run(&contenders, &testbed.load, generator, part, earlier).await?;
        all = if all.is_empty() {
            samples
        } else {
            all.into_iter().zip(samples).map(|(earlier, later)| earlier.and(later)).collect()
        };
        earlier = until;
    }
    Ok(all)
}

/// These, and the other build of our filter where there is one.
fn with_other(testbed: &Testbed, arms: &[Arm]) -> Vec<Arm> {
    let other = testbed.built.other.is_some().then_some(OTHER);
    arms.iter().copied().chain(other).collect()
}

/// What one of so many copies adds: the rounds' differences to no filter, divided by the number of copies.
fn of_one_copy(samples: Vec<Samples>, copies: usize) -> Vec<Samples> {
    let Some(base) = samples.iter().find(|samples| samples.arm == NO_FILTER).cloned() else {
        return Vec::new();
    };
    let copies = copies as f64;
    let added = |mut samples: Samples| {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(arm: &'static str, cpu: &[f64]) -> Samples {
        let best = crate::statistics::minimum(cpu);
        Samples { arm, cpu: cpu.to_vec(), best, requests: 1, recognised: None }
    }

    #[test]
    fn what_one_copy_adds_is_a_difference_within_each_round() {
        let measured = vec![samples(NO_FILTER, &[10.0, 20.0]), samples("a", &[26.0, 28.0])];
        let added = of_one_copy(measured, 8);
        let [added] = added.as_slice() else { panic!("no filter adds nothing to itself") };
        assert_eq!(added.cpu, [2.0, 1.0]);
        assert!((added.best - 2.0).abs() < 1e-9, "of the best rounds of both");
    }

    #[test]
    fn nothing_is_added_to_what_was_not_measured() {
        assert!(of_one_copy(vec![samples("a", &[1.0])], 1).is_empty());
        assert!(ratio(&[samples("a", &[1.0])], "a", "b").is_none());
        assert!(ratio(&[samples("a", &[1.0]), samples("b", &[0.0])], "a", "b").is_none());
    }

    #[test]
    fn the_less_noisy_attempt_is_kept() {
        let steady = || vec![samples("a", &[2.0, 2.0]), samples("b", &[1.0, 1.0])];
        let noisy = || vec![samples("a", &[2.0, 9.0]), samples("b", &[1.0, 1.0])];
        let first = Measurement::default().better(noisy(), &[("a", "b")]);
        assert!(first.wants_another(2) && !first.wants_another(1));
        let second = first.better(steady(), &[("a", "b")]);
        assert_eq!((second.noisy(), second.attempts), (0, 2));
        assert!(!second.wants_another(3));
        let third = second.better(noisy(), &[("a", "b")]);
        assert_eq!((third.noisy(), third.attempts), (0, 3));
    }
}
