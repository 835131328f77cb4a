//! The host functions of proxy-wasm 0.2.1 and WASI that the filter uses, with Envoy's behaviour and nothing left to chance: the clock stands still
//! unless moved, random numbers come from a seed.

use std::collections::BTreeMap;

use wasmtime::{Caller, Extern, Linker, Memory, Result, TypedFunc, bail, format_err};

use crate::abi::{self, BAD_ARGUMENT, CAS_MISMATCH, HeaderMap, NOT_FOUND, OK};
use crate::counts::Counts;

/// `proxy_map_type_t`.
pub(crate) const REQUEST: u32 = 0;
pub(crate) const CALLOUT_RESPONSE: u32 = 6;

const CALLOUT_BODY: u32 = 4;
const PLUGIN_CONFIGURATION: u32 = 7;

/// The world as the module sees it.
#[derive(Default)]
pub(crate) struct Host {
    pub(crate) counts: Counts,
    /// Nanoseconds since 1970.
    pub(crate) clock: u64,
    random: u64,
    configuration: Vec<u8>,
    /// By map type.
    pub(crate) maps: BTreeMap<u32, HeaderMap>,
    pub(crate) callout_body: Vec<u8>,
    shared: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    last_cas: u32,
    metrics: u32,
    pub(crate) log: Vec<String>,
    pub(crate) tick_period: u32,
    /// Sent and not answered.
    pub(crate) callouts: Vec<Callout>,
    last_token: u32,
    pub(crate) response: Option<LocalResponse>,
    pub(crate) continued: bool,
    effective_context: u32,
    memory: Option<Memory>,
    allocate: Option<TypedFunc<u32, u32>>,
}

/// A request of the module's own.
pub(crate) struct Callout {
    pub(crate) token: u32,
    /// The context that sent it.
    pub(crate) context: u32,
    pub(crate) headers: HeaderMap,
}

/// The module's answer to a request.
#[derive(Clone, Debug)]
pub(crate) struct LocalResponse {
    pub(crate) status: u32,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Host {
    /// At a time of day, in nanoseconds since 1970, with a plugin configuration.
    pub(crate) fn new(clock: u64, configuration: &str) -> Self {
        Self { clock, configuration: configuration.as_bytes().to_vec(), ..Self::default() }
    }

    /// A call into this context begins.
    pub(crate) fn enter(&mut self, context: u32) {
        self.effective_context = context;
    }

    /// SplitMix64: reproducible, which is all that is asked here.
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn map(&mut self, kind: u32) -> &mut HeaderMap {
        self.maps.entry(kind).or_default()
    }
}

/// One host call: the module's memory, and the host.
struct Call<'a, 'b> {
    name: &'static str,
    caller: &'a mut Caller<'b, Host>,
}

impl Call<'_, '_> {
    fn host(&mut self) -> &mut Host {
        self.caller.data_mut()
    }

    fn memory(&mut self) -> Result<Memory> {
        if let Some(memory) = self.caller.data().memory {
            return Ok(memory);
        }
        let Some(Extern::Memory(memory)) = self.caller.get_export("memory") else { bail!("no memory") };
        self.host().memory = Some(memory);
        Ok(memory)
    }

    fn read(&mut self, address: u32, length: u32) -> Result<Vec<u8>> {
        let memory = self.memory()?;
        let end = (address as usize).saturating_add(length as usize);
        let bytes = memory.data(&self.caller).get(address as usize..end);
        bytes.map(<[u8]>::to_vec).ok_or_else(|| format_err!("{}: outside of memory", self.name))
    }

    fn text(&mut self, address: u32, length: u32) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.read(address, length)?).into_owned())
    }

    fn write(&mut self, address: u32, bytes: &[u8]) -> Result<()> {
        let memory = self.memory()?;
        memory
            .write(&mut self.caller, address as usize, bytes)
            .map_err(|_| format_err!("{}: outside of memory", self.name))
    }

    fn write_word(&mut self, address: u32, word: u32) -> Result<()> {
        self.write(address, &word.to_le_bytes())
    }

    /// Returns bytes as Envoy does: in memory that the module is asked for, by re-entering it; no bytes are a null pointer.
    fn give(&mut self, bytes: &[u8], data: u32, size: u32) -> Result<u32> {
        let length = u32::try_from(bytes.len())?;
        let mut address = 0;
        if length > 0 {
            let allocate = self.allocator()?;
            let name = self.name;
            self.host().counts.reentry(name, u64::from(length));
            address = allocate.call(&mut self.caller, length)?;
            self.write(address, bytes)?;
        }
        self.write_word(data, address)?;
        self.write_word(size, length)?;
        Ok(OK)
    }

    fn allocator(&mut self) -> Result<TypedFunc<u32, u32>> {
        if let Some(allocate) = &self.caller.data().allocate {
            return Ok(allocate.clone());
        }
        let export =
            self.caller.get_export("proxy_on_memory_allocate").or_else(|| self.caller.get_export("malloc"));
        let Some(Extern::Func(allocate)) = export else { bail!("no allocator is exported") };
        let allocate = allocate.typed::<u32, u32>(&self.caller)?;
        self.host().allocate = Some(allocate.clone());
        Ok(allocate)
    }
}

