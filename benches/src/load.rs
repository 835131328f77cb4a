//! The load: `wrk` for whole requests, because it can send another token with each; `h2load` for small effects, because many requests on one connection
//! leave little socket work around them (it sends one token); [`paced`](crate::paced) where a rate is to be kept, which neither does.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::arm::Tokens;
use crate::error::{BenchError, Doing, output};
use crate::latency::Latencies;
use crate::paced::{self, Pace};

/// What every request asks for.
pub const PATH: &str = "/registry/default/v0.1/servers";

/// Connections of `wrk`, where CPU is measured.
pub const CONNECTIONS: u32 = 8;

/// Connections that keep the measured core busy, and those that a rate is spread over.
pub const MANY_CONNECTIONS: u32 = 32;

/// Concurrent streams on the one connection of `h2load`.
pub const STREAMS: u32 = 10;

/// How tokens follow each other.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// Each in turn, after so many others: all have been seen soon.
    Cycle(u64),
    /// Each as likely as the other; the number begins the sequence.
    Random(u32),
}

/// Tokens in files, and the core that requests come from.
#[derive(Debug)]
pub struct Load {
    files: TempDir,
    core: u32,
    token: String,
}

impl Load {
    /// `token` is the repeated one.
    ///
    /// # Errors
    /// Files cannot be written.
    pub fn new(token: &str, core: u32) -> Result<Self, BenchError> {
        let files = TempDir::with_prefix("bench-").doing(|| "a directory for tokens".to_owned())?;
        let load = Self { files, core, token: token.to_owned() };
        load.write("load.lua", include_str!("load.lua"))?;
        load.add(Tokens::Repeated, token)?;
        Ok(load)
    }

    /// The tokens that are meant by `tokens`, one a line.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn add(&self, tokens: Tokens, lines: &str) -> Result<(), BenchError> {
        self.write(&name(tokens), lines)
    }

    /// Whether [`Self::add`] was called with them.
    pub fn has(&self, tokens: Tokens) -> bool {
        self.file(&name(tokens)).exists()
    }

    /// Requests over HTTP/1.1 for some seconds, as many as are answered.
    ///
    /// # Errors
    /// `wrk` fails, or saw a connection fail.
    pub fn wrk(
        &self,
        to: SocketAddr,
        tokens: Tokens,
        order: Order,
        (connections, seconds): (u32, u32),
    ) -> Result<Latencies, BenchError> {
        let (order, seed) = match order {
            Order::Cycle(before) => ("cycle", before),
            Order::Random(seed) => ("random", u64::from(seed)),
        };
        let printed = output(
            self.pinned("wrk")
                .args(["-t1", "--latency", &format!("-c{connections}"), &format!("-d{seconds}s")])
                .arg("-s")
                .arg(self.file("load.lua"))
                .arg(format!("http://{to}{PATH}"))
                .arg("--")
                .arg(self.file(&name(tokens)))
                .args([order, &seed.to_string()]),
        )?;
        let failed = ["Socket errors", "Non-2xx"].iter().any(|sign| printed.contains(sign));
        let latencies = Latencies::of_wrk(&printed).filter(|_| !failed);
        latencies.ok_or_else(|| BenchError::Program { name: "wrk".to_owned(), output: printed })
    }

    /// So many requests with the repeated token over one HTTP/2 connection.
    ///
    /// # Errors
    /// `h2load` fails, or a request did.
    pub fn h2load(&self, to: SocketAddr, requests: u64) -> Result<(), BenchError> {
        let printed = output(
            self.pinned("h2load")
                .args(["-t1", "-c1", &format!("-m{STREAMS}"), &format!("-n{requests}")])
                .args(["-H", &format!("authorization: Bearer {}", self.token)])
                .args(["-H", "accept: application/json", "-H", "accept-encoding: gzip"])
                .arg(format!("http://{to}{PATH}")),
        )?;
        let succeeded = format!("{requests} succeeded, 0 failed, 0 errored");
        if printed.contains(&succeeded) {
            return Ok(());
        }
        Err(BenchError::Program { name: "h2load".to_owned(), output: printed })
    }

    /// So many requests a second over HTTP/1.1, the tokens in turn.
    ///
    /// # Errors
    /// A connection failed, or an answer was not 200.
    pub fn paced(
        &self,
        to: SocketAddr,
        tokens: Tokens,
        rate: f64,
        seconds: u32,
    ) -> Result<Latencies, BenchError> {
        let file = self.file(&name(tokens));
        let lines = std::fs::read_to_string(&file).doing(|| file.display().to_string())?;
        let requests: Vec<Vec<u8>> = lines.lines().map(|token| request(to, token)).collect();
        let pace = Pace { rate, seconds, connections: MANY_CONNECTIONS, core: self.core };
        paced::run(to, &requests, pace).doing(|| "requests at a fixed rate".to_owned())
    }

    fn pinned(&self, program: &str) -> Command {
        let mut command = Command::new("taskset");
        command.args(["-c", &self.core.to_string(), program]);
        command
    }

    fn write(&self, name: &str, text: &str) -> Result<(), BenchError> {
        let path = self.file(name);
        std::fs::write(&path, text).doing(|| path.display().to_string())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }
}

/// Of a file.
fn name(tokens: Tokens) -> String {
    match tokens {
        Tokens::Repeated => "repeated".to_owned(),
        Tokens::Live => "live".to_owned(),
        Tokens::InTurn(algorithm) => format!("in-turn-{algorithm}"),
        Tokens::Filling => "filling".to_owned(),
    }
}

/// As `load.lua` writes it.
fn request(to: SocketAddr, token: &str) -> Vec<u8> {
    format!(
        "GET {PATH} HTTP/1.1\r\nHost: {to}\r\nAuthorization: Bearer {token}\r\nUser-Agent: side-by-side\r\n\
         Accept: application/json\r\nAccept-Encoding: gzip\r\n\r\n"
    )
    .into_bytes()
}
