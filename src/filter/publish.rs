//! Publishes the core's counters in the host's metrics (SPEC L-2). Counted in the VM, told to the host now and then: a host call a request is not spent.
//!
//! Tags are part of the names, `registry_auth_decisions_total;provider=keycloak;outcome=expired`: Envoy's `stats_tags` takes them out.

use std::cell::RefCell;

use super::host::{self, Metric};
use crate::authenticator::Authenticator;
use crate::metrics::Counter;
use crate::time::UnixTime;

#[derive(Default)]
pub(super) struct Publisher {
    counters: RefCell<Vec<Published>>,
    key_ages: RefCell<Vec<Option<u32>>>,
}

#[derive(Clone, Copy, Default)]
struct Published {
    id: Option<u32>,
    value: u64,
}

impl Publisher {
    /// Tells the host what changed. Counters that were never used are not named.
    pub(super) fn flush(&self, authenticator: &Authenticator, now: UnixTime) {
        let mut published = self.counters.borrow_mut();
        for (place, counter) in authenticator.metrics().counters().enumerate() {
            if published.len() <= place {
                published.push(Published::default());
            }
            if let Some(before) = published.get_mut(place).filter(|before| before.value < counter.value) {
                publish(before, &counter, authenticator);
            }
        }
        self.record_key_ages(authenticator, now);
    }

    fn record_key_ages(&self, authenticator: &Authenticator, now: UnixTime) {
        let mut ids = self.key_ages.borrow_mut();
        for (number, (age, provider)) in
            authenticator.key_ages(now).zip(authenticator.providers()).enumerate()
        {
            if ids.len() <= number {
                let name = format!("registry_auth_key_age_seconds;provider={}", provider.name);
                ids.push(host::define_metric(Metric::Gauge, &name).ok());
            }
            if let (Some(age), Some(Some(id))) = (age, ids.get(number)) {
                let _ = host::record_metric(*id, age.as_secs());
            }
        }
    }
}

fn publish(before: &mut Published, counter: &Counter, authenticator: &Authenticator) {
    if before.id.is_none() {
        let provider = counter
            .provider
            .and_then(|number| authenticator.providers().get(number))
            .map_or("none", |provider| provider.name.as_str());
        let outcome = counter.outcome.map(|outcome| format!(";outcome={outcome}")).unwrap_or_default();
        let name = format!("registry_auth_{};provider={provider}{outcome}", counter.name);
        before.id = host::define_metric(Metric::Counter, &name).ok();
    }
    // On a host without metrics there is nobody to tell.
    if before.id.is_some_and(|id| host::increment_metric(id, counter.value - before.value).is_ok()) {
        before.value = counter.value;
    }
}
