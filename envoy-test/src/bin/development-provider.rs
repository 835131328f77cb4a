//! The development identity provider: `serve` runs it, `token` asks a running one for a token.
//!
//! Whoever can connect to it gets tokens of every kind: it listens on loopback addresses only.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use envoy_test::Provider;
use envoy_test::provider::{RealmOptions, TokenRequest};

#[derive(Parser)]
#[command(about = "An identity provider for development: several realms, all algorithms, tokens on request")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the realms until it is stopped.
    Serve(Serve),
    /// Prints a token of a running provider.
    Token(Token),
    /// Prints the certificate of a new authority (PEM) whose key is thrown away: a file for `caCertPath` that trusts nobody.
    CertificateAuthority,
}

#[derive(Args)]
struct Serve {
    /// A loopback address and port.
    #[arg(long, default_value = "127.0.0.1:9000")]
    address: SocketAddr,
    /// `name:audience`, or `name:audience:alias` to be found as `--provider alias`, too; may be given several times.
    #[arg(long = "realm", value_name = "NAME:AUDIENCE[:ALIAS]", required = true, value_parser = parse_realm)]
    realms: Vec<Realm>,
}

#[derive(Clone)]
struct Realm {
    name: String,
    audience: String,
    alias: Option<String>,
}

#[derive(Args)]
struct Token {
    /// Where the provider listens.
    #[arg(long, default_value = "127.0.0.1:9000")]
    address: SocketAddr,
    /// A realm, or its alias; the first realm by default.
    #[arg(long)]
    provider: Option<String>,
    /// RS256 … EdDSA, `none`, or `HS256` keyed with the public key.
    #[arg(long)]
    alg: Option<String>,
    /// `aud` instead of the realm's audience.
    #[arg(long)]
    audience: Option<String>,
    /// `iss` instead of the realm's issuer.
    #[arg(long)]
    issuer: Option<String>,
    /// `kid` of the header instead of the key's own; empty for none.
    #[arg(long)]
    kid: Option<String>,
    /// Scopes, separated by spaces.
    #[arg(long)]
    scope: Option<String>,
    /// `sub`.
    #[arg(long)]
    subject: Option<String>,
    /// Seconds until it expires; a negative number gives an expired token.
    #[arg(long, allow_negative_numbers = true)]
    expires: Option<i64>,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Serve(serve) => run(serve),
        Command::Token(token) => fetch(token),
        Command::CertificateAuthority => print_authority(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("development-provider: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(serve: Serve) -> Result<(), String> {
    if !serve.address.ip().is_loopback() {
        return Err(format!(
            "{} is not a loopback address; this provider gives a token to whoever asks",
            serve.address
        ));
    }
    let mut builder = Provider::builder().address(serve.address).control();
    for realm in &serve.realms {
        builder = builder.realm(RealmOptions::new(&realm.name, &realm.audience));
        if let Some(alias) = &realm.alias {
            builder = builder.alias(alias, &realm.name);
        }
    }
    let provider = builder.start().map_err(|error| format!("cannot listen on {}: {error}", serve.address))?;
    for realm in &serve.realms {
        println!("{} (audience {})", provider.issuer(&realm.name), realm.audience);
    }
    println!("ready");
    wait_for_signal().map_err(|error| error.to_string())
}

/// Ends on SIGINT or SIGTERM.
fn wait_for_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    })
}

fn fetch(token: Token) -> Result<(), String> {
    let request = TokenRequest {
        provider: token.provider,
        alg: token.alg,
        kid: token.kid,
        issuer: token.issuer,
        audience: token.audience.map(Into::into),
        scope: token.scope,
        subject: token.subject,
        expires: token.expires,
        ..TokenRequest::default()
    };
    let body = serde_json::to_string(&request).map_err(|error| error.to_string())?;
    let answer = post(token.address, "/token", &body).map_err(|error| {
        format!("no development provider at {}: {error}; is the demo running?", token.address)
    })?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("the answer is not HTTP")?;
    if head.split(' ').nth(1) != Some("200") {
        return Err(body.to_owned());
    }
    print!("{body}");
    Ok(())
}

fn print_authority() -> Result<(), String> {
    let create = || {
        let key = rcgen::KeyPair::generate()?;
        let mut parameters = rcgen::CertificateParams::new(Vec::new())?;
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
        parameters.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "development only");
        parameters.self_signed(&key)
    };
    let certificate: rcgen::Certificate = create().map_err(|error: rcgen::Error| error.to_string())?;
    print!("{}", certificate.pem());
    Ok(())
}

/// One request, one connection: HTTP/1.0, so that the answer ends with it and is never chunked.
fn post(address: SocketAddr, path: &str, body: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "POST {path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn parse_realm(text: &str) -> Result<Realm, String> {
    let mut parts = text.splitn(3, ':').map(str::to_owned);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(name), Some(audience), alias) if !name.is_empty() && !audience.is_empty() => {
            Ok(Realm { name, audience, alias })
        }
        _ => Err("expected NAME:AUDIENCE or NAME:AUDIENCE:ALIAS".to_owned()),
    }
}
