//! The filter in a host: started and configured as Envoy does, and given requests.

use wasmtime::{Config, Engine, Instance, Linker, Module, OptLevel, Store, Val};

use crate::abi::HeaderMap;
use crate::counts::Counts;
use crate::error::GateError;
use crate::host::{self, Callout, Host, LocalResponse};
use crate::world;

const ROOT: i32 = 1;
const PAUSE: i32 = 1;
const PAGE: u64 = 65_536;

/// Between requests.
const MILLISECOND: u64 = 1_000_000;

/// The compiled module.
pub(crate) struct Filter {
    module: Module,
    linker: Linker<Host>,
}

impl Filter {
    /// Compiles it.
    pub(crate) fn new(wasm: &[u8]) -> Result<Self, GateError> {
        let mut config = Config::new();
        // How the code is compiled does not change what is counted.
        config.consume_fuel(true).cranelift_opt_level(OptLevel::Speed);
        let engine = Engine::new(&config)?;
        let module = Module::new(&engine, wasm)?;
        let mut linker = Linker::new(&engine);
        host::link(&mut linker)?;
        linker.define_unknown_imports_as_traps(&module)?;
        Ok(Self { module, linker })
    }
}

/// A running instance with one configuration.
pub(crate) struct Plugin {
    store: Store<Host>,
    instance: Instance,
    last_context: i32,
}

/// How a request ended.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// With these headers to the upstream.
    Forwarded(HeaderMap),
    /// By the filter.
    Answered(LocalResponse),
    /// Not at all.
    Stuck,
}

impl Plugin {
    /// Starts and configures, up to the answer of `proxy_on_configure`.
    pub(crate) fn start(filter: &Filter, configuration: &str) -> Result<Self, GateError> {
        let engine = filter.module.engine();
        let host = Host::new(world::NOW * 1_000_000_000, configuration);
        let mut store = Store::new(engine, host);
        store.set_fuel(u64::MAX)?;
        let instance = filter.linker.instantiate(&mut store, &filter.module)?;
        let mut plugin = Self { store, instance, last_context: ROOT };
        plugin.enter("_initialize", &[])?;
        plugin.enter("proxy_on_context_create", &[ROOT, 0])?;
        plugin.enter("proxy_on_vm_start", &[ROOT, 0])?;
        let size = i32::try_from(configuration.len()).unwrap_or(i32::MAX);
        if plugin.enter("proxy_on_configure", &[ROOT, size])? != Some(1) {
            return Err(GateError::Start(plugin.host().log.join("\n")));
        }
        Ok(plugin)
    }

    /// Ticks until the keys are there.
    pub(crate) fn fetch_keys(&mut self) -> Result<(), GateError> {
        self.tick()?;
        let mut answered = 0;
        while let Some(callout) = self.next_callout() {
            self.answer(&callout)?;
            answered += 1;
        }
        if answered == 0 {
            return Err(GateError::Start(format!("no keys were asked for: {}", self.host().log.join("\n"))));
        }
        // The first tick after the answers, and a flush of metrics, are not left to a request.
        (0..10).try_for_each(|_| self.tick())
    }

    /// One tick, 100 ms after the last.
    pub(crate) fn tick(&mut self) -> Result<(), GateError> {
        let period = u64::from(self.host().tick_period);
        self.host().clock += period * MILLISECOND;
        self.enter("proxy_on_tick", &[ROOT]).map(drop)
    }

    /// A whole request without a body: all that Envoy calls, from the creation of its context to its deletion. Callouts are answered at once.
    pub(crate) fn request(&mut self, headers: &HeaderMap) -> Result<Outcome, GateError> {
        self.last_context += 1;
        let context = self.last_context;
        let host = self.host();
        host.clock += MILLISECOND;
        host.response = None;
        host.continued = false;
        host.log.clear();
        host.maps.insert(host::REQUEST, headers.clone());
        self.enter("proxy_on_context_create", &[context, ROOT])?;
        let action = self.enter("proxy_on_request_headers", &[context, size(headers.len()), 1])?;
        let outcome = self.outcome(action)?;
        match &outcome {
            Outcome::Forwarded(_) => self.response(context, world::RESPONSE_HEADERS, world::RESPONSE_BODY)?,
            // Envoy takes a local response through the filters, too.
            Outcome::Answered(response) => {
                self.response(context, response.headers.len() + 1, response.body.len())?;
            }
            Outcome::Stuck => {}
        }
        self.enter("proxy_on_log", &[context])?;
        self.enter("proxy_on_done", &[context])?;
        self.enter("proxy_on_delete", &[context])?;
        Ok(outcome)
    }

    fn outcome(&mut self, action: Option<i32>) -> Result<Outcome, GateError> {
        loop {
            if let Some(response) = self.host().response.take() {
                return Ok(Outcome::Answered(response));
            }
            if action != Some(PAUSE) || self.host().continued {
                return Ok(Outcome::Forwarded(
                    self.host().maps.get(&host::REQUEST).cloned().unwrap_or_default(),
                ));
            }
            match self.next_callout() {
                Some(callout) => self.answer(&callout)?,
                None => return Ok(Outcome::Stuck),
            }
        }
    }

    fn response(&mut self, context: i32, headers: usize, body: usize) -> Result<(), GateError> {
        let is_end = i32::from(body == 0);
        self.enter("proxy_on_response_headers", &[context, size(headers), is_end])?;
        if body > 0 {
            self.enter("proxy_on_response_body", &[context, size(body), 1])?;
        }
        Ok(())
    }

    /// What it cost since this was last asked.
    pub(crate) fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.host().counts)
    }

    /// Linear memory, in bytes.
    pub(crate) fn memory(&mut self) -> u64 {
        let memory = self.instance.get_memory(&mut self.store, "memory");
        memory.map_or(0, |memory| memory.size(&self.store) * PAGE)
    }

    /// What was logged during the last request.
    pub(crate) fn log(&self) -> &[String] {
        &self.store.data().log
    }

    fn next_callout(&mut self) -> Option<Callout> {
        let callouts = &mut self.host().callouts;
        (!callouts.is_empty()).then(|| callouts.remove(0))
    }

    fn answer(&mut self, callout: &Callout) -> Result<(), GateError> {
        let path = callout.headers.iter().find(|(name, _)| name == ":path").map_or("", |(_, value)| value);
        let (headers, body) = world::answer(path)?;
        let (count, length) = (size(headers.len()), size(body.len()));
        let host = self.host();
        host.maps.insert(host::CALLOUT_RESPONSE, headers);
        host.callout_body = body;
        let arguments = [callout.context.cast_signed(), callout.token.cast_signed(), count, length, 0];
        self.enter("proxy_on_http_call_response", &arguments)?;
        Ok(())
    }

    /// Calls an export where there is one, and counts.
    fn enter(&mut self, export: &str, arguments: &[i32]) -> Result<Option<i32>, GateError> {
        let Some(function) = self.instance.get_func(&mut self.store, export) else { return Ok(None) };
        self.host().enter(arguments.first().map_or(0, |context| context.cast_unsigned()));
        let arguments: Vec<Val> = arguments.iter().map(|argument| Val::I32(*argument)).collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        let before = self.store.get_fuel()?;
        function.call(&mut self.store, &arguments, &mut results)?;
        let instructions = before - self.store.get_fuel()?;
        self.host().counts.entry(export, instructions);
        Ok(results.first().and_then(Val::i32))
    }

    fn host(&mut self) -> &mut Host {
        self.store.data_mut()
    }
}

fn size(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}
