//! What the requests of one worker share under one configuration: keys being fetched, and requests waiting for them (SPEC J-10).
//!
//! A request that needs keys begins their refresh, or waits for the one that is under way in this worker or, by lease, in another. Whoever waits is
//! woken by the callback that ends the refresh, or by the tick: when its owner's client left, when another worker published, or when time is up.
//! Only Envoy can resume one request from another's callback; elsewhere each request fetches for itself.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::callout::{self, DispatchError};
use super::host::{self, Headers};
use super::lease::{Attempt, SharedKeyStore};
use super::publish::Publisher;
use crate::authenticator::{Authenticator, Need, Pending, Step};
use crate::challenge::Challenges;
use crate::decision::{Decision, Forward, LocalResponse};
use crate::fetch::{FetchError, FetchResult};
use crate::keys::{Advance, Refresh, RefreshCause};
use crate::policy::FilterPolicy;
use crate::rejection::Cause;
use crate::time::UnixTime;

/// Without ticks, metrics are told every so many requests.
const REQUESTS_PER_FLUSH: u32 = 256;

/// A refresh is at most so many callouts.
const CALLOUTS_PER_REFRESH: u32 = 3;

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing of it may pass.
    Undecided,
    /// It goes to the upstream.
    Forwarded,
    /// It was answered here.
    Answered,
}

/// The shared state.
pub(super) struct Worker {
    authenticator: Authenticator,
    policy: FilterPolicy,
    store: Option<SharedKeyStore>,
    publisher: Publisher,
    flights: RefCell<BTreeMap<u32, Flight>>,
    waiting: RefCell<BTreeMap<u32, Waiting>>,
    /// Leases of refreshes whose owners left; ended by the next tick, because this is learnt where no host call is wanted.
    abandoned: RefCell<Vec<usize>>,
    /// The host promised ticks.
    has_ticks: bool,
    /// One came.
    ticked: Cell<bool>,
    requests: Cell<u32>,
    /// A request came here.
    serves: Cell<bool>,
    /// A refresh failed before one did.
    leaves_refreshes: Cell<bool>,
    /// Whether this is Envoy; unknown until a request has to wait.
    can_resume_others: Cell<Option<bool>>,
}

/// A callout on its way.
struct Flight {
    /// The context that sent it: a request's, or the root's.
    owner: u32,
    refresh: Refresh,
}

/// A request that is paused.
struct Waiting {
    pending: Pending,
    phase: Rc<Cell<Phase>>,
    provider: usize,
    until: UnixTime,
}

impl Worker {
    /// `store` where workers share keys; `has_ticks` where the host took a tick period.
    pub(super) fn new(
        authenticator: Authenticator,
        policy: FilterPolicy,
        store: Option<SharedKeyStore>,
        has_ticks: bool,
    ) -> Self {
        Self {
            authenticator,
            policy,
            store,
            publisher: Publisher::default(),
            flights: RefCell::default(),
            waiting: RefCell::default(),
            abandoned: RefCell::default(),
            has_ticks,
            ticked: Cell::new(false),
            requests: Cell::new(0),
            serves: Cell::new(false),
            leaves_refreshes: Cell::new(false),
            can_resume_others: Cell::new(None),
        }
    }

    /// The rules.
    pub(super) const fn authenticator(&self) -> &Authenticator {
        &self.authenticator
    }

    /// Takes a request as far as it goes: acts on its decision, or leaves it waiting with something outstanding.
    pub(super) fn drive(&self, context: u32, phase: &Rc<Cell<Phase>>, step: Step) {
        let mut step = step;
        loop {
            match step {
                Step::Decide(decision) => return self.act(decision, phase),
                Step::Fetch(pending) => match self.obtain(context, phase, pending) {
                    Some(next) => step = next,
                    None => return,
                },
            }
        }
    }

    /// Counts a request, where no tick tells the metrics.
    pub(super) fn count_request(&self) {
        self.serves.set(true);
        if self.ticked.get() {
            return;
        }
        self.requests.set(self.requests.get().wrapping_add(1));
        if self.requests.get() % REQUESTS_PER_FLUSH == 0 {
            self.publisher.flush(&self.authenticator, host::now());
        }
    }

    /// A callout of `context` ended. False: it was none of ours.
    pub(super) fn on_response(&self, token: u32, headers: usize, body_size: usize) -> bool {
        let Some(Flight { owner, refresh }) = self.flights.borrow_mut().remove(&token) else { return false };
        let result = callout::response(refresh.request(), headers, body_size);
        let provider = refresh.request().provider;
        if self.is_out_of_place(&result) {
            self.leaves_refreshes.set(true);
            self.authenticator.abandon_refresh(provider);
            self.release(provider);
        } else if self.advance(owner, refresh, result) {
            self.wake(provider, owner);
        }
        true
    }

