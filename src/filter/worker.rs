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
use crate::authenticator::{Authenticator, Introspection, Need, Pending, Step};
use crate::challenge::Challenges;
use crate::cors::Sharing;
use crate::decision::{Decision, Forward, LocalResponse};
use crate::digest::Digest;
use crate::fetch::{FetchError, FetchRequest, FetchResult};
use crate::keys::{Advance, Refresh, RefreshCause};
use crate::policy::FilterPolicy;
use crate::rejection::Cause;
use crate::time::UnixTime;

/// Without ticks, metrics are told every so many requests.
const REQUESTS_PER_FLUSH: u32 = 256;

/// A refresh is at most so many callouts.
const CALLOUTS_PER_REFRESH: u32 = 3;

/// Upstreams may take so long to get ready before it is called a failure.
const STARTING: Duration = Duration::from_secs(5);

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing of it may pass.
    Undecided,
    /// It goes to the upstream, and its response is changed for browsers.
    Forwarded(Option<Sharing>),
    /// It was answered here.
    Answered,
}

/// The shared state.
pub(super) struct Worker {
    authenticator: Authenticator,
    policy: FilterPolicy,
    store: Option<SharedKeyStore>,
    publisher: Publisher,
    /// Boxed as those that wait are, so that one map's code serves both: proxies compile it at every start.
    flights: RefCell<BTreeMap<u32, Box<Flight>>>,
    waiting: RefCell<BTreeMap<u32, Box<Waiting>>>,
    /// Leases of refreshes whose owners left; ended by the next tick, because this is learnt where no host call is wanted.
    abandoned: RefCell<Vec<usize>>,
    /// When each provider's upstream was first found not to be ready.
    not_ready_since: RefCell<BTreeMap<usize, UnixTime>>,
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
    errand: Errand,
}

/// What callouts are for.
enum Errand {
    Refresh(Refresh),
    Introspection(Introspection),
}

/// What requests wait for together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Keys(usize),
    Answer(usize, Digest),
}

/// A request that is paused.
struct Waiting {
    pending: Pending,
    phase: Rc<Cell<Phase>>,
    until: UnixTime,
}

impl Errand {
    fn request(&self) -> &FetchRequest {
        match self {
            Self::Refresh(refresh) => refresh.request(),
            Self::Introspection(introspection) => introspection.request(),
        }
    }

    fn awaited(&self) -> Awaited {
        match self {
            Self::Refresh(refresh) => Awaited::Keys(refresh.request().provider),
            Self::Introspection(introspection) => {
                Awaited::Answer(introspection.request().provider, introspection.digest())
            }
        }
    }
}

impl Waiting {
    fn awaited(&self) -> Awaited {
        awaited(&self.pending)
    }
}

