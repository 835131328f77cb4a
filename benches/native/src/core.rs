//! The core, and aws-lc-rs alone on the same bytes.

use registry_auth::authenticator::{Authenticator, Step};
use registry_auth::decision::Decision;
use registry_auth::request::{Client, RequestHead};
use registry_auth::signature::{Algorithm, Backend};

use crate::arm::Arm;
use crate::clock::{on_threads, time};
use crate::fixture::{Failure, Fixture, HEADERS, PATH, Token, now};

/// Operations of one thread in a round, where each takes less than a microsecond or so.
const RECOGNISED: usize = 20_000;
/// The same where each verifies a signature.
pub(crate) const VERIFIED: usize = 500;

/// The tokens in use: `live` of them, all recognised.
pub(crate) fn recognised(fixture: &Fixture, live: usize, threads: usize) -> Result<Arm, Failure> {
    let authenticator = fixture.authenticator(Backend::AwsLc, threads)?;
    let tokens = fixture.tokens(Algorithm::RS256, live)?;
    let values = authorizations(&tokens);
    start_all(&authenticator, &heads(&values))?;
    let name = format!("core, {}", described(live));
    Ok(Arm::new(name, threads, move || {
        on_threads(threads, |thread, wait| {
            let headers = heads(&values);
            // A step that is no divisor: not the order in which they were remembered.
            let chosen: Vec<_> =
                (0..RECOGNISED).filter_map(|at| headers.get((at * 7919 + thread) % headers.len())).collect();
            wait();
            let time = time(|| chosen.into_iter().try_for_each(|headers| start(&authenticator, headers)))?;
            Ok((time, RECOGNISED))
        })
    }))
}

/// Each token is seen for the first time.
pub(crate) fn verified(
    fixture: &'static Fixture,
    algorithm: Algorithm,
    backend: Backend,
    threads: usize,
) -> Result<Arm, Failure> {
    let tokens = fixture.tokens(algorithm, VERIFIED * threads)?;
    let name = match backend {
        Backend::AwsLc => format!("core, {algorithm} verified"),
        Backend::RustCrypto => format!("core, {algorithm} verified by RustCrypto"),
    };
    let values = authorizations(&tokens);
    Ok(Arm::new(name, threads, move || {
        let authenticator = fixture.authenticator(backend, threads)?;
        on_threads(threads, |thread, wait| {
            let all = heads(&values);
            let own = all.chunks(VERIFIED).nth(thread).unwrap_or_default();
            wait();
            Ok((time(|| start_all(&authenticator, own))?, own.len()))
        })
    }))
}

/// The signatures of the same tokens, decoded beforehand.
pub(crate) fn alone(fixture: &Fixture, algorithm: Algorithm, threads: usize) -> Result<Arm, Failure> {
    let tokens = fixture.tokens(algorithm, VERIFIED * threads)?;
    let key = fixture.parsed(algorithm)?;
    Ok(Arm::new(format!("aws-lc-rs alone, {algorithm}"), threads, move || {
        on_threads(threads, |thread, wait| {
            let own = tokens.chunks(VERIFIED).nth(thread).unwrap_or_default();
            wait();
            let verify = |token: &Token| key.verify_sig(&token.signing_input, &token.signature);
            Ok((time(|| Ok(own.iter().try_for_each(verify)?))?, own.len()))
        })
    }))
}

pub(crate) fn described(live: usize) -> String {
    if live == 1 { "one token recognised".to_owned() } else { format!("{live} tokens recognised") }
}

fn authorizations(tokens: &[Token]) -> Vec<String> {
    tokens.iter().map(|token| format!("Bearer {}", token.text)).collect()
}

type Headers<'a> = Vec<(&'a [u8], &'a [u8])>;

fn heads(values: &[String]) -> Vec<Headers<'_>> {
    let head = |value| {
        let headers = HEADERS.iter().copied().chain([("authorization", value)]);
        headers.map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect()
    };
    values.iter().map(|value| head(value.as_str())).collect()
}

fn start_all(authenticator: &Authenticator, heads: &[Headers<'_>]) -> Result<(), Failure> {
    heads.iter().try_for_each(|headers| start(authenticator, headers))
}

fn start(authenticator: &Authenticator, headers: &Headers<'_>) -> Result<(), Failure> {
    let head = RequestHead {
        method: b"GET",
        path: Some(PATH.as_bytes()),
        headers,
        has_body: false,
        client: Client::UNKNOWN,
    };
    match authenticator.start(&head, now()) {
        Step::Decide(Decision::Forward(forward)) if forward.identity.is_some() => Ok(()),
        step => Err(format!("not authenticated: {step:?}").into()),
    }
}