    /// Envoy's main thread has a worker, too, that ticks and serves nothing. Upstreams behind an internal listener cannot be reached from there: that
    /// says nothing about the provider, and must not hold the others back. A worker nobody needs yet leaves refreshes to them.
    fn is_out_of_place(&self, result: &FetchResult) -> bool {
        let is_unreachable = match result {
            FetchResult::Response(response) => response.status == 503,
            FetchResult::Failed(_) => true,
        };
        is_unreachable && !self.serves.get()
    }

    /// A request's context is gone, with its callouts.
    pub(super) fn forget(&self, context: u32) {
        self.waiting.borrow_mut().remove(&context);
        self.flights.borrow_mut().retain(|_, flight| {
            if flight.owner == context {
                let provider = flight.refresh.request().provider;
                self.authenticator.abandon_refresh(provider);
                self.abandoned.borrow_mut().push(provider);
            }
            flight.owner != context
        });
    }

    /// Does what no request has to do: refreshes keys, takes other workers' keys, wakes who waits.
    pub(super) fn tick(&self, root: u32, flush: bool) {
        let now = host::now();
        self.ticked.set(true);
        self.authenticator.set_refreshes_in_background();
        for provider in self.abandoned.take() {
            self.release(provider);
        }
        for provider in 0..self.authenticator.providers().len() {
            if self.import(provider, now) {
                self.wake(provider, root);
            }
        }
        if self.serves.get() || !self.leaves_refreshes.get() {
            self.refresh_due(root, now);
        }
        self.tend_waiting(root, now);
        if flush {
            self.publisher.flush(&self.authenticator, now);
        }
    }

    /// Acts on the decision about the current context. Where the host does not change headers as told, the request is denied.
    fn act(&self, decision: Decision, phase: &Cell<Phase>) {
        match decision {
            Decision::Forward(forward) if apply(&self.authenticator, &forward) => phase.set(Phase::Forwarded),
            Decision::Forward(_) => respond(&unavailable(), phase),
            Decision::Respond(response) => respond(&response, phase),
        }
    }

    /// Acts on the decision about another context than the one whose callback runs.
    fn act_on_other(&self, context: u32, current: u32, decision: Decision, phase: &Cell<Phase>) {
        // A context that is gone was forgotten before; should the host disagree, there is nobody to answer.
        if host::set_effective_context(context).is_ok() {
            self.act(decision, phase);
            go_on(phase);
        }
        let _ = host::set_effective_context(current);
    }

    /// Gets what a request needs: at once, or by leaving it waiting (`None`).
    fn obtain(&self, context: u32, phase: &Rc<Cell<Phase>>, mut pending: Pending) -> Option<Step> {
        let Need::Keys { provider, cause } = pending.need().clone();
        let now = host::now();
        // Identity headers are cleaned before the first callout (HOSTS rule 13).
        if !remove_headers(Headers::Request, &pending.take_removed_headers()) {
            return Some(self.authenticator.give_up(pending));
        }
        if self.import(provider, now) {
            return Some(self.authenticator.resume(pending, now));
        }
        let waits_for_others = self.may_wait_for_others();
        if waits_for_others && self.is_flying(provider) {
            self.wait(context, phase, pending, provider, now);
            return None;
        }
        match self.acquire(provider, now) {
            Attempt::Busy if waits_for_others => {
                self.wait(context, phase, pending, provider, now);
                return None;
            }
            Attempt::Failed(retry_at) => {
                self.authenticator.back_off_until(provider, retry_at, now);
                return Some(self.authenticator.resume(pending, now));
            }
            Attempt::Busy | Attempt::Acquired => {}
        }
        // In place before the callout leaves: whatever ends it finds who waits.
        self.wait(context, phase, pending, provider, now);
        if self.begin(context, provider, cause, now) {
            return None;
        }
        let Waiting { pending, .. } = self.waiting.borrow_mut().remove(&context)?;
        Some(self.authenticator.resume(pending, host::now()))
    }

    /// Begins a refresh. False: it failed at once, and nothing is outstanding.
    fn begin(&self, owner: u32, provider: usize, cause: RefreshCause, now: UnixTime) -> bool {
        let Some(refresh) = self.authenticator.begin_refresh(provider, cause, now) else {
            self.release(provider);
            return false;
        };
        match self.dispatch(&refresh) {
            Ok(token) => {
                self.flights.borrow_mut().insert(token, Flight { owner, refresh });
                true
            }
            Err(error) => {
                self.fail(refresh, error.into_fetch_error());
                false
            }
        }
    }

