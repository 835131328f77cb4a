//! One plugin configuration: its state lives here, because one VM can hold several, and two generations of one.

use std::rc::Rc;
use std::time::Duration;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use super::host::{self, Buffer};
use super::http::Request;
use super::lease::SharedKeyStore;
use super::worker::Worker;
use crate::authenticator::{self, Authenticator};
use crate::config;
use crate::digest::Digester;
use crate::json;

/// How often keys are looked after, and waiting requests.
const TICK: Duration = Duration::from_millis(100);

/// Metrics are told every so many ticks.
const TICKS_PER_FLUSH: u32 = 10;

/// The root context.
pub(super) struct Root {
    context: u32,
    worker: Option<Rc<Worker>>,
    ticks: u32,
}

impl Root {
    pub(super) const fn new(context: u32) -> Self {
        Self { context, worker: None, ticks: 0 }
    }

    /// Reads the configuration. No side effects outside of this context: this runs in canary VMs, and for configurations that are then rejected.
    fn configure(&mut self, size: usize) -> Result<(), String> {
        let bytes = host::buffer(Buffer::PluginConfiguration, size)
            .map_err(|status| format!("the configuration cannot be read: {status:?}"))?;
        let document = json::parse(&bytes, json::MAX_DEPTH)
            .map_err(|error| format!("the configuration is not JSON: {error}"))?
            .into();
        let environment = config::Environment {
            insecure_http: std::env::var(config::Environment::INSECURE_HTTP)
                .is_ok_and(|value| value == "true"),
        };
        let loaded = config::load_filter(&document, &environment).map_err(|errors| errors.to_string())?;
        for warning in &loaded.warnings {
            log::warn!("{warning}");
        }
        let no_random = |status| format!("no random numbers from the proxy: {status:?}");
        let environment = authenticator::Environment::new(host::random().map_err(no_random)?);
        let owner = u64::from_le_bytes(host::random().map_err(no_random)?);
        let store = loaded.filter.shared_data.then(|| SharedKeyStore::new(digest(&bytes), owner));
        // Refused by hosts without ticks, where everything works by requests alone.
        let has_ticks = host::set_tick_period(TICK).is_ok();
        self.worker = Some(Rc::new(Worker::new(
            Authenticator::new(loaded.policy, environment),
            loaded.filter,
            store,
            has_ticks,
        )));
        Ok(())
    }
}

/// Tells configurations apart; not a secret.
fn digest(configuration: &[u8]) -> u128 {
    Digester::new(&[0; 16]).digest(configuration)
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body_size: usize, _: usize) {
        if let Some(worker) = &self.worker {
            worker.on_response(token, headers, body_size);
        }
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        self.configure(size).map_err(|error| log::error!("{error}")).is_ok()
    }

    fn on_tick(&mut self) {
        if let Some(worker) = &self.worker {
            self.ticks = self.ticks.wrapping_add(1);
            worker.tick(self.context, self.ticks.is_multiple_of(TICKS_PER_FLUSH));
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, context: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Request::new(context, self.worker.clone())))
    }
}
