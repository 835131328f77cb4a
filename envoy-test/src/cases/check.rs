//! Compares what came with what was expected, and with what is true of every request.

use std::collections::BTreeMap;

use serde_json::json;

use super::document::Terms;
use super::expected::{Check, Expected, Outcome};
use super::world::World;
use crate::message::{RawRequest, RawResponse, values};

/// Every header that only we may set.
const IDENTITY: [&str; 4] = ["x-auth-provider", "x-auth-subject", "x-auth-user", "x-auth-scopes"];
const OVERRIDES: [&str; 4] =
    ["x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url"];

pub(crate) fn check(
    world: Option<&World>,
    terms: Terms,
    expected: &Expected,
    request: &RawRequest,
    response: &RawResponse,
) -> Result<(), String> {
    match &expected.outcome {
        Outcome::Forwarded { target } => forwarded(terms, request, response, target.as_deref())?,
        Outcome::Refused { status, code, descriptions } => {
            not_forwarded(response)?;
            equal("status", &response.status, status)?;
            refused(terms, expected, request, response, code, descriptions)?;
        }
        Outcome::Answered(status) => {
            not_forwarded(response)?;
            equal("status", &response.status, status)?;
        }
        Outcome::RefusedByHost => {
            not_forwarded(response)?;
            ensure((400..500).contains(&response.status), || {
                format!("status {}, expected 4xx", response.status)
            })?;
        }
    }
    leaks_nothing(request, response)?;
    expected.checks.iter().try_for_each(|check| one(world, check, response))
}

fn forwarded(
    terms: Terms,
    request: &RawRequest,
    response: &RawResponse,
    target: Option<&str>,
) -> Result<(), String> {
    let upstream = response.upstream.as_ref().ok_or("it did not reach the upstream")?;
    equal("status", &response.status, &200)?;
    equal("method", &upstream.method, &request.method)?;
    let target = target.map_or(request.target.as_slice(), str::as_bytes);
    equal("target", &String::from_utf8_lossy(&upstream.target), &String::from_utf8_lossy(target))?;
    equal("body", &upstream.body, &request.body)?;
    for (name, _) in &upstream.headers {
        let plain = name.to_ascii_lowercase().replace('_', "-");
        ensure(!OVERRIDES.contains(&plain.as_str()), || format!("the upstream saw {name}"))?;
        if IDENTITY.contains(&plain.as_str()) {
            ensure(*name.to_ascii_lowercase() == plain, || format!("the upstream saw {name}"))?;
            equal(name, &values(&upstream.headers, name).len(), &1)?;
        }
    }
    if !terms.forwards_token {
        ensure(upstream.values("authorization").is_empty(), || "the upstream saw Authorization".to_owned())?;
    }
    Ok(())
}

fn not_forwarded(response: &RawResponse) -> Result<(), String> {
    ensure(response.upstream.is_none(), || "it reached the upstream".to_owned())
}

fn refused(
    terms: Terms,
    expected: &Expected,
    request: &RawRequest,
    response: &RawResponse,
    code: &str,
    descriptions: &[&str],
) -> Result<(), String> {
    header(response, "cache-control", "no-store")?;
    // Envoy takes it from a response without a body, which RFC 9110 §9.3.2 allows for HEAD.
    if request.method != "HEAD" {
        header(response, "content-type", "application/json")?;
    }
    let challenged = matches!(response.status, 401 | 403);
    let scope = expected
        .checks
        .iter()
        .find_map(|check| if let Check::ChallengeScope(scope) = check { Some(*scope) } else { None });
    let mut description = None;
    if request.method == "HEAD" {
        ensure(response.body.is_empty(), || "HEAD has a body".to_owned())?;
    } else {
        let body: serde_json::Value =
            serde_json::from_slice(&response.body).map_err(|error| error.to_string())?;
        let found = descriptions
            .iter()
            .find(|description| body == json!({ "error": code, "error_description": description }));
        description = Some(*found.ok_or_else(|| format!("expected {code} with one of {descriptions:?}"))?);
    }
    let challenges = response.values("www-authenticate");
    if response.status == 503 {
        ensure(challenges.is_empty(), || "503 with a challenge".to_owned())?;
        return header(response, "retry-after", "5");
    }
    ensure(!challenged || challenges.len() == 1, || format!("{} challenges", challenges.len()))?;
    for challenge in &challenges {
        let mut parameters =
            BTreeMap::from([("realm", terms.realm), ("resource_metadata", terms.metadata_url)]);
        if code != "unauthorized" {
            parameters.insert("error", code);
            let description = description.or_else(|| descriptions.first().copied());
            parameters.extend(description.map(|description| ("error_description", description)));
        }
        parameters.extend(scope.map(|scope| ("scope", scope)));
        let expected =
            parameters.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        equal("challenge", &parse_challenge(challenge)?, &expected)?;
    }
    Ok(())
}

