//! The host functions that we use, declared here because the SDK's wrappers panic on statuses and bytes that hosts really send (shared data, ticks and
//! the clock on APISIX; header values that are not UTF-8 everywhere). Every status but Ok is an `Err`.
//!
//! The one place where `unsafe` is allowed. `proxy_http_call` alone goes through the SDK, which has to know the token.
#![allow(unsafe_code)]

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ptr::{null, null_mut};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proxy_wasm::traits::RootContext;

use super::root::Root;
use crate::header_map;
use crate::time::UnixTime;

proxy_wasm::main! {{
    // No other host call is safe here. A logger was set already only if this ran twice.
    let _ = log::set_logger(&LOGGER);
    log::set_max_level(log::LevelFilter::Debug);
    proxy_wasm::set_root_context(|context_id| -> Box<dyn RootContext> { Box::new(Root::new(context_id)) });
}}

/// A status that is not Ok.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Status(u32);

impl Status {
    /// The key, property or header is not there.
    pub(super) const NOT_FOUND: Self = Self(1);
    /// The value changed since it was read.
    pub(super) const CAS_MISMATCH: Self = Self(8);
}

/// `proxy_map_type_t`.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(super) enum Headers {
    Request = 0,
    RequestTrailers = 1,
    Response = 2,
    CalloutResponse = 6,
}

/// `proxy_buffer_type_t`.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(super) enum Buffer {
    CalloutBody = 4,
    PluginConfiguration = 7,
}

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, message: *const u8, length: usize) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        length: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_length: usize,
        value: *const u8,
        value_length: usize,
    ) -> u32;
    fn proxy_add_header_map_value(
        map: u32,
        name: *const u8,
        name_length: usize,
        value: *const u8,
        value_length: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_length: usize) -> u32;
    fn proxy_get_property(path: *const u8, path_length: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_length: usize,
        data: *mut *mut u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_length: usize,
        value: *const u8,
        value_length: usize,
        cas: u32,
    ) -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
    fn proxy_set_effective_context(context_id: u32) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_length: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_length: usize,
        body: *const u8,
        body_length: usize,
        headers: *const u8,
        headers_length: usize,
        grpc_status: i32,
    ) -> u32;
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn random_get(buffer: *mut u8, length: usize) -> u16;
}

fn check(status: u32) -> Result<(), Status> {
    if status == 0 { Ok(()) } else { Err(Status(status)) }
}

/// Takes bytes that the host wrote into memory it had us allocate.
fn take(data: *mut u8, size: usize) -> Vec<u8> {
    if data.is_null() {
        return Vec::new();
    }
    // SAFETY: the host called `proxy_on_memory_allocate(size)`, the SDK's allocator, which gave it a boxed slice of `size` bytes, and passed
    // its ownership to us.
    unsafe { Vec::from_raw_parts(data, size, size) }
}

/// Bytes that come back from the host through two out-parameters.
fn fetch(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, Status> {
    let (mut data, mut size) = (null_mut(), 0);
    check(call(&mut data, &mut size))?;
    Ok(take(data, size))
}

/// The time of day, by WASI: the proxy's own clock call is missing on APISIX.
pub(super) fn now() -> UnixTime {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    UnixTime::EPOCH.plus(since_epoch)
}

/// Random bytes.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Status> {
    let mut bytes = [0; N];
    // SAFETY: `bytes` is writable for its length.
    let errno = unsafe { random_get(bytes.as_mut_ptr(), N) };
    if errno == 0 { Ok(bytes) } else { Err(Status(u32::from(errno))) }
}

/// Has ticks sent to the current root context.
pub(super) fn set_tick_period(period: Duration) -> Result<(), Status> {
    // SAFETY: no pointers.
    check(unsafe {
        proxy_set_tick_period_milliseconds(u32::try_from(period.as_millis()).unwrap_or(u32::MAX))
    })
}

/// Reads a buffer from its start.
pub(super) fn buffer(buffer: Buffer, length: usize) -> Result<Vec<u8>, Status> {
    // SAFETY: the out-parameters are valid for the call.
    fetch(|data, size| unsafe { proxy_get_buffer_bytes(buffer as u32, 0, length, data, size) })
}