/// Declares a host function: counts it, and runs its body with the [`Call`].
macro_rules! host_functions {
    ($linker:ident, $($module:literal $name:ident($call:ident $(, $argument:ident: $kind:ty)*) $body:block)*) => {
        $($linker.func_wrap($module, stringify!($name), |mut caller: Caller<'_, Host> $(, $argument: $kind)*| -> Result<u32> {
            caller.data_mut().counts.call(stringify!($name));
            #[allow(unused_mut, unused_variables)]
            let mut $call = Call { name: stringify!($name), caller: &mut caller };
            $body
        })?;)*
    };
}

/// Links everything. What is missing traps when it is called.
pub(crate) fn link(linker: &mut Linker<Host>) -> Result<()> {
    headers(linker)?;
    shared_data(linker)?;
    callouts(linker)?;
    environment(linker)?;
    wasi(linker)
}

fn headers(linker: &mut Linker<Host>) -> Result<()> {
    host_functions! { linker,
        "env" proxy_get_header_map_pairs(call, map: u32, data: u32, size: u32) {
            let map = call.host().map(map);
            let bytes = if map.is_empty() { Vec::new() } else { abi::serialize(map) };
            call.give(&bytes, data, size)
        }
        "env" proxy_get_header_map_value(call, map: u32, name: u32, length: u32, data: u32, size: u32) {
            let name = call.text(name, length)?;
            let value = call.host().map(map).iter().find(|(found, _)| *found == name).map(|(_, value)| value.clone());
            match value {
                Some(value) => call.give(value.as_bytes(), data, size),
                None => Ok(NOT_FOUND),
            }
        }
        "env" proxy_replace_header_map_value(call, map: u32, name: u32, name_length: u32, value: u32, value_length: u32) {
            let (name, value) = (call.text(name, name_length)?, call.text(value, value_length)?);
            let map = call.host().map(map);
            map.retain(|(found, _)| !found.eq_ignore_ascii_case(&name));
            map.push((name, value));
            Ok(OK)
        }
        "env" proxy_add_header_map_value(call, map: u32, name: u32, name_length: u32, value: u32, value_length: u32) {
            let pair = (call.text(name, name_length)?, call.text(value, value_length)?);
            call.host().map(map).push(pair);
            Ok(OK)
        }
        "env" proxy_remove_header_map_value(call, map: u32, name: u32, length: u32) {
            let name = call.text(name, length)?;
            call.host().map(map).retain(|(found, _)| !found.eq_ignore_ascii_case(&name));
            Ok(OK)
        }
        "env" proxy_set_header_map_pairs(call, map: u32, data: u32, length: u32) {
            let Some(pairs) = abi::deserialize(&call.read(data, length)?) else { return Ok(BAD_ARGUMENT) };
            *call.host().map(map) = pairs;
            Ok(OK)
        }
        "env" proxy_get_buffer_bytes(call, buffer: u32, start: u32, length: u32, data: u32, size: u32) {
            let bytes = match buffer {
                CALLOUT_BODY => &call.host().callout_body,
                PLUGIN_CONFIGURATION => &call.host().configuration,
                _ => return Ok(NOT_FOUND),
            };
            let bytes: Vec<u8> = bytes.iter().skip(start as usize).take(length as usize).copied().collect();
            call.give(&bytes, data, size)
        }
        "env" proxy_send_local_response(call, status: u32, _details: u32, _details_length: u32, body: u32, body_length: u32,
            headers: u32, headers_length: u32, _grpc: i32) {
            let Some(map) = abi::deserialize(&call.read(headers, headers_length)?) else { return Ok(BAD_ARGUMENT) };
            let body = call.read(body, body_length)?;
            call.host().response = Some(LocalResponse { status, headers: map, body });
            Ok(OK)
        }
        "env" proxy_continue_stream(call, _stream: u32) {
            call.host().continued = true;
            Ok(OK)
        }
    }
    Ok(())
}

