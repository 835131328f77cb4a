//! Measures authentication natively and prints a page of tables. `scripts/bench-native` builds and calls it.
//!
//! Everything runs in one process, in rounds: each round measures every [`arm`], the next one in reverse order, and ratios are taken within a round.
//! Time is CPU time of the threads that work, so that a busy machine does little harm.

mod arm;
mod clock;
mod core;
mod fixture;
mod layer;
mod page;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use registry_auth::signature::{Algorithm, Backend};

use arm::Arm;
use fixture::{ALGORITHMS, Failure, Fixture};
use layer::Before;

/// Tokens in use at the same time, where there is more than one.
const LIVE: usize = 2_000;

#[derive(Parser)]
#[command(about = "Measures what authentication costs natively")]
struct Cli {
    /// Rounds; fewer than 15 show that the benchmark works, and little else.
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Three rounds: a smoke test.
    #[arg(long)]
    quick: bool,
    /// Only arms whose name contains this, as a list instead of the page.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Writes the page into this file, too.
    #[arg(long, value_name = "FILE", conflicts_with = "only")]
    write: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-native: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), Failure> {
    // The layer refreshes keys in a task; they are fresh for longer than this takes.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _entered = runtime.enter();
    let fixture: &'static Fixture = Box::leak(Box::new(Fixture::new()?));
    let mut arms = arms(fixture)?;
    if let Some(only) = &cli.only {
        arms.retain(|arm| arm.name.contains(only));
    }
    let rounds = if cli.quick { 3 } else { cli.rounds };
    arms.iter().try_for_each(Arm::warm_up)?;
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        arms.iter_mut().try_for_each(Arm::round)?;
        arms.reverse();
    }
    if rounds % 2 == 1 {
        arms.reverse();
    }
    if cli.only.is_some() {
        print!("{}", page::list(&arms));
        return Ok(());
    }
    let token_length = fixture.tokens(Algorithm::RS256, 1)?.first().map_or(0, |token| token.text.len());
    let page = page::page(&arms, rounds, token_length)?;
    print!("{page}");
    if let Some(file) = &cli.write {
        std::fs::write(file, page)?;
    }
    Ok(())
}

fn arms(fixture: &'static Fixture) -> Result<Vec<Arm>, Failure> {
    let mut arms = Vec::new();
    for threads in [1, 2] {
        for live in [1, LIVE] {
            arms.push(core::recognised(fixture, live, threads)?);
        }
    }
    for algorithm in ALGORITHMS {
        arms.push(core::alone(fixture, algorithm, 1)?);
        arms.push(core::verified(fixture, algorithm, Backend::AwsLc, 1)?);
        arms.push(core::verified(fixture, algorithm, Backend::RustCrypto, 1)?);
    }
    for threads in [1, 2] {
        arms.push(layer::repeated(fixture, Before::Nothing, LIVE, threads)?);
        for live in [1, LIVE] {
            arms.push(layer::repeated(fixture, Before::OurLayer, live, threads)?);
        }
        arms.push(layer::repeated(fixture, Before::Jsonwebtoken, LIVE, threads)?);
        for algorithm in ALGORITHMS {
            for before in [Before::OurLayer, Before::Jsonwebtoken] {
                arms.push(layer::first_seen(fixture, before, algorithm, threads)?);
            }
        }
    }
    Ok(arms)
}
