//! What the figures are of: date, machine, versions.

use std::process::Command;

use envoy_test::{envoy, project};

use crate::error::{BenchError, output};

/// All of it as text.
#[derive(Clone, Debug)]
pub struct Versions {
    /// `2026-01-31`.
    pub date: String,
    /// Cores and their model.
    pub machine: String,
    /// Envoy's.
    pub envoy: String,
    /// The compiler's.
    pub rustc: String,
    /// The commit that the filter was built from.
    pub commit: String,
    /// Of the load generators.
    pub generators: String,
}

impl Versions {
    /// Asks each program.
    ///
    /// # Errors
    /// One is missing.
    pub fn read() -> Result<Self, BenchError> {
        Ok(Self {
            date: date()?,
            machine: machine(),
            envoy: short_envoy(&line(Command::new(envoy::binary()).arg("--version"))?),
            rustc: rustc()?,
            commit: commit()?,
            generators: format!("{}, {}", wrk_version(), line(Command::new("h2load").arg("--version"))?),
        })
    }
}

/// Today, as `2026-01-31`.
///
/// # Errors
/// There is no `date`.
pub fn date() -> Result<String, BenchError> {
    line(Command::new("date").args(["-u", "+%Y-%m-%d"]))
}

/// The compiler.
///
/// # Errors
/// There is none.
pub fn rustc() -> Result<String, BenchError> {
    line(Command::new("rustc").arg("--version"))
}

/// The commit that was built, and whether the sources differ from it.
///
/// # Errors
/// This is no working copy.
pub fn commit() -> Result<String, BenchError> {
    let revision = line(Command::new("git").args(["rev-parse", "--short=12", "HEAD"]))?;
    let changes = output(Command::new("git").current_dir(project::root()).args([
        "status",
        "--porcelain",
        "--",
        "src",
        "Cargo.lock",
    ]))?;
    Ok(if changes.trim().is_empty() { revision } else { format!("{revision} with changes to src") })
}

/// The first line that a program prints.
fn line(command: &mut Command) -> Result<String, BenchError> {
    let printed = output(command.current_dir(project::root()))?;
    Ok(printed.trim().lines().next().unwrap_or_default().trim().to_owned())
}

/// `path  version: commit/1.40.0/Clean/RELEASE/BoringSSL`, without the path.
fn short_envoy(line: &str) -> String {
    let version = line.rsplit_once("version: ").map_or(line, |(_, version)| version);
    let parts: Vec<&str> = version.split('/').skip(1).collect();
    parts.join(", ")
}

/// It prints its version and fails.
fn wrk_version() -> String {
    let printed =
        Command::new("wrk").arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&printed).into_owned();
    text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

/// Cores and their model.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, model)| model.trim().to_owned());
    format!("{cores} cores, {model}")
}