    /// Takes a callout's result, and sends the refresh's next one. True: the refresh is over.
    fn advance(&self, owner: u32, refresh: Refresh, result: FetchResult) -> bool {
        let provider = refresh.request().provider;
        let now = host::now();
        match self.authenticator.advance_refresh(refresh, result, now) {
            Advance::Next(next) => match self.dispatch(&next) {
                Ok(token) => {
                    self.flights.borrow_mut().insert(token, Flight { owner, refresh: next });
                    return false;
                }
                Err(error) => self.fail(next, error.into_fetch_error()),
            },
            Advance::Renewed(body) => {
                if let Some(store) = &self.store {
                    match self.authenticator.export_keys(provider, &body) {
                        Some(keys) => store.publish(provider, &keys),
                        None => store.release(provider),
                    }
                }
            }
            Advance::Failed => self.share_failure(provider),
        }
        true
    }

    /// A refresh ends without a callout.
    fn fail(&self, refresh: Refresh, error: FetchError) {
        let provider = refresh.request().provider;
        let _ = self.authenticator.advance_refresh(refresh, FetchResult::Failed(error), host::now());
        self.share_failure(provider);
    }

    fn share_failure(&self, provider: usize) {
        if let Some(store) = &self.store {
            store.fail(provider, self.authenticator.retry_at(provider));
        }
    }

    fn dispatch(&self, refresh: &Refresh) -> Result<u32, DispatchError> {
        let request = refresh.request();
        let provider = self
            .authenticator
            .providers()
            .get(request.provider)
            .map_or("", |provider| provider.name.as_str());
        callout::dispatch(&self.policy, provider, request)
    }

    /// Resumes every request that waits for this provider; `current` is the context whose callback this is.
    fn wake(&self, provider: usize, current: u32) {
        let others = self.can_resume_others.get() == Some(true);
        let is_meant =
            |context: u32, waiting: &Waiting| waiting.provider == provider && (others || context == current);
        let waiting: Vec<u32> = self
            .waiting
            .borrow()
            .iter()
            .filter(|(context, waiting)| is_meant(**context, waiting))
            .map(|(context, _)| *context)
            .collect();
        for context in waiting {
            self.wake_one(context, current);
        }
    }

    fn wake_one(&self, context: u32, current: u32) {
        let Some(Waiting { pending, phase, .. }) = self.waiting.borrow_mut().remove(&context) else { return };
        if context == current {
            self.drive(context, &phase, self.authenticator.resume(pending, host::now()));
            return go_on(&phase);
        }
        match self.authenticator.resume(pending, host::now()) {
            Step::Decide(decision) => self.act_on_other(context, current, decision, &phase),
            // The SDK books a callout under the context whose callback runs: the next tick begins it from the root.
            Step::Fetch(pending) => {
                let Need::Keys { provider, .. } = *pending.need();
                self.wait(context, &phase, pending, provider, host::now());
            }
        }
    }

    /// Looks after paused requests whose refresh nobody in this worker is at, and those that waited long enough.
    fn tend_waiting(&self, root: u32, now: UnixTime) {
        if self.can_resume_others.get() != Some(true) {
            return;
        }
        let waiting: Vec<(u32, usize, bool)> = self
            .waiting
            .borrow()
            .iter()
            .map(|(context, waiting)| (*context, waiting.provider, now >= waiting.until))
            .collect();
        for (context, provider, is_late) in waiting {
            if is_late && !self.owns_flight(context) {
                if let Some(Waiting { pending, phase, .. }) = self.waiting.borrow_mut().remove(&context) {
                    if let Step::Decide(decision) = self.authenticator.give_up(pending) {
                        self.act_on_other(context, root, decision, &phase);
                    }
                }
            } else if !self.is_flying(provider) {
                self.refetch_for(context, root, provider, now);
            }
        }
    }

    /// A paused request's refresh is nobody's here: another worker's, or it was lost with its owner.
    fn refetch_for(&self, context: u32, root: u32, provider: usize, now: UnixTime) {
        let Some(Need::Keys { cause, .. }) =
            self.waiting.borrow().get(&context).map(|waiting| waiting.pending.need().clone())
        else {
            return;
        };
        match self.acquire(provider, now) {
            Attempt::Busy => {}
            Attempt::Failed(retry_at) => {
                self.authenticator.back_off_until(provider, retry_at, now);
                self.wake(provider, root);
            }
            Attempt::Acquired => {
                if !self.begin(root, provider, cause, now) {
                    self.wake(provider, root);
                }
            }
        }
    }

