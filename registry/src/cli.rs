//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::{Override, Overrides};

/// Serves the MCP registry API from catalog files.
#[derive(Debug, Parser)]
#[command(name = "registry", version = crate::VERSION, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
enum Command {
    /// Serves a registry.
    #[command(after_help = ENVIRONMENT)]
    Serve(Serve),
}

const ENVIRONMENT: &str = "\
Environment, in place of the flag of that name: REGISTRY_CONFIG, REGISTRY_ADDRESS,
REGISTRY_INTERNAL_ADDRESS, REGISTRY_AUTH_MODE. REGISTRY_LOG sets what is logged
(default info; debug has a line for each request).";

#[derive(Clone, Debug, PartialEq, Eq, Args)]
struct Serve {
    /// YAML; relative paths in it are relative to its directory.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Of the API: :PORT or HOST:PORT (default :8080).
    #[arg(long)]
    address: Option<String>,
    /// Of /health, /readiness, /version and /metrics (default :8081).
    #[arg(long, value_name = "ADDRESS")]
    internal_address: Option<String>,
    /// oauth or anonymous, in place of auth.mode; anonymous over an oauth document needs --address, too.
    #[arg(long, value_name = "MODE")]
    auth_mode: Option<String>,
}

/// `registry serve`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServeArgs {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// What flags say in place of the document.
    pub overrides: Overrides,
}

/// Parses arguments, the program's name first.
///
/// # Errors
/// For an unknown command or flag, a flag without its value, or one that is repeated; and for `--help` and `--version`, whose text is the error.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<ServeArgs, clap::Error> {
    let Command::Serve(serve) = Cli::try_parse_from(args)?.command;
    let given = |origin, text: Option<String>| text.map(|text| Override { origin, text });
    Ok(ServeArgs {
        config: serve.config,
        overrides: Overrides {
            address: given("--address", serve.address),
            internal_address: given("--internal-address", serve.internal_address),
            auth_mode: given("--auth-mode", serve.auth_mode),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<ServeArgs, clap::error::ErrorKind> {
        let words = ["registry"].into_iter().chain(line.split_whitespace());
        parse(words.map(OsString::from)).map_err(|error| error.kind())
    }

    #[test]
    fn every_flag_of_serve_is_read() {
        let line = "serve --config c.yaml --address=:1 --internal-address :2 --auth-mode anonymous";
        let args = parsed(line).unwrap();
        assert_eq!(args.config, Some(PathBuf::from("c.yaml")));
        let texts = [args.overrides.address, args.overrides.internal_address, args.overrides.auth_mode]
            .map(|given| given.map(|given| (given.origin, given.text)));
        assert_eq!(
            texts,
            [
                Some(("--address", ":1".to_owned())),
                Some(("--internal-address", ":2".to_owned())),
                Some(("--auth-mode", "anonymous".to_owned())),
            ]
        );
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for line in [
            "run",
            "serve extra",
            "serve --port 1",
            "serve --config",
            "serve --address :1 --address :2",
            "--config c.yaml",
            "serve --config a --config b",
            "serve -x",
        ] {
            let kind = parsed(line).unwrap_err();
            assert!(!matches!(kind, clap::error::ErrorKind::DisplayHelp), "{line}");
        }
    }

    #[test]
    fn no_command_shows_the_help() {
        use clap::error::ErrorKind;
        assert_eq!(parsed(""), Err(ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand));
        assert_eq!(parsed("serve --help"), Err(ErrorKind::DisplayHelp));
        assert_eq!(parsed("--version"), Err(ErrorKind::DisplayVersion));
        assert_eq!(parsed("serve"), Ok(ServeArgs::default()), "the environment may name the configuration");
    }
}
