//! Measures the filter beside Envoy's own `jwt_authn` and prints a page of tables. `scripts/bench` builds what it needs and calls it.

use std::path::PathBuf;
use std::process::ExitCode;

use benches::bootstrap::Built;
use benches::error::{BenchError, Doing};
use benches::report;
use benches::rounds::Extent;
use benches::side_by_side::{self, Options};
use benches::testbed::Cores;
use clap::Parser;

#[derive(Parser)]
#[command(about = "Measures the filter beside Envoy's own jwt_authn")]
struct Cli {
    /// Our filter.
    #[arg(long)]
    filter: PathBuf,
    /// Another build of it, measured too: shows what a change does.
    #[arg(long)]
    other: Option<PathBuf>,
    /// The filter that does nothing.
    #[arg(long)]
    noop: PathBuf,
    /// The `filter-config` program.
    #[arg(long)]
    filter_config: PathBuf,
    /// Rounds; fewer than 15 show that the benchmark works, and little else.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds of each variant in a round.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=60))]
    seconds: u32,
    /// How often a noisy measurement is taken, at most.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    attempts: u32,
    /// Starts of each filter.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    starts: u32,
    /// The core of the Envoys that are measured.
    #[arg(long, default_value_t = 0)]
    envoy_core: u32,
    /// The core of the load and of the upstream.
    #[arg(long, default_value_t = 1)]
    load_core: u32,
    /// Whole requests are answered by Envoy itself instead of an upstream: less noise, but nobody's traffic.
    #[arg(long)]
    direct: bool,
    /// Three rounds, one attempt, one start: a smoke test.
    #[arg(long)]
    quick: bool,
    /// Writes the page into this file, too.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<(), BenchError> {
    let (rounds, attempts, starts) =
        if cli.quick { (3, 1, 1) } else { (cli.rounds, cli.attempts, cli.starts) };
    let options = Options {
        extent: Extent { rounds, seconds: cli.seconds },
        attempts,
        starts,
        cores: Cores { envoy: cli.envoy_core, load: cli.load_core },
        direct: cli.direct,
    };
    let built =
        Built { filter_config: cli.filter_config, filter: cli.filter, other: cli.other, noop: cli.noop };
    let page = report::page(&side_by_side::run(built, options).await?);
    print!("{page}");
    if let Some(file) = cli.write {
        std::fs::write(&file, page).doing(|| file.display().to_string())?;
    }
    Ok(())
}
