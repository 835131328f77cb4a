//! How many requests a second one core bears, and how long answers take then and at half of that.

use crate::error::BenchError;
use crate::latency::Latencies;
use crate::load::{Load, MANY_CONNECTIONS, Order};
use crate::rounds::{self, Extent, Generator};
use crate::statistics::median;
use crate::testbed::{Contender, progress};

/// Of one arm.
#[derive(Clone, Copy, Debug)]
pub struct Throughput {
    /// The arm's name.
    pub arm: &'static str,
    /// As many requests as are answered.
    pub saturated: Figures,
    /// Half as many, at a fixed rate.
    pub half: Figures,
}

/// The medians of all rounds.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Answers a second, and how long they took.
    pub latencies: Latencies,
    /// Which part of a core Envoy used.
    pub busy: f64,
}

/// Measures each arm at saturation, then at half of what it reached.
///
/// # Errors
/// A generator fails, or an answer was not 2xx.
pub async fn run(
    contenders: &[Contender],
    load: &Load,
    extent: Extent,
) -> Result<Vec<Throughput>, BenchError> {
    for contender in contenders {
        rounds::warm_up(contender, load, Generator::Wrk, extent.seconds).await?;
    }
    let saturated = in_rounds(contenders, extent, |_, contender, round| {
        let order = Order::Random(round + 1);
        load.wrk(contender.listen, contender.arm.tokens, order, (MANY_CONNECTIONS, extent.seconds))
    })
    .await?;
    let rates: Vec<f64> = saturated.iter().map(|figures| figures.latencies.rate / 2.0).collect();
    let half = in_rounds(contenders, extent, |number, contender, _| {
        let rate = rates.get(number).copied().unwrap_or(1.0);
        load.paced(contender.listen, contender.arm.tokens, rate, extent.seconds)
    })
    .await?;
    let figures = saturated.into_iter().zip(half);
    Ok(contenders
        .iter()
        .zip(figures)
        .map(|(contender, (saturated, half))| Throughput { arm: contender.arm.name, saturated, half })
        .collect())
}

/// Every arm in turn, the order reversed each time; `send` is told the number of the arm, the arm and the round.
async fn in_rounds(
    contenders: &[Contender],
    extent: Extent,
    send: impl Fn(usize, &Contender, u32) -> Result<Latencies, BenchError>,
) -> Result<Vec<Figures>, BenchError> {
    let mut runs: Vec<Vec<(Latencies, f64)>> = contenders.iter().map(|_| Vec::new()).collect();
    for round in 0..extent.rounds {
        let mut turns: Vec<_> = contenders.iter().zip(&mut runs).enumerate().collect();
        if round % 2 == 1 {
            turns.reverse();
        }
        for (number, (contender, runs)) in turns {
            let mut latencies = None;
            let (cpu, _) = rounds::measure(contender, || {
                latencies = Some(send(number, contender, round)?);
                Ok(())
            })
            .await?;
            runs.extend(latencies.map(|latencies| (latencies, latencies.rate * cpu / 1e6)));
        }
        progress(&format!("round {} of {}", round + 1, extent.rounds));
    }
    let medians = |runs: &Vec<(Latencies, f64)>| {
        let (latencies, busy): (Vec<_>, Vec<_>) = runs.iter().copied().unzip();
        Figures { latencies: Latencies::medians(&latencies), busy: median(&busy) }
    };
    Ok(runs.iter().map(medians).collect())
}