fn shared_data(linker: &mut Linker<Host>) -> Result<()> {
    host_functions! { linker,
        "env" proxy_get_shared_data(call, key: u32, length: u32, data: u32, size: u32, cas: u32) {
            let key = call.read(key, length)?;
            let Some((value, version)) = call.host().shared.get(&key).cloned() else { return Ok(NOT_FOUND) };
            call.write_word(cas, version)?;
            call.give(&value, data, size)
        }
        // Envoy compares versions only where there is a value and a version is given.
        "env" proxy_set_shared_data(call, key: u32, key_length: u32, value: u32, value_length: u32, cas: u32) {
            let (key, value) = (call.read(key, key_length)?, call.read(value, value_length)?);
            let host = call.host();
            if cas != 0 && host.shared.get(&key).is_some_and(|(_, version)| *version != cas) {
                return Ok(CAS_MISMATCH);
            }
            host.last_cas += 1;
            host.shared.insert(key, (value, host.last_cas));
            Ok(OK)
        }
    }
    Ok(())
}

fn callouts(linker: &mut Linker<Host>) -> Result<()> {
    host_functions! { linker,
        "env" proxy_http_call(call, _upstream: u32, _upstream_length: u32, headers: u32, headers_length: u32, _body: u32, _body_length: u32,
            _trailers: u32, _trailers_length: u32, _timeout: u32, token: u32) {
            let Some(headers) = abi::deserialize(&call.read(headers, headers_length)?) else { return Ok(BAD_ARGUMENT) };
            let host = call.host();
            host.last_token += 1;
            let (number, context) = (host.last_token, host.effective_context);
            host.callouts.push(Callout { token: number, context, headers });
            call.write_word(token, number)?;
            Ok(OK)
        }
        "env" proxy_set_effective_context(call, context: u32) {
            call.host().effective_context = context;
            Ok(OK)
        }
    }
    Ok(())
}

fn environment(linker: &mut Linker<Host>) -> Result<()> {
    host_functions! { linker,
        "env" proxy_log(call, level: u32, message: u32, length: u32) {
            let message = format!("{level} {}", call.text(message, length)?);
            call.host().log.push(message);
            Ok(OK)
        }
        "env" proxy_get_log_level(call, level: u32) {
            call.write_word(level, 2)?;
            Ok(OK)
        }
        "env" proxy_set_tick_period_milliseconds(call, period: u32) {
            call.host().tick_period = period;
            Ok(OK)
        }
        "env" proxy_get_current_time_nanoseconds(call, time: u32) {
            let now = call.host().clock;
            call.write(time, &now.to_le_bytes())?;
            Ok(OK)
        }
        "env" proxy_get_property(call, path: u32, length: u32, data: u32, size: u32) {
            match call.text(path, length)?.as_str() {
                // Envoy's direction of a listener: inbound.
                "xds\0listener_direction" => call.give(&1_u64.to_le_bytes(), data, size),
                "source\0address" => call.give(b"203.0.113.7:49152", data, size),
                _ => Ok(NOT_FOUND),
            }
        }
        "env" proxy_define_metric(call, _kind: u32, _name: u32, _length: u32, id: u32) {
            call.host().metrics += 1;
            let number = call.host().metrics;
            call.write_word(id, number)?;
            Ok(OK)
        }
        "env" proxy_increment_metric(call, _id: u32, _offset: i64) { Ok(OK) }
        "env" proxy_record_metric(call, _id: u32, _value: u64) { Ok(OK) }
    }
    Ok(())
}

fn wasi(linker: &mut Linker<Host>) -> Result<()> {
    host_functions! { linker,
        "wasi_snapshot_preview1" clock_time_get(call, _clock: u32, _precision: u64, time: u32) {
            let now = call.host().clock;
            call.write(time, &now.to_le_bytes())?;
            Ok(0)
        }
        "wasi_snapshot_preview1" random_get(call, buffer: u32, length: u32) {
            let bytes: Vec<u8> = (0..length).map(|_| call.host().next_random().to_le_bytes()[0]).collect();
            call.write(buffer, &bytes)?;
            Ok(0)
        }
        "wasi_snapshot_preview1" environ_sizes_get(call, count: u32, size: u32) {
            call.write_word(count, 0)?;
            call.write_word(size, 0)?;
            Ok(0)
        }
        "wasi_snapshot_preview1" environ_get(call, _pointers: u32, _buffer: u32) { Ok(0) }
        "wasi_snapshot_preview1" args_sizes_get(call, count: u32, size: u32) {
            call.write_word(count, 0)?;
            call.write_word(size, 0)?;
            Ok(0)
        }
        "wasi_snapshot_preview1" args_get(call, _pointers: u32, _buffer: u32) { Ok(0) }
    }
    Ok(())
}
