//! The `registry` command.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use registry::cli::{self, Command};
use registry::serve::serve;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let args = match cli::parse(std::env::args_os().skip(1)) {
        Ok(Command::Serve(args)) => args,
        Ok(Command::Help) => return print(cli::HELP),
        Ok(Command::Version) => return print(&format!("registry {}\n", registry::VERSION)),
        Err(error) => return fail(&error, 2),
    };
    let filter = std::env::var("REGISTRY_LOG").unwrap_or_else(|_| "info".to_owned());
    let filter = match EnvFilter::try_new(&filter) {
        Ok(filter) => filter,
        Err(error) => return fail(&format!("REGISTRY_LOG: {error}"), 2),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, 1),
    };
    let result = runtime.block_on(serve(args));
    // A read that hangs, as on a dead network mount, must not hold up the end.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, error.exit_code()),
    }
}

fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn fail(error: &dyn std::fmt::Display, code: u8) -> ExitCode {
    // Nobody left to tell is no reason to end differently.
    let _ = writeln!(std::io::stderr(), "registry: {error}");
    ExitCode::from(code)
}
