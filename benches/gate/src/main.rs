//! The exact gate: runs the built filter in a small proxy-wasm host and counts what a request costs in instructions, host calls, entries and
//! allocations. The counts are the same in every run and on every machine, for one module and one version of wasmtime.

mod abi;
mod baseline;
mod counts;
mod error;
mod host;
mod keys;
mod limits;
mod plugin;
mod scenario;
mod token;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::baseline::Line;
use crate::error::GateError;
use crate::limits::Verdict;
use crate::plugin::Filter;

/// Counts what the filter does for a request, and compares it with the baseline.
#[derive(Parser)]
struct Options {
    /// The filter.
    #[arg(long)]
    filter: PathBuf,
    /// The committed counts.
    #[arg(long)]
    baseline: PathBuf,
    /// Writes the baseline instead of comparing with it.
    #[arg(long)]
    write: bool,
    /// Fails where a hard limit is exceeded.
    #[arg(long)]
    limits: bool,
    /// Distinct tokens whose memory is measured; 0 measures none.
    #[arg(long, default_value_t = 10_000)]
    tokens: u64,
    /// Only scenarios whose names contain this (`memory` is one); compares nothing, and prints their counts.
    #[arg(long)]
    only: Option<String>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("gate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<bool, GateError> {
    let wasm = std::fs::read(&options.filter).map_err(GateError::file(&options.filter))?;
    let filter = Filter::new(&wasm)?;
    let (lines, verdicts) = measure(&filter, options)?;
    if options.only.is_some() {
        print!("{}", baseline::render(&lines));
    }
    println!("limits:");
    verdicts.iter().for_each(|verdict| println!("  {verdict}"));
    let is_within = !options.limits || verdicts.iter().all(Verdict::is_met);
    Ok(is_within & settle(&lines, options)?)
}

/// Everything that is asked for.
fn measure(filter: &Filter, options: &Options) -> Result<(Vec<Line>, Vec<Verdict>), GateError> {
    let is_wanted = |name: &str| options.only.as_ref().is_none_or(|only| name.contains(only));
    let (mut lines, mut verdicts) = (Vec::new(), Vec::new());
    for (name, counts) in scenario::start(filter)? {
        lines.extend(is_wanted(name).then(|| Line { name: name.to_owned(), counts }));
    }
    for scenario in scenario::all().iter().filter(|scenario| is_wanted(&scenario.name)) {
        let measured = scenario.measure(filter)?;
        verdicts.extend(scenario.limit.verdicts(&scenario.name, &measured.counts, measured.token));
        lines.push(Line { name: scenario.name.clone(), counts: measured.counts });
    }
    if options.tokens > 0 && is_wanted("memory") {
        let bytes = scenario::memory_per_token(filter, options.tokens)?;
        verdicts.push(Verdict::memory(options.tokens, bytes));
    }
    Ok((lines, verdicts))
}

/// Compares with the baseline, or writes it. False: something became worse.
fn settle(lines: &[Line], options: &Options) -> Result<bool, GateError> {
    let path = &options.baseline;
    if options.only.is_some() {
        return Ok(true);
    }
    if options.write {
        std::fs::write(path, baseline::render(lines)).map_err(GateError::file(path))?;
        println!("written: {}", path.display());
        return Ok(true);
    }
    let text = std::fs::read_to_string(path).map_err(GateError::file(path))?;
    let comparison = baseline::compare(&baseline::parse(&text)?, lines);
    for change in &comparison.better {
        println!("better: {change}");
    }
    for change in &comparison.worse {
        println!("WORSE: {change}");
    }
    if comparison.worse.is_empty() && !comparison.better.is_empty() {
        println!("better than the baseline: scripts/gate --write keeps it so");
    }
    println!("{} scenarios, {} worse than the baseline", lines.len(), comparison.worse.len());
    Ok(comparison.worse.is_empty())
}
