//! What a recognised token takes: how much Envoy grows while a cache that is large enough is filled.

use crate::arm::{Tokens, caching};
use crate::bootstrap::Destination;
use crate::error::{BenchError, Doing};
use crate::load::{CONNECTIONS, Order};
use crate::rounds::{self, Extent, Looked};
use crate::testbed::{Contender, Testbed, progress};

/// Of a run of the generator, which reads all tokens before each: long enough for that not to matter.
const RUN_SECONDS: u32 = 5;

/// Of one filter.
#[derive(Clone, Copy, Debug)]
pub struct Filled {
    /// The arm's name.
    pub arm: &'static str,
    /// Distinct tokens, and the size of the cache.
    pub tokens: u32,
    /// Bytes that Envoy grew by.
    pub grown: f64,
    /// Which part of the tokens it recognised when they came again.
    pub kept: f64,
}

impl Filled {
    /// Bytes.
    pub fn per_token(&self) -> f64 {
        self.grown / f64::from(self.tokens.max(1))
    }
}

/// Fills the caches of [`caching`] with so many tokens.
///
/// # Errors
/// A server or a generator fails, or tokens were not verified.
pub async fn run(testbed: &Testbed, tokens: u32, extent: Extent) -> Result<Vec<Filled>, BenchError> {
    testbed.prepare_many(Tokens::Filling, tokens as usize)?;
    let mut all = Vec::new();
    for arm in caching(tokens) {
        progress(&format!("filling the cache of {} ...", arm.name));
        let contenders = testbed.contenders(&[arm], Destination::DirectResponse, 1).await?;
        for contender in &contenders {
            let grown = fill(testbed, contender, tokens, extent).await?;
            let before = looked(contender).await;
            send(testbed, contender, Tokens::Filling, 0, extent.seconds).await?;
            let kept = looked(contender).await.since(before).recognised_part().unwrap_or_default();
            all.push(Filled { arm: arm.name, tokens, grown, kept });
        }
    }
    Ok(all)
}

/// Returns by how many bytes Envoy grew.
async fn fill(
    testbed: &Testbed,
    contender: &Contender,
    tokens: u32,
    extent: Extent,
) -> Result<f64, BenchError> {
    let resident = || contender.envoy.resident_bytes().doing(|| "memory of Envoy".to_owned());
    // What connections and requests take is not the cache's.
    send(testbed, contender, Tokens::Repeated, 0, extent.seconds).await?;
    let (before, counted) = (resident()?, looked(contender).await);
    let mut sent = 0;
    while sent < u64::from(tokens) {
        // Requests that were not answered are sent again: the number is that of the answers.
        sent += send(testbed, contender, Tokens::Filling, sent, RUN_SECONDS).await?;
    }
    let (after, counted) = (resident()?, looked(contender).await.since(counted));
    // Of the last requests of each run it is not known whether Envoy still looked at them.
    if counted.verified + u64::from(tokens / 1_000) < u64::from(tokens) {
        let counted = format!("{} of {tokens} tokens were verified", counted.verified);
        return Err(BenchError::Answers { arm: contender.arm.name.to_owned(), counted });
    }
    Ok(after as f64 - before as f64)
}

/// Returns the number of requests.
async fn send(
    testbed: &Testbed,
    contender: &Contender,
    tokens: Tokens,
    after: u64,
    seconds: u32,
) -> Result<u64, BenchError> {
    let load = || {
        let load = (CONNECTIONS, seconds);
        testbed.load.wrk(contender.listen, tokens, Order::Cycle(after), load).map(drop)
    };
    rounds::measure(contender, load).await.map(|(_, requests)| requests)
}

async fn looked(contender: &Contender) -> Looked {
    rounds::looked(std::slice::from_ref(contender)).await.pop().unwrap_or_default()
}
