//! Rounds: every arm in turn, the order reversed each time, and what each Envoy's CPU did for a request.

use std::time::{Duration, Instant};

use crate::arm::{Filter, Tokens};
use crate::error::{BenchError, Doing};
use crate::load::{CONNECTIONS, Load, Order};
use crate::statistics::minimum;
use crate::testbed::{Contender, progress};

/// How arms are put under load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generator {
    /// `wrk` over HTTP/1.1, any tokens.
    Wrk,
    /// `h2load` over one HTTP/2 connection, the repeated token.
    H2load,
}

/// How long it all takes.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Rounds.
    pub rounds: u32,
    /// Of an arm in a round.
    pub seconds: u32,
}

/// What was read of an arm.
#[derive(Clone, Debug)]
pub struct Samples {
    /// The arm's name.
    pub arm: &'static str,
    /// CPU time of all of Envoy for a request, in microseconds, one figure a round.
    pub cpu: Vec<f64>,
    /// Their minimum; of differences, the difference of the minima, since the least of them is that with the worst round subtracted.
    pub best: f64,
    /// Requests in all rounds.
    pub requests: u64,
    /// Which part of the tokens was recognised, not verified; `None` where the filter counts none.
    pub recognised: Option<f64>,
}

/// Responses so far, as Envoy counted them.
#[derive(Clone, Copy, Debug)]
struct Answers {
    completed: u64,
    succeeded: u64,
}

/// Tokens so far, as the filter counted them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Looked {
    /// Found in its cache.
    pub recognised: u64,
    /// Not found there, so that their signatures were verified.
    pub verified: u64,
}

/// Requests of a first `h2load`, from which the number for a round follows.
const FIRST_REQUESTS: u64 = 2_000;

/// Warm-up goes on until each live token was seen twice.
const WARM_UP_REQUESTS: u64 = 2 * crate::arm::LIVE_TOKENS as u64;

/// Measures all arms. Rounds before these, of other processes, were `earlier`.
///
/// # Errors
/// A generator fails, or an answer was not 2xx.
pub async fn run(
    contenders: &[Contender],
    load: &Load,
    generator: Generator,
    extent: Extent,
    earlier: u32,
) -> Result<Vec<Samples>, BenchError> {
    let mut sizes = Vec::new();
    for contender in contenders {
        sizes.push(warm_up(contender, load, generator, extent.seconds).await?);
    }
    let before = looked(contenders).await;
    let new = |contender: &Contender| Samples {
        arm: contender.arm.name,
        cpu: Vec::new(),
        best: 0.0,
        requests: 0,
        recognised: None,
    };
    let mut samples: Vec<Samples> = contenders.iter().map(new).collect();
    for round in earlier..earlier + extent.rounds {
        let mut turns: Vec<_> = contenders.iter().zip(&mut samples).zip(&sizes).collect();
        if round % 2 == 1 {
            turns.reverse();
        }
        for ((contender, samples), size) in turns {
            let order = match contender.arm.tokens {
                Tokens::Repeated | Tokens::Live => Order::Random(round + 1),
                Tokens::InTurn(_) | Tokens::Filling => Order::Cycle(samples.requests),
            };
            let (cpu, requests) =
                measure(contender, || send(contender, load, generator, order, extent.seconds, *size)).await?;
            samples.cpu.push(cpu);
            samples.requests += requests;
        }
        progress(&format!("round {}", round + 1));
    }
    let after = looked(contenders).await;
    for ((contender, samples), (before, after)) in
        contenders.iter().zip(&mut samples).zip(before.into_iter().zip(after))
    {
        let since = after.since(before);
        since.check(contender, samples.requests)?;
        samples.recognised = since.recognised_part();
        samples.best = minimum(&samples.cpu);
    }
    Ok(samples)
}

/// Returns how many requests make a round of `h2load`.
///
/// # Errors
/// A generator fails, or an answer was not 2xx.
pub async fn warm_up(
    contender: &Contender,
    load: &Load,
    generator: Generator,
    seconds: u32,
) -> Result<u64, BenchError> {
    let mut sent = 0;
    while sent < WARM_UP_REQUESTS {
        let order = Order::Cycle(sent);
        let began = Instant::now();
        let (_, requests) =
            measure(contender, || send(contender, load, generator, order, seconds, FIRST_REQUESTS)).await?;
        sent += requests;
        if generator == Generator::H2load {
            let rate = requests as f64 / began.elapsed().as_secs_f64();
            let size = (rate * f64::from(seconds)) as u64;
            // The first requests were slow ones; this is the rest of the warm-up.
            measure(contender, || send(contender, load, generator, order, seconds, size)).await?;
            return Ok(size);
        }
        // Others have nothing to be recognised by, or are to be new.
        if contender.arm.tokens != Tokens::Live {
            break;
        }
    }
    Ok(0)
}

fn send(
    contender: &Contender,
    load: &Load,
    generator: Generator,
    order: Order,
    seconds: u32,
    size: u64,
) -> Result<(), BenchError> {
    match generator {
        Generator::Wrk => {
            load.wrk(contender.listen, contender.arm.tokens, order, (CONNECTIONS, seconds)).map(drop)
        }
        Generator::H2load => load.h2load(contender.listen, size),
    }
}