const fn awaited(pending: &Pending) -> Awaited {
    match pending.need() {
        Need::Keys { provider, .. } => Awaited::Keys(*provider),
        Need::Introspection { provider, digest } => Awaited::Answer(*provider, *digest),
    }
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
            not_ready_since: RefCell::default(),
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
        if self.requests.get().is_multiple_of(REQUESTS_PER_FLUSH) {
            self.publisher.flush(&self.authenticator, host::now());
        }
    }

    /// A callout of `context` ended. False: it was none of ours.
    pub(super) fn on_response(&self, token: u32, headers: usize, body_size: usize) -> bool {
        let Some(flight) = self.flights.borrow_mut().remove(&token) else { return false };
        let Flight { owner, errand } = *flight;
        let result = callout::response(errand.request(), headers, body_size);
        let awaited = errand.awaited();
        let is_over = match errand {
            Errand::Refresh(_) if self.is_out_of_place(&result) => {
                let provider = errand.request().provider;
                self.leaves_refreshes.set(true);
                self.authenticator.abandon_refresh(provider);
                self.release(provider);
                false
            }
            Errand::Refresh(refresh) => self.advance(owner, refresh, result),
            Errand::Introspection(introspection) => {
                self.authenticator.end_introspection(introspection, result, host::now());
                true
            }
        };
        if is_over {
            self.wake(awaited, owner);
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
        // As after nearly every request.
        if self.waiting.borrow().is_empty() && self.flights.borrow().is_empty() {
            return;
        }
        self.waiting.borrow_mut().remove(&context);
        self.flights.borrow_mut().retain(|_, flight| {
            let is_lost = flight.owner == context;
            match flight.errand.awaited() {
                Awaited::Keys(provider) if is_lost => {
                    self.authenticator.abandon_refresh(provider);
                    self.abandoned.borrow_mut().push(provider);
                }
                Awaited::Answer(provider, _) if is_lost => self.authenticator.abandon_introspection(provider),
                Awaited::Keys(_) | Awaited::Answer(..) => {}
            }
            !is_lost
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
                self.wake(Awaited::Keys(provider), root);
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
            Decision::Forward(forward) if apply(&self.authenticator, &forward) => {
                phase.set(Phase::Forwarded(forward.sharing));
            }
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
        let now = host::now();
        // Identity headers are cleaned before the first callout (HOSTS rule 13).
        if !remove_headers(Headers::Request, &pending.take_removed_headers()) {
            return Some(self.authenticator.give_up(pending));
        }
        let awaited = awaited(&pending);
        if let Awaited::Keys(provider) = awaited
            && self.import(provider, now)
        {
            return Some(self.authenticator.resume(pending, now));
        }
        let waits_for_others = self.may_wait_for_others();
        if waits_for_others && self.is_flying(awaited) {
            self.wait(context, phase, pending, now);
            return None;
        }
        if let Awaited::Keys(provider) = awaited {
            match self.acquire(provider, now) {
                Attempt::Busy if waits_for_others => {
                    self.wait(context, phase, pending, now);
                    return None;
                }
                Attempt::Failed(retry_at) => {
                    self.authenticator.back_off_until(provider, retry_at, now);
                    return Some(self.authenticator.resume(pending, now));
                }
                Attempt::Busy | Attempt::Acquired => {}
            }
        }
        // In place before the callout leaves: whatever ends it finds who waits.
        let errand = self.errand(&pending, now);
        self.wait(context, phase, pending, now);
        if errand.is_some_and(|errand| self.send(context, errand)) {
            return None;
        }
        let Waiting { pending, .. } = *self.waiting.borrow_mut().remove(&context)?;
        Some(self.authenticator.resume(pending, host::now()))
    }

    /// Begins what a request waits for. `None`: it may not be begun now.
    fn errand(&self, pending: &Pending, now: UnixTime) -> Option<Errand> {
        match pending.need() {
            Need::Keys { provider, cause } => {
                let refresh = self.authenticator.begin_refresh(*provider, cause.clone(), now);
                if refresh.is_none() {
                    self.release(*provider);
                }
                refresh.map(Errand::Refresh)
            }
            Need::Introspection { .. } => {
                self.authenticator.begin_introspection(pending, now).map(Errand::Introspection)
            }
        }
    }

    /// Sends an errand's callout. False: it failed at once, and nothing is outstanding.
    fn send(&self, owner: u32, errand: Errand) -> bool {
        match self.dispatch(errand.request()) {
            Ok(token) => {
                self.flights.borrow_mut().insert(token, Box::new(Flight { owner, errand }));
                true
            }
            Err(error) => {
                self.fail(errand, error.into_fetch_error());
                false
            }
        }
    }

    /// Takes a callout's result, and sends the refresh's next one. True: the refresh is over.
    fn advance(&self, owner: u32, refresh: Refresh, result: FetchResult) -> bool {
        let provider = refresh.request().provider;
        let now = host::now();
        match self.authenticator.advance_refresh(refresh, result, now) {
            Advance::Next(next) => return !self.send(owner, Errand::Refresh(next)),
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

    /// An errand ends without a callout.
    fn fail(&self, errand: Errand, error: FetchError) {
        let provider = errand.request().provider;
        match errand {
            Errand::Refresh(refresh) => {
                let _ = self.authenticator.advance_refresh(refresh, FetchResult::Failed(error), host::now());
                self.share_failure(provider);
            }
            Errand::Introspection(introspection) => {
                self.authenticator.end_introspection(introspection, FetchResult::Failed(error), host::now());
            }
        }
    }

    fn share_failure(&self, provider: usize) {
        if let Some(store) = &self.store {
            store.fail(provider, self.authenticator.retry_at(provider));
        }
    }

    fn dispatch(&self, request: &FetchRequest) -> Result<u32, DispatchError> {
        let providers = self.authenticator.providers();
        let provider = providers.get(request.provider).map_or("", |provider| provider.name.as_str());
        callout::dispatch(&self.policy, provider, request)
    }

    /// Resumes every request that waits for this; `current` is the context whose callback this is.
    fn wake(&self, awaited: Awaited, current: u32) {
        let others = self.can_resume_others.get() == Some(true);
        let is_meant =
            |context: u32, waiting: &Waiting| waiting.awaited() == awaited && (others || context == current);
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
        let Some(waiting) = self.waiting.borrow_mut().remove(&context) else { return };
        let Waiting { pending, phase, .. } = *waiting;
        if context == current {
            self.drive(context, &phase, self.authenticator.resume(pending, host::now()));
            return go_on(&phase);
        }
        match self.authenticator.resume(pending, host::now()) {
            Step::Decide(decision) => self.act_on_other(context, current, decision, &phase),
            // The SDK books a callout under the context whose callback runs: the next tick begins it from the root.
            Step::Fetch(pending) => self.wait(context, &phase, pending, host::now()),
        }
    }

    /// Looks after paused requests whose errand nobody in this worker is on, and those that waited long enough.
    fn tend_waiting(&self, root: u32, now: UnixTime) {
        if self.can_resume_others.get() != Some(true) {
            return;
        }
        let waiting: Vec<(u32, Awaited, bool)> = self
            .waiting
            .borrow()
            .iter()
            .map(|(context, waiting)| (*context, waiting.awaited(), now >= waiting.until))
            .collect();
        for (context, awaited, is_late) in waiting {
            if is_late && !self.owns_flight(context) {
                let waiting = self.waiting.borrow_mut().remove(&context);
                if let Some(Waiting { pending, phase, .. }) = waiting.map(|waiting| *waiting)
                    && let Step::Decide(decision) = self.authenticator.give_up(pending)
                {
                    self.act_on_other(context, root, decision, &phase);
                }
            } else if !self.is_flying(awaited) {
                self.send_for(context, root, awaited, now);
            }
        }
    }

    /// Nobody here fetches what a paused request waits for: another worker does, or it was lost with its owner.
    fn send_for(&self, context: u32, root: u32, awaited: Awaited, now: UnixTime) {
        if let Awaited::Keys(provider) = awaited {
            match self.acquire(provider, now) {
                Attempt::Busy => return,
                Attempt::Failed(retry_at) => {
                    self.authenticator.back_off_until(provider, retry_at, now);
                    return self.wake(awaited, root);
                }
                Attempt::Acquired => {}
            }
        }
        let errand =
            self.waiting.borrow().get(&context).and_then(|waiting| self.errand(&waiting.pending, now));
        if !errand.is_some_and(|errand| self.send(root, errand)) {
            self.wake(awaited, root);
        }
    }

    /// Refreshes keys that come of age, one refresh per process.
    fn refresh_due(&self, root: u32, now: UnixTime) {
        let mut from = 0;
        while let Some(provider) = self.authenticator.due_refresh(from, now) {
            from = provider + 1;
            if self.is_flying(Awaited::Keys(provider)) || self.acquire(provider, now) != Attempt::Acquired {
                continue;
            }
            let Some(refresh) = self.authenticator.begin_refresh(provider, RefreshCause::Due, now) else {
                self.release(provider);
                continue;
            };
            let errand = Errand::Refresh(refresh);
            match self.dispatch(errand.request()) {
                Ok(token) => {
                    self.flights.borrow_mut().insert(token, Box::new(Flight { owner: root, errand }));
                }
                Err(DispatchError::Refused(error)) => self.fail(errand, error),
                Err(DispatchError::NotReady(error)) if self.is_still_starting(provider, now) => {
                    log::debug!("provider {provider}: {error}");
                    self.authenticator.abandon_refresh(provider);
                    self.release(provider);
                }
                Err(DispatchError::NotReady(error)) => self.fail(errand, error),
            }
        }
    }

    /// Whether an upstream may still be on its way to readiness, as after a start: the next tick tries again, and nothing is said yet.
    fn is_still_starting(&self, provider: usize, now: UnixTime) -> bool {
        let since = *self.not_ready_since.borrow_mut().entry(provider).or_insert(now);
        now.since(since) < STARTING
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

    fn wait(&self, context: u32, phase: &Rc<Cell<Phase>>, pending: Pending, now: UnixTime) {
        let until = now.plus(self.policy.callout_timeout);
        let waiting = Waiting { pending, phase: Rc::clone(phase), until };
        self.waiting.borrow_mut().insert(context, Box::new(waiting));
    }

    fn is_flying(&self, awaited: Awaited) -> bool {
        self.flights.borrow().values().any(|flight| flight.errand.awaited() == awaited)
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
    if matches!(phase.get(), Phase::Forwarded(_)) {
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

/// Changes the response's headers. Where the host does not, browsers read nothing, or what the upstream lets them.
pub(super) fn share(authenticator: &Authenticator, sharing: Sharing) {
    for name in sharing.removed() {
        let _ = host::remove_header(Headers::Response, name);
    }
    for (name, value) in authenticator.response_headers(sharing) {
        let _ = host::add_header(Headers::Response, name, value);
    }
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
    if let Err(status) = host::send_local_response(response.status, &response.headers, &response.body) {
        log::error!("the proxy refused a response: {status:?}");
    }
}

/// The answer where no rule could be applied.
pub(super) fn unavailable() -> LocalResponse {
    Challenges::new("", "").refuse(Cause::KeysUnavailable, &[], true)
}
