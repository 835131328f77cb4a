//! Measures the filter beside Envoy's own `jwt_authn` and prints a page of tables. `scripts/bench` builds what it needs and calls it.

use std::path::PathBuf;
use std::process::ExitCode;

use benches::bootstrap::Built;
use benches::error::{BenchError, Doing};
use benches::rounds::Extent;
use benches::side_by_side::{self, Options, Section};
use benches::testbed::Cores;
use benches::{plot, report};
use clap::Parser;

/// Throughput and latency need no more: they are said in whole figures, not as ratios.
const THROUGHPUT_ROUNDS: u32 = 5;

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
    /// Tokens that caches are filled with, to see what one takes.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1_000..=1_000_000))]
    cached_tokens: u32,
    /// Three rounds, one attempt, one start, 10,000 cached tokens: a smoke test.
    #[arg(long)]
    quick: bool,
    /// Only this section.
    #[arg(long)]
    only: Option<Section>,
    /// Writes the page into this file, too, and the plot beside it.
    #[arg(long, value_name = "FILE", conflicts_with = "only")]
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
    let (rounds, attempts, starts, cached_tokens) =
        if cli.quick { (3, 1, 1, 10_000) } else { (cli.rounds, cli.attempts, cli.starts, cli.cached_tokens) };
    let options = Options {
        extent: Extent { rounds, seconds: cli.seconds },
        attempts,
        starts,
        cores: Cores { envoy: cli.envoy_core, load: cli.load_core },
        direct: cli.direct,
        throughput_rounds: rounds.min(THROUGHPUT_ROUNDS),
        cached_tokens,
        only: cli.only,
    };
    let built =
        Built { filter_config: cli.filter_config, filter: cli.filter, other: cli.other, noop: cli.noop };
    let findings = side_by_side::run(built, options).await?;
    let page = report::page(&findings);
    print!("{page}");
    if let Some(file) = cli.write {
        std::fs::write(&file, page).doing(|| file.display().to_string())?;
        let file = file.with_extension("svg");
        std::fs::write(&file, plot::svg(&findings)).doing(|| file.display().to_string())?;
    }
    Ok(())
}
