//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::config::{Override, Overrides};

/// `registry --help`.
pub const HELP: &str = "\
Serves the MCP registry API from catalog files.

Usage: registry serve --config FILE [OPTIONS]

Options:
  --config FILE               YAML; relative paths in it are relative to its directory
  --address ADDRESS           of the API: :PORT or HOST:PORT (default :8080)
  --internal-address ADDRESS  of /health, /readiness, /version and /metrics (default :8081)
  --auth-mode MODE            oauth or anonymous, in place of auth.mode;
                              anonymous over an oauth document needs --address, too
  --help, --version

Environment, in place of the flag of that name: REGISTRY_CONFIG, REGISTRY_ADDRESS,
REGISTRY_INTERNAL_ADDRESS, REGISTRY_AUTH_MODE. REGISTRY_LOG sets what is logged
(default info; debug has a line for each request).
";

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Serve a registry.
    Serve(ServeArgs),
    /// Print [`HELP`].
    Help,
    /// Print the version.
    Version,
}

/// `registry serve`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServeArgs {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// What flags say in place of the document.
    pub overrides: Overrides,
}

/// Parses arguments, without the program's name.
///
/// # Errors
/// For an unknown command or flag, a flag without its value, or one that is repeated.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, lexopt::Error> {
    use lexopt::prelude::*;

    let mut parser = lexopt::Parser::from_args(args);
    let mut serve = None;
    while let Some(arg) = parser.next()? {
        match (arg, &mut serve) {
            (Long("help") | Short('h'), _) => return Ok(Command::Help),
            (Long("version") | Short('V'), _) => return Ok(Command::Version),
            (Value(command), None) if command == "serve" => serve = Some(ServeArgs::default()),
            (Value(command), None) => {
                return Err(format!("unknown command {command:?}; there is: serve").into());
            }
            (Long("config"), Some(args)) => {
                let value = PathBuf::from(parser.value()?);
                once("--config", args.config.replace(value).is_some())?;
            }
            (Long("address"), Some(args)) => {
                flag(&mut parser, "--address", &mut args.overrides.address)?;
            }
            (Long("internal-address"), Some(args)) => {
                flag(&mut parser, "--internal-address", &mut args.overrides.internal_address)?;
            }
            (Long("auth-mode"), Some(args)) => {
                flag(&mut parser, "--auth-mode", &mut args.overrides.auth_mode)?;
            }
            (arg, _) => return Err(arg.unexpected()),
        }
    }
    Ok(serve.map_or(Command::Help, Command::Serve))
}

fn flag(
    parser: &mut lexopt::Parser,
    origin: &'static str,
    slot: &mut Option<Override>,
) -> Result<(), lexopt::Error> {
    let text = parser.value()?.into_string().map_err(lexopt::Error::NonUnicodeValue)?;
    once(origin, slot.replace(Override { origin, text }).is_some())
}

fn once(flag: &'static str, was_set: bool) -> Result<(), lexopt::Error> {
    if was_set {
        return Err(format!("{flag} is given more than once").into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn every_flag_of_serve_is_read() {
        let line = "serve --config c.yaml --address=:1 --internal-address :2 --auth-mode anonymous";
        let Ok(Command::Serve(args)) = parsed(line) else { panic!() };
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
            assert!(parsed(line).is_err(), "{line}");
        }
    }

    #[test]
    fn no_command_shows_the_help() {
        assert_eq!(parsed(""), Ok(Command::Help));
        assert_eq!(parsed("serve --help"), Ok(Command::Help));
        assert_eq!(parsed("--version"), Ok(Command::Version));
    }
}
