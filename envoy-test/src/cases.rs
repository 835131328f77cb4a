//! The table of cases that every shell of the core has to pass: the core natively, the tower layer, and the filter in Envoy.
//!
//! A [`Case`] is one request under one [`Document`] and what has to become of it. A [`Subject`] carries requests through whatever it is; [`run`] sends
//! a document's cases and tells every one that failed. The cases follow SPEC.md, not the implementation; each names its rule.

mod bearer;
mod challenge;
mod check;
mod claims;
mod cors;
mod document;
pub mod examples;
mod expected;
mod form;
mod header;
mod identity;
mod keys;
mod metadata;
mod outage;
mod path;
mod public_path;
mod scopes;
mod signature;
mod world;

use std::future::Future;
use std::io;

use expected::Outcome;

use crate::message::{RawRequest, RawResponse};
use crate::upstream::CASE_HEADER;

pub use document::Document;
pub use expected::Expected;
pub use world::World;

/// Where a case runs. What a host does to a request before the core sees it is part of the case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// The core, called directly: sees every byte as it was sent.
    Core,
    /// The tower layer behind an HTTP server that has parsed the request.
    Tower,
    /// The filter behind Envoy's connection manager, which normalises paths (SPEC P-2) and refuses what is not HTTP.
    Envoy,
}

/// Carries requests.
pub trait Subject: Sync {
    /// What it is.
    fn host(&self) -> Host;

    /// Sends a request and tells what came back, and what reached the upstream.
    fn send(&self, request: &RawRequest) -> impl Future<Output = io::Result<RawResponse>> + Send;
}

/// One request and what has to become of it.
#[must_use]
pub struct Case {
    /// The rule of SPEC.md.
    pub rule: &'static str,
    /// What is shown.
    pub name: String,
    /// The configuration.
    pub document: Document,
    request: Box<dyn Fn(&World) -> RawRequest + Send + Sync>,
    expected: Expected,
    exceptions: Vec<(Host, Exception)>,
}

enum Exception {
    /// Cannot be expressed there.
    Impossible,
    /// The host changes the request, or refuses it by itself.
    Otherwise(Expected),
}

impl Case {
    pub(crate) fn new(
        rule: &'static str,
        name: impl Into<String>,
        request: impl Fn(&World) -> RawRequest + Send + Sync + 'static,
        expected: Expected,
    ) -> Self {
        let request = Box::new(request);
        Self {
            rule,
            name: name.into(),
            document: Document::Complete,
            request,
            expected,
            exceptions: Vec::new(),
        }
    }

    pub(crate) fn under(mut self, document: Document) -> Self {
        self.document = document;
        self
    }

    pub(crate) fn impossible_in(mut self, host: Host) -> Self {
        self.exceptions.push((host, Exception::Impossible));
        self
    }

    pub(crate) fn in_host(mut self, host: Host, expected: Expected) -> Self {
        self.exceptions.push((host, Exception::Otherwise(expected)));
        self
    }

    fn expected_in(&self, host: Host) -> Option<&Expected> {
        match self.exceptions.iter().find(|(exception, _)| *exception == host) {
            None => Some(&self.expected),
            Some((_, Exception::Otherwise(expected))) => Some(expected),
            Some((_, Exception::Impossible)) => None,
        }
    }
}

/// Every case.
pub fn all() -> Vec<Case> {
    [
        public_path::cases(),
        path::cases(),
        bearer::cases(),
        form::cases(),
        header::cases(),
        signature::cases(),
        claims::cases(),
        keys::cases(),
        outage::cases(),
        challenge::cases(),
        metadata::cases(),
        identity::cases(),
        scopes::cases(),
        cors::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Sends every case of `document` through `subject`, one after the other, and returns how many passed.
///
/// # Panics
/// When a case failed; the message lists all of them.
pub async fn run(document: Document, world: &World, subject: &impl Subject) -> usize {
    let mut passed = 0;
    let mut failed = Vec::new();
    for (number, case) in all().iter().enumerate().filter(|(_, case)| case.document == document) {
        let Some(expected) = case.expected_in(subject.host()) else {
            continue;
        };
        let request = (case.request)(world).header(CASE_HEADER, format!("case-{number}"));
        let outcome = match subject.send(&request).await {
            Ok(response) => check::check(Some(world), case.document.terms(), expected, &request, &response)
                .map_err(|error| format!("{error}\n    answered {} {}", response.status, response.text())),
            Err(error) => {
                expected.allows_closing().then_some(()).ok_or_else(|| format!("no response: {error}"))
            }
        };
        match outcome {
            Ok(()) => passed += 1,
            Err(error) => failed.push(format!("{} {}: {error}", case.rule, case.name)),
        }
    }
    conclude(&format!("cases of {document:?} in {:?}", subject.host()), passed, &failed);
    passed
}

/// Sends every case through a host **without** the core, and checks what the table says about the host itself: which requests it refuses, and which
/// targets it rewrites. Returns how many passed.
///
/// # Panics
/// When the table is wrong about the host.
pub async fn run_without_core(world: &World, subject: &impl Subject) -> usize {
    let mut passed = 0;
    let mut failed = Vec::new();
    for (number, case) in all().iter().enumerate() {
        let Some(expected) = case.expected_in(subject.host()) else { continue };
        let request = (case.request)(world).header(CASE_HEADER, format!("case-{number}"));
        let refuses = matches!(expected.outcome, Outcome::RefusedByHost);
        let target = match &expected.outcome {
            Outcome::Forwarded { target: Some(target) } => Some(target.as_bytes()),
            Outcome::Forwarded { target: None } => Some(request.target.as_slice()),
            _ => None,
        };
        let verdict = match subject.send(&request).await {
            Ok(response) => match (response.upstream, refuses) {
                (None, true) => Ok(()),
                (Some(_), true) => Err("the host does not refuse it".to_owned()),
                (None, false) => Err(format!("the host answered {}", response.status)),
                (Some(seen), false) if target.is_none_or(|target| target == seen.target) => Ok(()),
                (Some(seen), false) => {
                    Err(format!("the upstream saw {}", String::from_utf8_lossy(&seen.target)))
                }
            },
            Err(error) => expected.allows_closing().then_some(()).ok_or_else(|| error.to_string()),
        };
        match verdict {
            Ok(()) => passed += 1,
            Err(error) => failed.push(format!("{} {}: {error}", case.rule, case.name)),
        }
    }
    conclude(&format!("cases in {:?} without the core", subject.host()), passed, &failed);
    passed
}

fn conclude(what: &str, passed: usize, failed: &[String]) {
    let total = passed + failed.len();
    assert!(failed.is_empty(), "{} of {total} {what} failed:\n{}", failed.len(), failed.join("\n"));
}