/// RFC 9110 §11.6.1, as strict as a client can be: one scheme, quoted parameters, none twice.
fn parse_challenge(text: &str) -> Result<BTreeMap<String, String>, String> {
    ensure(text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)), || {
        format!("{text:?} is not printable ASCII")
    })?;
    let mut rest =
        text.strip_prefix("Bearer ").ok_or_else(|| format!("{text:?} does not start with `Bearer `"))?;
    let mut parameters = BTreeMap::new();
    loop {
        let (name, quoted) = rest.split_once("=\"").ok_or_else(|| format!("no parameter in {rest:?}"))?;
        let mut value = String::new();
        let mut characters = quoted.char_indices();
        let end = loop {
            match characters.next() {
                Some((end, '"')) => break end,
                Some((_, '\\')) => value.extend(characters.next().map(|(_, character)| character)),
                Some((_, character)) => value.push(character),
                None => return Err(format!("{text:?} does not end")),
            }
        };
        ensure(parameters.insert(name.to_owned(), value).is_none(), || format!("{name} twice"))?;
        match quoted.get(end + 1..).unwrap_or_default() {
            "" => return Ok(parameters),
            more => rest = more.strip_prefix(", ").ok_or_else(|| format!("no comma before {more:?}"))?,
        }
    }
}

/// No response of ours repeats a token.
fn leaks_nothing(request: &RawRequest, response: &RawResponse) -> Result<(), String> {
    if response.upstream.is_some() {
        return Ok(());
    }
    for value in request.values("authorization") {
        let Some((_, token)) = value.split_once(' ').filter(|(_, token)| token.len() > 20) else {
            continue;
        };
        let told = response.headers.iter().any(|(_, header)| String::from_utf8_lossy(header).contains(token));
        ensure(!told && !response.text().contains(token), || "the response repeats the token".to_owned())?;
    }
    Ok(())
}

fn one(world: Option<&World>, check: &Check, response: &RawResponse) -> Result<(), String> {
    let upstream = response.upstream.as_ref();
    match check {
        Check::ChallengeScope(_) => Ok(()),
        Check::Header(name, value) => header(response, name, value),
        Check::Headers(name, all) => {
            let lines = response.values(name);
            let found = lines.iter().flat_map(|line| line.split(',').map(str::trim));
            equal(name, &found.collect::<Vec<&str>>(), all)
        }
        Check::NoHeader(name) => equal(name, &response.values(name).len(), &0),
        Check::Challenge(text) => header(response, "www-authenticate", text),
        Check::Json(body) => {
            let found: serde_json::Value =
                serde_json::from_slice(&response.body).map_err(|error| error.to_string())?;
            equal("body", &found, &body(world.ok_or("a body of no world")?))
        }
        Check::NoBody => ensure(response.body.is_empty(), || "there is a body".to_owned()),
        Check::Upstream(name, value) => {
            let found = upstream.map(|upstream| upstream.values(name)).unwrap_or_default();
            equal(name, &found.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), &vec![value.as_str()])
        }
        Check::UpstreamAll(name, all) => {
            let found = upstream.map(|upstream| upstream.values(name)).unwrap_or_default();
            equal(
                name,
                &found.iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
                &all.iter().map(String::as_str).collect(),
            )
        }
        Check::NotUpstream(name) => {
            let upstream = upstream.ok_or("it did not reach the upstream")?;
            let plain = name.replace('_', "-");
            let seen = upstream.headers.iter().find(|(seen, value)| {
                seen.to_ascii_lowercase().replace('_', "-") == plain && !value.is_empty()
            });
            ensure(seen.is_none(), || format!("the upstream saw {seen:?}"))
        }
    }
}

fn header(response: &RawResponse, name: &str, value: &str) -> Result<(), String> {
    equal(name, &response.values(name).iter().map(AsRef::as_ref).collect::<Vec<&str>>(), &vec![value])
}

fn equal<T: PartialEq + std::fmt::Debug + ?Sized>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    ensure(found == expected, || format!("{what} is {found:?}, expected {expected:?}"))
}

fn ensure(truth: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if truth { Ok(()) } else { Err(otherwise()) }
}
