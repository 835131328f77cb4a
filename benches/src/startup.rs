//! What a filter costs before the first request: time until Envoy is ready, and memory.

use std::time::Instant;

use crate::arm::{Arm, Filter, JWT_AUTHN_OFF, JwtCache, NO_FILTER, NO_OP, OURS_REPEATED, Tokens};
use crate::error::{BenchError, Doing};
use crate::statistics::median;
use crate::testbed::{Testbed, progress};

/// Of one filter: the difference to no filter, the median of the repetitions; for no filter, the figure itself.
#[derive(Clone, Copy, Debug)]
pub struct Startup {
    /// The arm's name.
    pub arm: &'static str,
    /// Milliseconds until Envoy is ready.
    pub wall: f64,
    /// Milliseconds of CPU until then.
    pub cpu: f64,
    /// Resident megabytes with one worker, after a first request.
    pub memory: f64,
    /// How many more with a second worker.
    pub second_worker: f64,
}

const fn arm(name: &'static str, filter: Filter) -> Arm {
    Arm { name, filter, tokens: Tokens::Repeated }
}

const ARMS: [Arm; 4] = [
    arm(NO_FILTER, Filter::None),
    arm(NO_OP, Filter::NoOp),
    arm(JWT_AUTHN_OFF, Filter::JwtAuthn(JwtCache::Off)),
    arm(OURS_REPEATED, Filter::Ours { token_cache: None }),
];

/// Of one start.
#[derive(Clone, Copy)]
struct Start {
    wall: f64,
    cpu: f64,
    memory: f64,
    second_worker: f64,
}

/// Starts Envoys one after the other, each filter once in every repetition.
///
/// # Errors
/// One does not start.
pub async fn run(testbed: &Testbed, repetitions: u32) -> Result<Vec<Startup>, BenchError> {
    let mut repeated: Vec<Vec<Start>> = ARMS.iter().map(|_| Vec::new()).collect();
    for repetition in 0..repetitions {
        for (arm, starts) in ARMS.iter().zip(&mut repeated) {
            starts.push(start(testbed, *arm).await?);
        }
        progress(&format!("start {} of {repetitions}", repetition + 1));
    }
    let base = repeated.first().cloned().unwrap_or_default();
    let summarize = |(arm, starts): (&Arm, &Vec<Start>)| {
        let over = |read: fn(&Start) -> f64| {
            let compared = arm.filter != Filter::None;
            let differences: Vec<f64> = starts
                .iter()
                .zip(&base)
                .map(|(start, base)| read(start) - if compared { read(base) } else { 0.0 })
                .collect();
            median(&differences)
        };
        Startup {
            arm: arm.name,
            wall: over(|start| start.wall),
            cpu: over(|start| start.cpu),
            memory: over(|start| start.memory),
            second_worker: over(|start| start.second_worker),
        }
    };
    Ok(ARMS.iter().zip(&repeated).map(summarize).collect())
}

async fn start(testbed: &Testbed, arm: Arm) -> Result<Start, BenchError> {
    let began = Instant::now();
    let contender = testbed.start_one(arm, testbed.upstream(), 1, 1).await?;
    let wall = began.elapsed().as_secs_f64() * 1e3;
    let cpu = contender.envoy.cpu_time().doing(|| "CPU time of Envoy".to_owned())?.as_secs_f64() * 1e3;
    testbed.wait_until_it_forwards(&contender).await?;
    let memory = resident(&contender.envoy)?;
    drop(contender);
    let contender = testbed.start_one(arm, testbed.upstream(), 1, 2).await?;
    testbed.wait_until_it_forwards(&contender).await?;
    Ok(Start { wall, cpu, memory, second_worker: resident(&contender.envoy)? - memory })
}

fn resident(envoy: &envoy_test::Envoy) -> Result<f64, BenchError> {
    Ok(envoy.resident_bytes().doing(|| "memory of Envoy".to_owned())? as f64 / 1e6)
}
