//! One request.

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use super::host::{self, Headers};
use super::worker::{Phase, Worker, remove_headers, respond, share, unavailable};
use crate::client;
use crate::header_map;
use crate::request::{Client, RequestHead};

/// A request's context. Its unfinished work is the worker's, under this context's number, until the context goes.
pub(super) struct Request {
    context: u32,
    /// `None`: there is no valid configuration, and everything is denied.
    worker: Option<Rc<Worker>>,
    phase: Rc<Cell<Phase>>,
}

impl Request {
    pub(super) fn new(context: u32, worker: Option<Rc<Worker>>) -> Self {
        Self { context, worker, phase: Rc::new(Cell::new(Phase::Undecided)) }
    }

    fn decide(&self, end_of_stream: bool) {
        let Some(worker) = &self.worker else { return respond(&unavailable(), &self.phase) };
        let Ok(map) = host::header_pairs(Headers::Request) else {
            return respond(&unavailable(), &self.phase);
        };
        let Some(pairs) = header_map::pairs(&map) else { return respond(&unavailable(), &self.phase) };
        let pseudo = |name: &[u8]| pairs.iter().find(|(found, _)| *found == name).map(|(_, value)| *value);
        let head = RequestHead {
            method: pseudo(b":method").unwrap_or_default(),
            path: pseudo(b":path"),
            headers: &pairs,
            has_body: !end_of_stream,
            client: Client::new(&client_address),
        };
        let step = worker.authenticator().start(&head, host::now());
        worker.drive(self.context, &self.phase, step);
        worker.count_request();
    }

    fn action(&self) -> Action {
        match self.phase.get() {
            Phase::Forwarded(_) => Action::Continue,
            Phase::Undecided | Phase::Answered => Action::Pause,
        }
    }
}

/// As the proxy knows it: by its rules about X-Forwarded-For, where it has some.
fn client_address() -> Option<IpAddr> {
    client::parse_address(&host::property(&["source", "address"]).ok()?)
}

impl Context for Request {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body_size: usize, _: usize) {
        let is_ours =
            self.worker.as_ref().is_some_and(|worker| worker.on_response(token, headers, body_size));
        // On some hosts, a callback that does nothing forwards the request.
        if !is_ours && self.phase.get() == Phase::Undecided {
            respond(&unavailable(), &self.phase);
        }
    }
}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        if self.phase.get() == Phase::Undecided {
            self.decide(end_of_stream);
        }
        self.action()
    }

    fn on_http_request_body(&mut self, _: usize, _: bool) -> Action {
        self.action()
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        let Some(worker) = &self.worker else { return Action::Pause };
        let Ok(map) = host::header_pairs(Headers::RequestTrailers) else { return self.action() };
        let reserved = |(name, _): &(&[u8], &[u8])| worker.authenticator().is_reserved(name);
        let names = header_map::pairs(&map)
            .unwrap_or_default()
            .into_iter()
            .filter(reserved)
            .map(|(name, _)| String::from_utf8_lossy(name).into_owned());
        remove_headers(Headers::RequestTrailers, &names.collect::<Vec<_>>());
        self.action()
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        if let (Phase::Forwarded(Some(sharing)), Some(worker)) = (self.phase.get(), &self.worker) {
            share(worker.authenticator(), sharing);
        }
        Action::Continue
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if let Some(worker) = &self.worker {
            worker.forget(self.context);
        }
    }
}
