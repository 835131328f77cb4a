//! `filter-config`: checks a registry's configuration, and renders each proxy's.
//!
//! Exit codes: 0, all is well; 1, the configuration has errors; 2, wrong usage, or its file cannot be read.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use filter_config::document::{Document, DocumentError, environment};
use filter_config::envoy::{self, SocketAddress};
use filter_config::files::unusable_files;
use registry_auth::policy::Policy;
use registry_auth::url::Url;

/// Checks a registry's configuration, and renders each proxy's.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Reports all errors of a configuration at once.
    Check(Check),
    /// Writes a proxy's configuration to standard output.
    Render {
        #[command(subcommand)]
        host: RenderHost,
    },
}

#[derive(Args)]
struct Check {
    /// The registry's configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Files the configuration names must be usable here; without this, those that are not are warned about.
    #[arg(long)]
    files: bool,
}

#[derive(Subcommand)]
enum RenderHost {
    /// An Envoy 1.40 bootstrap.
    Envoy(Box<RenderEnvoy>),
}

#[derive(Args)]
struct RenderEnvoy {
    /// The registry's configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The filter.
    #[arg(long, value_name = "FILE")]
    wasm: PathBuf,
    /// Where clients connect.
    #[arg(long, value_name = "HOST:PORT")]
    listen: SocketAddress,
    /// The registry's own address, http or https.
    #[arg(long, value_name = "URL", value_parser = parse_backend)]
    backend: Url,
    /// Where Envoy's administration listens; nowhere without it.
    #[arg(long, value_name = "HOST:PORT")]
    admin: Option<SocketAddress>,
    /// Requests per second and client address (IPv6: network of 64 bits).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate_limit: Option<u32>,
    /// Proxies in front of this one whose X-Forwarded-For is believed.
    #[arg(long, value_name = "N", default_value_t = 0)]
    trusted_hops: u32,
    /// Client connections at one time.
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    max_connections: u32,
    /// The listener's certificate chain, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The listener's private key, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Certificate authorities of providers without caCertPath.
    #[arg(long, value_name = "FILE", default_value = "/etc/ssl/certs/ca-certificates.crt")]
    system_ca: PathBuf,
    /// Log requests on Envoy's standard output, without their queries.
    #[arg(long)]
    access_log: bool,
    /// Where the files are written by which Envoy follows caCertPath, authTokenFile and clientSecretFile, where there are such; `envoy-sds` beside the
    /// configuration by default. Envoy reads them there.
    #[arg(long, value_name = "DIR")]
    sds_dir: Option<PathBuf>,
}

/// Where `--sds-dir` points by default, relative to the configuration.
const SDS_DIRECTORY: &str = "envoy-sds";

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Check(arguments) => check(&arguments),
        Command::Render { host: RenderHost::Envoy(arguments) } => render_envoy(*arguments),
    };
    match done {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

fn check(arguments: &Check) -> Result<ExitCode, DocumentError> {
    let document = Document::read(&arguments.config, &environment())?;
    print_warnings(&document);
    let unusable = unusable_files(&document);
    let level = if arguments.files { "error" } else { "warning" };
    for file in &unusable {
        eprintln!("{level}: {file}");
    }
    if arguments.files && !unusable.is_empty() {
        return Ok(ExitCode::from(1));
    }
    let summary = match &document.loaded.policy {
        Policy::Anonymous => "anonymous".to_owned(),
        Policy::Oauth(oauth) => {
            let names: Vec<&str> = oauth.providers.iter().map(|provider| provider.name.as_str()).collect();
            format!("oauth, providers: {}", names.join(", "))
        }
    };
    print(&format!("{}: ok ({summary})\n", arguments.config.display()))
}

fn render_envoy(arguments: RenderEnvoy) -> Result<ExitCode, DocumentError> {
    let document = Document::read(&arguments.config, &environment())?;
    print_warnings(&document);
    let [wasm, system_ca] = [absolute(&arguments.wasm)?, absolute(&arguments.system_ca)?];
    for file in [&wasm, &system_ca].into_iter().filter(|file| !file.exists()) {
        eprintln!("warning: {}: no such file here", file.display());
    }
    let tls = match (arguments.tls_cert, arguments.tls_key) {
        (Some(chain), Some(key)) => Some((absolute(&chain)?, absolute(&key)?)),
        _ => None,
    };
    let options = envoy::Options {
        wasm,
        listen: arguments.listen,
        backend: arguments.backend,
        admin: arguments.admin,
        rate_limit: arguments.rate_limit,
        trusted_hops: arguments.trusted_hops,
        max_connections: arguments.max_connections,
        tls,
        system_ca,
        access_log: arguments.access_log,
        sds: Some(
            arguments.sds_dir.as_deref().map_or_else(|| Ok(document.resolve(SDS_DIRECTORY)), absolute)?,
        ),
    };
    let rendered = match envoy::render(&document, &options) {
        Ok(rendered) => rendered,
        Err(error) => {
            eprintln!("error: {error}");
            return Ok(ExitCode::from(2));
        }
    };
    for file in &rendered.sds {
        if let Err(error) = replace(&file.path, &file.text) {
            eprintln!("error: {}: cannot be written: {error}", file.path.display());
            return Ok(ExitCode::from(2));
        }
    }
    print(&rendered.bootstrap)
}

/// Writes a whole file at once: a running Envoy may be following it.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let new = path.with_extension("yaml.new");
    std::fs::write(&new, text)?;
    std::fs::rename(&new, path)
}

fn print_warnings(document: &Document) {
    for warning in &document.loaded.warnings {
        eprintln!("warning: {warning}");
    }
}

/// A reader that went away wanted no more: no panic, as `print!` would.
fn print(text: &str) -> Result<ExitCode, DocumentError> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    Ok(written.map_or(ExitCode::from(2), |()| ExitCode::SUCCESS))
}

fn fail(error: &DocumentError) -> ExitCode {
    match error {
        DocumentError::Unsound(errors) => {
            for error in errors {
                eprintln!("error: {error}");
            }
            ExitCode::from(1)
        }
        DocumentError::NotUtf8 { .. } => {
            eprintln!("error: {error}");
            ExitCode::from(1)
        }
        DocumentError::Unreadable { .. } => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn absolute(file: &Path) -> Result<PathBuf, DocumentError> {
    std::path::absolute(file).map_err(|error| DocumentError::Unreadable { file: file.to_owned(), error })
}

/// An origin: Envoy forwards the client's path as it is.
fn parse_backend(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("expected {error}"))?;
    if url.path_and_query() == "/" {
        Ok(url)
    } else {
        Err(format!("expected a URL without a path: {}", url.origin()))
    }
}
