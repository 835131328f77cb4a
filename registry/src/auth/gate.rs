//! What all requests share: the authenticator, and the refreshes of keys under way (SPEC J-10).
//!
//! A provider has one refresh at a time, in a task of its own: whoever needs its keys joins it, and a client that leaves takes nothing along. However the
//! task ends, by success, failure, panic or abortion, its `Flight` is dropped, and that wakes everybody who waits. They ask the authenticator again,
//! which knows by itself what has come of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use registry_auth::authenticator::{Authenticator, Introspection, Need, Pending, Step};
use registry_auth::decision::Decision;
use registry_auth::digest::Digest;
use registry_auth::keys::{Advance, Refresh, RefreshCause};
use registry_auth::time::UnixTime;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use super::{Fetcher, Tuning};

/// The shared state.
pub struct Gate {
    authenticator: Authenticator,
    fetcher: Fetcher,
    patience: Duration,
    /// Of each provider.
    runways: Vec<Mutex<Runway>>,
    /// Questions under way, by provider and token; closed when they are answered.
    questions: Mutex<BTreeMap<Question, watch::Receiver<()>>>,
}

/// A provider and a token's digest.
type Question = (usize, Digest);

/// Where one provider's refreshes start and land.
#[derive(Debug, Default)]
struct Runway {
    /// Closed when the refresh under way is over.
    flight: Option<watch::Receiver<()>>,
    /// When the last one was over.
    landed_at: Option<Instant>,
}

/// What a request that needs keys does.
enum Joined {
    /// Waits until this is closed.
    Flight(watch::Receiver<()>),
    /// Asks again at once: a refresh has landed since it asked, or there is none to wait for.
    Landed,
}

impl Gate {
    /// Begins to fetch keys, and keeps them fresh as long as the gate exists. To be called within a tokio runtime.
    pub fn start(authenticator: Authenticator, fetcher: Fetcher, tuning: &Tuning) -> Arc<Self> {
        let gate = Arc::new(Self {
            runways: authenticator.providers().iter().map(|_| Mutex::default()).collect(),
            authenticator,
            fetcher,
            patience: tuning.patience,
            questions: Mutex::default(),
        });
        gate.authenticator.set_refreshes_in_background();
        tokio::spawn(keep_fresh(Arc::downgrade(&gate), tuning.tick));
        gate
    }

    /// The rules.
    pub const fn authenticator(&self) -> &Authenticator {
        &self.authenticator
    }

    /// Takes a step as far as it goes. A request waits for at most [`Tuning::patience`] in all.
    pub async fn settle(self: &Arc<Self>, begun: Instant, step: Step) -> Decision {
        let until = begun + self.patience;
        let (mut asked_at, mut step) = (begun, step);
        loop {
            let pending = match step {
                Step::Decide(decision) => return decision,
                Step::Fetch(pending) => pending,
            };
            let joined = match pending.need().clone() {
                Need::Keys { provider, cause } => self.join(provider, cause, asked_at),
                Need::Introspection { provider, digest } => self.ask(&pending, (provider, digest)),
            };
            step = match joined {
                Joined::Landed => self.resume(&mut asked_at, pending),
                // Nothing is ever sent: the wait ends when the sender is dropped.
                Joined::Flight(mut flight) => match tokio::time::timeout_at(until, flight.changed()).await {
                    Ok(_) => self.resume(&mut asked_at, pending),
                    Err(_) => self.authenticator.give_up(pending),
                },
            };
        }
    }

    fn resume(&self, asked_at: &mut Instant, pending: Pending) -> Step {
        *asked_at = Instant::now();
        self.authenticator.resume(pending, now())
    }

    /// Joins the refresh under way, or begins one; `asked_at` is when the authenticator was last asked.
    fn join(self: &Arc<Self>, provider: usize, cause: RefreshCause, asked_at: Instant) -> Joined {
        let Some(mut runway) = self.runway(provider) else { return Joined::Landed };
        if let Some(flight) = &runway.flight {
            return Joined::Flight(flight.clone());
        }
        if runway.landed_at.is_some_and(|landed_at| landed_at >= asked_at) {
            return Joined::Landed;
        }
        let Some(refresh) = self.authenticator.begin_refresh(provider, cause, now()) else {
            return Joined::Landed;
        };
        let (landing, landed) = watch::channel(());
        runway.flight = Some(landed.clone());
        // A flight that ends on the spot takes the lock, too.
        drop(runway);
        let flight = Flight { gate: Arc::clone(self), provider, is_over: false, _landing: landing };
        tokio::spawn(flight.run(refresh));
        Joined::Flight(landed)
    }

    /// Joins the question about a token under way, or asks it.
    fn ask(self: &Arc<Self>, pending: &Pending, question: Question) -> Joined {
        let mut questions = self.questions();
        if let Some(asked) = questions.get(&question) {
            return Joined::Flight(asked.clone());
        }
        let Some(introspection) = self.authenticator.begin_introspection(pending, now()) else {
            return Joined::Landed;
        };
        let (answering, answered) = watch::channel(());
        questions.insert(question, answered.clone());
        drop(questions);
        let asking = Asking { gate: Arc::clone(self), question, is_over: false, _answering: answering };
        tokio::spawn(asking.run(introspection));
        Joined::Flight(answered)
    }

    fn questions(&self) -> MutexGuard<'_, BTreeMap<Question, watch::Receiver<()>>> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins the refreshes that are due, where none is under way.
    fn refresh_due(self: &Arc<Self>) {
        let mut from = 0;
        let asked_at = Instant::now();
        while let Some(provider) = self.authenticator.due_refresh(from, now()) {
            let _ = self.join(provider, RefreshCause::Due, asked_at);
            from = provider + 1;
        }
    }

    fn runway(&self, provider: usize) -> Option<MutexGuard<'_, Runway>> {
        Some(self.runways.get(provider)?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("runways", &self.runways).finish_non_exhaustive()
    }
}

/// A refresh under way.
struct Flight {
    gate: Arc<Gate>,
    provider: usize,
    is_over: bool,
    /// Dropped last: whoever waits finds the runway free.
    _landing: watch::Sender<()>,
}

impl Flight {
    async fn run(mut self, mut refresh: Refresh) {
        loop {
            let result = self.gate.fetcher.fetch(refresh.request()).await;
            match self.gate.authenticator.advance_refresh(refresh, result, now()) {
                Advance::Next(next) => refresh = next,
                Advance::Renewed(_) | Advance::Failed => break,
            }
        }
        self.is_over = true;
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.is_over {
            self.gate.authenticator.abandon_refresh(self.provider);
        }
        if let Some(mut runway) = self.gate.runway(self.provider) {
            *runway = Runway { flight: None, landed_at: Some(Instant::now()) };
        }
    }
}

/// A question under way.
struct Asking {
    gate: Arc<Gate>,
    question: Question,
    is_over: bool,
    /// Dropped last: whoever waits finds the answer.
    _answering: watch::Sender<()>,
}

impl Asking {
    async fn run(mut self, introspection: Introspection) {
        let result = self.gate.fetcher.fetch(introspection.request()).await;
        self.gate.authenticator.end_introspection(introspection, result, now());
        self.is_over = true;
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if !self.is_over {
            self.gate.authenticator.abandon_introspection(self.question.0);
        }
        self.gate.questions().remove(&self.question);
    }
}

/// Fetches keys ahead, and ends with the gate.
async fn keep_fresh(gate: Weak<Gate>, tick: Duration) {
    let mut ticks = tokio::time::interval(tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(gate) = gate.upgrade() else { return };
        gate.refresh_due();
    }
}

/// The time of the system's clock.
pub(super) fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
