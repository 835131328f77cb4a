//! What the core counted, for `/metrics`, under the names that the filter uses in a proxy (SPEC L-2).

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder};
use prometheus_client::metrics::MetricType;
use registry_auth::metrics::Counter;

use super::Gate;
use super::gate::now;

/// The counters, without `_total`, which the format adds, and what they count.
const COUNTERS: [(&str, &str); 5] = [
    ("auth_decisions", "Requests decided, by outcome"),
    ("auth_token_cache_hits", "Tokens recognised without verifying them again"),
    ("auth_fetches", "Requests to identity providers"),
    ("auth_fetch_failures", "Refreshes of keys that failed"),
    ("auth_signature_verifications", "Signatures verified, or found wrong"),
];

/// Collects a gate's metrics. To be registered in a registry whose prefix is `registry`.
#[derive(Debug)]
pub struct AuthMetrics {
    gate: Arc<Gate>,
}

impl AuthMetrics {
    /// Of this gate.
    pub const fn new(gate: Arc<Gate>) -> Self {
        Self { gate }
    }

    fn provider(&self, number: Option<usize>) -> &str {
        number
            .and_then(|number| self.gate.authenticator().providers().get(number))
            .map_or("none", |provider| provider.name.as_str())
    }

    /// Decisions are told once they were made, other counters of a provider from the start, so that a rate can be taken of them.
    fn is_told(counter: &Counter) -> bool {
        counter.value > 0 || counter.outcome.is_none() && counter.provider.is_some()
    }

    fn encode_counter(&self, counter: &Counter, encoder: &mut MetricEncoder<'_>) -> fmt::Result {
        let mut labels = vec![("provider", self.provider(counter.provider))];
        labels.extend(counter.outcome.map(|outcome| ("outcome", outcome)));
        encoder.encode_family(&labels)?.encode_counter::<[(&str, &str); 0], _, u64>(&counter.value, None)
    }
}

impl Collector for AuthMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let authenticator = self.gate.authenticator();
        let counters: Vec<Counter> = authenticator.metrics().counters().filter(Self::is_told).collect();
        for (name, help) in COUNTERS {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            let is_meant =
                |counter: &&Counter| counter.name.strip_suffix("_total") == name.strip_prefix("auth_");
            for counter in counters.iter().filter(is_meant) {
                self.encode_counter(counter, &mut family)?;
            }
        }
        let help = "Age of a provider's keys";
        let mut family = encoder.encode_descriptor("auth_key_age_seconds", help, None, MetricType::Gauge)?;
        for (provider, age) in authenticator.providers().iter().zip(authenticator.key_ages(now())) {
            if let Some(age) = age {
                let labels = [("provider", provider.name.as_str())];
                family.encode_family(&labels)?.encode_gauge(&age.as_secs_f64())?;
            }
        }
        Ok(())
    }
}
