//! The `registry` command.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use registry::cli;
use registry::serve::serve;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let args = match cli::parse(std::env::args_os()) {
        Ok(args) => args,
        Err(error) if error.use_stderr() => {
            let told = error.to_string();
            return fail(&told.strip_prefix("error: ").unwrap_or(&told).trim_end(), 2);
        }
        // Help and version.
        Err(told) => return if told.print().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE },
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

fn fail(error: &dyn std::fmt::Display, code: u8) -> ExitCode {
    // Nobody left to tell is no reason to end differently.
    let _ = writeln!(std::io::stderr(), "registry: {error}");
    ExitCode::from(code)
}