/// All headers of a map, serialized; [`header_map::pairs`] reads them.
pub(super) fn header_pairs(map: Headers) -> Result<Vec<u8>, Status> {
    // SAFETY: the out-parameters are valid for the call.
    fetch(|data, size| unsafe { proxy_get_header_map_pairs(map as u32, data, size) })
}

/// Replaces all values of a header, or adds it.
pub(super) fn replace_header(map: Headers, name: &str, value: &str) -> Result<(), Status> {
    // SAFETY: both strings outlive the call.
    check(unsafe {
        proxy_replace_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

/// Adds a header beside those of the same name.
pub(super) fn add_header(map: Headers, name: &str, value: &str) -> Result<(), Status> {
    // SAFETY: both strings outlive the call.
    check(unsafe {
        proxy_add_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

/// Removes all values of a header.
pub(super) fn remove_header(map: Headers, name: &str) -> Result<(), Status> {
    // SAFETY: the string outlives the call.
    check(unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) })
}

/// A property of the current stream.
pub(super) fn property(path: &[&str]) -> Result<Vec<u8>, Status> {
    let path = path.join("\0");
    // SAFETY: the string outlives the call, the out-parameters are valid for it.
    fetch(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
}

/// A value that workers share, and its version.
pub(super) fn shared_data(key: &str) -> Result<(Vec<u8>, u32), Status> {
    let mut cas = 0;
    // SAFETY: the string outlives the call, the out-parameters are valid for it.
    let value =
        fetch(|data, size| unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &mut cas) })?;
    Ok((value, cas))
}

/// Sets a value that workers share; with a `cas` other than zero, only if the version is still that.
pub(super) fn set_shared_data(key: &str, value: &[u8], cas: u32) -> Result<(), Status> {
    // SAFETY: key and value outlive the call.
    check(unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) })
}

/// Lets the current request go on.
pub(super) fn continue_request() -> Result<(), Status> {
    // SAFETY: no pointers.
    check(unsafe { proxy_continue_stream(0) })
}

/// Makes another context the one that host calls are about (Envoy only).
pub(super) fn set_effective_context(context_id: u32) -> Result<(), Status> {
    // SAFETY: no pointers.
    check(unsafe { proxy_set_effective_context(context_id) })
}

/// Ends the current request with a response of ours.
pub(super) fn send_local_response(
    status: u16,
    headers: &[(&str, Cow<'_, str>)],
    body: &[u8],
) -> Result<(), Status> {
    let headers = header_map::serialize(headers);
    let body_start = if body.is_empty() { null() } else { body.as_ptr() };
    // SAFETY: headers and body outlive the call; no details are given.
    check(unsafe {
        proxy_send_local_response(
            u32::from(status),
            null(),
            0,
            body_start,
            body.len(),
            headers.as_ptr(),
            headers.len(),
            -1,
        )
    })
}

/// The kind of a metric.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(super) enum Metric {
    Counter = 0,
    Gauge = 1,
}

/// Names a metric of the host.
pub(super) fn define_metric(kind: Metric, name: &str) -> Result<u32, Status> {
    let mut id = 0;
    // SAFETY: the string outlives the call, the out-parameter is valid for it.
    check(unsafe { proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &mut id) })?;
    Ok(id)
}

/// Adds to a counter.
pub(super) fn increment_metric(id: u32, offset: u64) -> Result<(), Status> {
    // SAFETY: no pointers.
    check(unsafe { proxy_increment_metric(id, i64::try_from(offset).unwrap_or(i64::MAX)) })
}

/// Sets a gauge.
pub(super) fn record_metric(id: u32, value: u64) -> Result<(), Status> {
    // SAFETY: no pointers.
    check(unsafe { proxy_record_metric(id, value) })
}

static LOGGER: Logger = Logger;

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let level = match record.level() {
            log::Level::Trace => 0,
            log::Level::Debug => 1,
            log::Level::Info => 2,
            log::Level::Warn => 3,
            log::Level::Error => 4,
        };
        let mut message = String::with_capacity(128);
        let _ = message.write_fmt(*record.args());
        // SAFETY: the message outlives the call. What cannot be logged is lost: there is nowhere else to say it.
        let _ = unsafe { proxy_log(level, message.as_ptr(), message.len()) };
    }

    fn flush(&self) {}
}