    /// Refreshes keys that come of age, one refresh per process.
    fn refresh_due(&self, root: u32, now: UnixTime) {
        let mut from = 0;
        while let Some(provider) = self.authenticator.due_refresh(from, now) {
            from = provider + 1;
            if self.is_flying(provider) || self.acquire(provider, now) != Attempt::Acquired {
                continue;
            }
            let Some(refresh) = self.authenticator.begin_refresh(provider, RefreshCause::Due, now) else {
                self.release(provider);
                continue;
            };
            match self.dispatch(&refresh) {
                Ok(token) => {
                    self.flights.borrow_mut().insert(token, Flight { owner: root, refresh });
                }
                Err(DispatchError::Refused(error)) => self.fail(refresh, error),
                // Upstreams are still being made ready: the next tick tries again.
                Err(DispatchError::NotReady(error)) => {
                    log::debug!("provider {provider}: {error}");
                    self.authenticator.abandon_refresh(provider);
                    self.release(provider);
                }
            }
        }
    }

    /// Takes keys that another worker published, if they are newer. True: they are in force.
    fn import(&self, provider: usize, now: UnixTime) -> bool {
        let Some(store) = &self.store else { return false };
        let lease = store.lease(provider);
        if let Some(retry_at) = lease.failed_until(now) {
            self.authenticator.back_off_until(provider, retry_at, now);
        }
        let ours = self.authenticator.keys_requested_at(provider, now).unwrap_or(UnixTime::EPOCH);
        if lease.published <= ours {
            return false;
        }
        let Some(keys) = store.keys(provider) else { return false };
        self.authenticator.import_keys(provider, &keys, now).unwrap_or_else(|error| {
            log::debug!("provider {provider}: shared keys ignored: {error}");
            false
        })
    }

    fn acquire(&self, provider: usize, now: UnixTime) -> Attempt {
        let duration =
            self.policy.callout_timeout.saturating_mul(CALLOUTS_PER_REFRESH) + Duration::from_secs(1);
        self.store.as_ref().map_or(Attempt::Acquired, |store| store.acquire(provider, duration, now))
    }

    /// Lets others fetch.
    fn release(&self, provider: usize) {
        if let Some(store) = &self.store {
            store.release(provider);
        }
    }

    fn wait(&self, context: u32, phase: &Rc<Cell<Phase>>, pending: Pending, provider: usize, now: UnixTime) {
        let waiting = Waiting {
            pending,
            phase: Rc::clone(phase),
            provider,
            until: now.plus(self.policy.callout_timeout),
        };
        self.waiting.borrow_mut().insert(context, waiting);
    }

    fn is_flying(&self, provider: usize) -> bool {
        self.flights.borrow().values().any(|flight| flight.refresh.request().provider == provider)
    }

    fn owns_flight(&self, context: u32) -> bool {
        self.flights.borrow().values().any(|flight| flight.owner == context)
    }

    /// Whether this request can be resumed from another's callback, and a tick is certain to wake it: Envoy, known by a property of its streams.
    fn may_wait_for_others(&self) -> bool {
        if !self.has_ticks {
            return false;
        }
        self.can_resume_others.get().unwrap_or_else(|| {
            let is_envoy = host::property(&["xds", "listener_direction"]).is_ok();
            self.can_resume_others.set(Some(is_envoy));
            is_envoy
        })
    }
}

/// Lets a paused request go on if it may.
fn go_on(phase: &Cell<Phase>) {
    if phase.get() == Phase::Forwarded {
        let _ = host::continue_request();
    }
}

/// Changes the request's headers; false where the host did not.
fn apply(authenticator: &Authenticator, forward: &Forward) -> bool {
    let set = |(name, value): (&str, &str)| {
        value.is_empty() || host::replace_header(Headers::Request, name, value).is_ok()
    };
    remove_headers(Headers::Request, &forward.remove)
        && (!forward.remove_authorization || host::remove_header(Headers::Request, "authorization").is_ok())
        && forward.identity.as_ref().is_none_or(|identity| authenticator.identity_headers(identity).all(set))
}

/// Removes headers or trailers. WasmX over plain nginx does not take a removal to the upstream, but takes a replacement.
pub(super) fn remove_headers(map: Headers, names: &[String]) -> bool {
    names.iter().all(|name| {
        let _ = host::replace_header(map, name, "");
        host::remove_header(map, name).is_ok()
    })
}

/// Answers the current request.
pub(super) fn respond(response: &LocalResponse, phase: &Cell<Phase>) {
    phase.set(Phase::Answered);
    let headers: Vec<(&str, &str)> =
        response.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    if let Err(status) = host::send_local_response(response.status, &headers, &response.body) {
        log::error!("the proxy refused a response: {status:?}");
    }
}

/// The answer where no rule could be applied.
pub(super) fn unavailable() -> LocalResponse {
    Challenges::new("", "").refuse(Cause::KeysUnavailable, &[], true)
}
