//! Times every variant natively: prints JSON, microseconds a verification by variant, a figure a round.

use std::time::{Duration, Instant};

const ROUND: Duration = Duration::from_millis(20);

fn main() {
    let rounds: usize = std::env::args().nth(1).and_then(|rounds| rounds.parse().ok()).unwrap_or(15);
    let variants = signatures::variants();
    let mut checks: Vec<_> =
        variants.iter().map(|variant| (variant.name, (variant.prepare)(), Vec::new())).collect();
    // The first round warms up.
    for round in 0..=rounds {
        for (name, check, micros) in &mut checks {
            let (start, mut times) = (Instant::now(), 0_u32);
            while start.elapsed() < ROUND {
                assert!(check(), "{name} refuses a good signature");
                times += 1;
            }
            if round > 0 {
                micros.push(start.elapsed().as_secs_f64() * 1e6 / f64::from(times));
            }
        }
        checks.reverse();
    }
    let lines = checks.iter().map(|(name, _, micros)| format!("  \"{name}\": {micros:?}"));
    println!("{{\n{}\n}}", lines.collect::<Vec<_>>().join(",\n"));
}
