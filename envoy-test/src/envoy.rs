//! A real Envoy: found or installed, started with a bootstrap, asked through its admin interface, and gone when the test is.

mod process;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::client;
use crate::message::{RawRequest, RawResponse};
pub use process::{binary, resident_bytes};

/// How an Envoy is started.
#[derive(Clone, Debug)]
#[must_use]
pub struct EnvoyOptions {
    /// Worker threads.
    pub concurrency: u32,
    /// `--log-level`.
    pub log_level: String,
    /// `--component-log-level`; `wasm:debug` shows what filters log.
    pub component_log_level: String,
    /// Added to the environment.
    pub environment: Vec<(String, String)>,
}

impl Default for EnvoyOptions {
    fn default() -> Self {
        Self {
            concurrency: 1,
            log_level: "warning".to_owned(),
            component_log_level: "wasm:debug".to_owned(),
            environment: Vec::new(),
        }
    }
}

/// A running Envoy. It is killed when dropped, and when this process ends in any way.
#[derive(Debug)]
pub struct Envoy {
    child: Child,
    admin: SocketAddr,
    files: TempDir,
}

/// Why an Envoy did not start.
#[derive(Debug)]
pub enum EnvoyError {
    /// Files could not be written or the process not be started.
    Io(io::Error),
    /// It ended, or was not ready in time; with the end of its log.
    NotReady(String),
}

impl fmt::Display for EnvoyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot start Envoy: {error}"),
            Self::NotReady(log) => write!(f, "Envoy did not get ready; its log ends with:\n{log}"),
        }
    }
}

impl std::error::Error for EnvoyError {}

impl From<io::Error> for EnvoyError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// V8 compiles a large module in seconds on a busy machine.
const START_PATIENCE: Duration = Duration::from_secs(60);
const LOG_PATIENCE: Duration = Duration::from_secs(20);
const POLL_INTERVAL: Duration = Duration::from_millis(10);

impl Envoy {
    /// Starts an Envoy and returns when it serves. `admin` is the address of the admin listener in `bootstrap`, which is YAML or JSON.
    ///
    /// # Errors
    /// It cannot be started, ends at once, or is not ready within a minute.
    pub async fn start(
        bootstrap: &str,
        admin: SocketAddr,
        options: &EnvoyOptions,
    ) -> Result<Self, EnvoyError> {
        let files = TempDir::with_prefix("envoy-")?;
        std::fs::write(files.path().join("envoy.yaml"), bootstrap)?;
        let log = std::fs::File::create(files.path().join("envoy.log"))?;
        let mut command = process::tethered(&binary());
        command
            .arg("--config-path")
            .arg(files.path().join("envoy.yaml"))
            .args(["--concurrency", &options.concurrency.to_string()])
            .args(["--log-level", &options.log_level, "--component-log-level", &options.component_log_level])
            .args(["--disable-hot-restart", "--drain-time-s", "1", "--parent-shutdown-time-s", "2"])
            .envs(options.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let child = process::spawn(command)?;
        let mut envoy = Self { child, admin, files };
        envoy.wait_until_ready().await?;
        Ok(envoy)
    }

    /// Checks a bootstrap with `envoy --mode validate`.
    ///
    /// # Errors
    /// What Envoy printed when it refused the bootstrap.
    pub fn validate(bootstrap: &str) -> Result<(), EnvoyError> {
        let files = TempDir::with_prefix("envoy-")?;
        let path = files.path().join("envoy.yaml");
        std::fs::write(&path, bootstrap)?;
        let output =
            Command::new(binary()).args(["--mode", "validate", "--config-path"]).arg(path).output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(EnvoyError::NotReady(String::from_utf8_lossy(&output.stderr).into_owned()))
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where the admin interface listens.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// `GET path` of the admin interface.
    ///
    /// # Panics
    /// When Envoy does not answer 200.
    pub async fn ask_admin(&self, path: &str) -> String {
        let response = self.admin_request("GET", path).await.expect("Envoy's admin interface");
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        response.text().into_owned()
    }

    /// Counters and gauges whose names match a regular expression, by name.
    pub async fn stats(&self, filter: &str) -> BTreeMap<String, u64> {
        let text = self.ask_admin(&format!("/stats?filter={filter}")).await;
        let parse = |line: &str| {
            line.split_once(": ")
                .and_then(|(name, value)| Some((name.to_owned(), value.trim().parse().ok()?)))
        };
        text.lines().filter_map(parse).collect()
    }

    /// One counter or gauge; 0 when it does not exist yet.
    pub async fn stat(&self, name: &str) -> u64 {
        self.stats(name).await.get(name).copied().unwrap_or_default()
    }

    /// `/stats/prometheus`.
    pub async fn prometheus(&self) -> String {
        self.ask_admin("/stats/prometheus").await
    }

    /// `/config_dump`.
    pub async fn config_dump(&self) -> serde_json::Value {
        serde_json::from_str(&self.ask_admin("/config_dump").await).expect("JSON")
    }

    /// `/clusters`.
    pub async fn clusters(&self) -> String {
        self.ask_admin("/clusters").await
    }

    /// CPU time of all threads so far, from the scheduler's own nanoseconds.
    ///
    /// # Errors
    /// The process is gone, or this is not Linux.
    pub fn cpu_time(&self) -> io::Result<Duration> {
        process::cpu_time(self.pid())
    }

    /// Resident memory in bytes.
    ///
    /// # Errors
    /// The process is gone, or this is not Linux.
    pub fn resident_bytes(&self) -> io::Result<u64> {
        process::resident_bytes(self.pid())
    }

    /// Everything it logged so far.
    pub fn log(&self) -> String {
        std::fs::read(self.log_path())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Lines of the log that contain `needle`.
    pub fn log_lines(&self, needle: &str) -> Vec<String> {
        self.log().lines().filter(|line| line.contains(needle)).map(str::to_owned).collect()
    }

    /// Returns when the log contains `needle`.
    ///
    /// # Panics
    /// After 20 seconds.
    pub async fn wait_for_log(&self, needle: &str) {
        let deadline = Instant::now() + LOG_PATIENCE;
        while !self.log().contains(needle) {
            assert!(Instant::now() < deadline, "Envoy did not log {needle:?} in {LOG_PATIENCE:?}");
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    async fn wait_until_ready(&mut self) -> Result<(), EnvoyError> {
        let deadline = Instant::now() + START_PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Err(EnvoyError::NotReady(format!("{}\n({status})", self.log_tail())));
            }
            if self.admin_request("GET", "/ready").await.is_ok_and(|response| response.status == 200) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(EnvoyError::NotReady(self.log_tail()));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    async fn admin_request(&self, method: &str, path: &str) -> io::Result<RawResponse> {
        client::send(self.admin, &RawRequest::new(method, path).header("Connection", "close")).await
    }

    fn log_path(&self) -> PathBuf {
        self.files.path().join("envoy.log")
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("Envoy's log ends with:\n{}", self.log_tail());
        }
    }
}
