//! The load: `wrk` for whole requests, because it can send another token with each; `h2load` for small effects, because many requests on one connection
//! leave little socket work around them (it sends one token).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::arm::Tokens;
use crate::error::{BenchError, Doing, output};

/// What every request asks for.
pub const PATH: &str = "/registry/default/v0.1/servers";

/// Connections of `wrk`.
pub const CONNECTIONS: u32 = 8;

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
    /// `tokens` are the live ones; the first is the repeated one.
    ///
    /// # Errors
    /// Files cannot be written.
    pub fn new(tokens: &[String], core: u32) -> Result<Self, BenchError> {
        let files = TempDir::with_prefix("bench-").doing(|| "a directory for tokens".to_owned())?;
        let token = tokens.first().cloned().unwrap_or_default();
        let load = Self { files, core, token };
        let write = |path: &Path, text: &str| std::fs::write(path, text).doing(|| path.display().to_string());
        write(&load.file("load.lua"), include_str!("load.lua"))?;
        write(&load.tokens(Tokens::Live), &tokens.join("\n"))?;
        write(&load.tokens(Tokens::Repeated), &load.token)?;
        Ok(load)
    }

    /// Requests over HTTP/1.1 for some seconds.
    ///
    /// # Errors
    /// `wrk` fails, or saw a connection fail.
    pub fn wrk(&self, to: SocketAddr, tokens: Tokens, order: Order, seconds: u32) -> Result<(), BenchError> {
        let (order, seed) = match order {
            Order::Cycle(before) => ("cycle", before),
            Order::Random(seed) => ("random", u64::from(seed)),
        };
        let printed = output(
            self.pinned("wrk")
                .args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{seconds}s")])
                .arg("-s")
                .arg(self.file("load.lua"))
                .arg(format!("http://{to}{PATH}"))
                .arg("--")
                .arg(self.tokens(tokens))
                .args([order, &seed.to_string()]),
        )?;
        refuse(&printed, "wrk", &["Socket errors", "Non-2xx"])
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

    fn pinned(&self, program: &str) -> Command {
        let mut command = Command::new("taskset");
        command.args(["-c", &self.core.to_string(), program]);
        command
    }

    fn tokens(&self, tokens: Tokens) -> PathBuf {
        self.file(match tokens {
            Tokens::Repeated => "repeated",
            Tokens::Live => "live",
        })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }
}

fn refuse(printed: &str, program: &str, signs: &[&str]) -> Result<(), BenchError> {
    if signs.iter().any(|sign| printed.contains(sign)) {
        return Err(BenchError::Program { name: program.to_owned(), output: printed.to_owned() });
    }
    Ok(())
}
