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
        let root = project::root();
        let line = |command: &mut Command| -> Result<String, BenchError> {
            Ok(output(command.current_dir(&root))?
                .trim()
                .lines()
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned())
        };
        let revision = line(Command::new("git").args(["rev-parse", "--short=12", "HEAD"]))?;
        let changes = output(Command::new("git").current_dir(&root).args([
            "status",
            "--porcelain",
            "--",
            "src",
            "Cargo.lock",
        ]))?;
        let commit =
            if changes.trim().is_empty() { revision } else { format!("{revision} with changes to src") };
        Ok(Self {
            date: line(Command::new("date").args(["-u", "+%Y-%m-%d"]))?,
            machine: machine(),
            envoy: short_envoy(&line(Command::new(envoy::binary()).arg("--version"))?),
            rustc: line(Command::new("rustc").arg("--version"))?,
            commit,
            generators: format!("{}, {}", wrk_version(), line(Command::new("h2load").arg("--version"))?),
        })
    }
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

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, model)| model.trim().to_owned());
    format!("{cores} cores, {model}")
}