/// Microseconds of CPU a request, and the number of requests, while `load` runs.
///
/// # Errors
/// `load` fails, there was no request, or an answer was not 2xx.
pub async fn measure(
    contender: &Contender,
    load: impl FnOnce() -> Result<(), BenchError>,
) -> Result<(f64, u64), BenchError> {
    let cpu_time = || contender.envoy.cpu_time().doing(|| "CPU time of Envoy".to_owned());
    let answers_before = answers(contender).await;
    let cpu_before = cpu_time()?;
    load()?;
    let cpu = cpu_time()?.saturating_sub(cpu_before);
    let after = answers(contender).await;
    let completed = after.completed.saturating_sub(answers_before.completed);
    let succeeded = after.succeeded.saturating_sub(answers_before.succeeded);
    if completed == 0 || completed != succeeded {
        let counted = format!("{succeeded} of {completed} answers were 2xx");
        return Err(BenchError::Answers { arm: contender.arm.name.to_owned(), counted });
    }
    Ok((cpu.as_secs_f64() * 1e6 / completed as f64, completed))
}

async fn answers(contender: &Contender) -> Answers {
    let stats = contender.envoy.stats("http.registry.downstream_rq_").await;
    let count =
        |name: &str| stats.get(&format!("http.registry.downstream_rq_{name}")).copied().unwrap_or_default();
    Answers { completed: count("completed"), succeeded: count("2xx") }
}

/// Our filter tells its counts once a second.
const FLUSH: Duration = Duration::from_millis(1_500);

/// What each filter counted so far.
pub async fn looked(contenders: &[Contender]) -> Vec<Looked> {
    let is_ours = |contender: &Contender| matches!(contender.arm.filter, Filter::Ours { .. } | Filter::Other);
    if contenders.iter().any(is_ours) {
        tokio::time::sleep(FLUSH).await;
    }
    let mut looked = Vec::new();
    for contender in contenders {
        looked.push(counted(contender).await);
    }
    looked
}

async fn counted(contender: &Contender) -> Looked {
    let mut looked = Looked::default();
    for filter in ["registry_auth", "jwt_cache"] {
        for (name, value) in contender.envoy.stats(filter).await {
            if name.contains("token_cache_hits_total") || name.ends_with("jwt_cache_hit") {
                looked.recognised += value;
            } else if name.contains("signature_verifications_total") || name.ends_with("jwt_cache_miss") {
                looked.verified += value;
            }
        }
    }
    looked
}

impl Samples {
    /// With the rounds of another process of the same arm.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        let recognised = |samples: &Self| samples.recognised.map(|part| part * samples.requests as f64);
        let both = recognised(&self).zip(recognised(&other));
        self.cpu.extend(other.cpu);
        self.best = minimum(&self.cpu);
        self.requests += other.requests;
        self.recognised = both.map(|(one, another)| (one + another) / self.requests as f64);
        self
    }
}

impl Looked {
    /// What came after `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            recognised: self.recognised.saturating_sub(before.recognised),
            verified: self.verified.saturating_sub(before.verified),
        }
    }

    /// Every copy of the filter must have looked at every request's token; requests under way when a generator ends are not in both counts.
    fn check(self, contender: &Contender, requests: u64) -> Result<(), BenchError> {
        let expected = match contender.arm.filter {
            // Another build may count otherwise.
            Filter::None | Filter::NoOp | Filter::Other => return Ok(()),
            Filter::JwtAuthn(_) | Filter::JwtAuthnTelling(_) | Filter::Ours { .. } => {
                requests * contender.copies
            }
        };
        let all = self.recognised + self.verified;
        let verifies_all = matches!(contender.arm.tokens, Tokens::InTurn(_));
        let counted = if all.abs_diff(expected) > expected / 50 {
            format!("{all} tokens were looked at, expected {expected}")
        } else if verifies_all && self.recognised > expected / 1_000 {
            format!("{} of {all} tokens were not verified", self.recognised)
        } else {
            return Ok(());
        };
        Err(BenchError::Answers { arm: contender.arm.name.to_owned(), counted })
    }

    /// `None` where there was no token.
    pub fn recognised_part(self) -> Option<f64> {
        let all = self.recognised + self.verified;
        (all > 0).then(|| self.recognised as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_of_two_processes_are_rounds_of_one_arm() {
        let samples = |cpu: &[f64], requests, recognised| Samples {
            arm: "a",
            cpu: cpu.to_vec(),
            best: minimum(cpu),
            requests,
            recognised,
        };
        let both = samples(&[3.0, 2.0], 300, Some(1.0)).and(samples(&[1.0, 4.0], 100, Some(0.0)));
        assert_eq!((both.cpu.as_slice(), both.requests), (&[3.0, 2.0, 1.0, 4.0][..], 400));
        assert!((both.best - 1.0).abs() < 1e-9);
        assert!(both.recognised.is_some_and(|part| (part - 0.75).abs() < 1e-9));
        assert_eq!(samples(&[1.0], 1, None).and(samples(&[1.0], 1, None)).recognised, None);
    }
}
