//! Callouts: how a fetch leaves through the host, and what of its response is read.

use proxy_wasm::hostcalls;
use proxy_wasm::types::Status;

use super::host::{self, Buffer, Headers};
use crate::fetch::{FetchError, FetchRequest, FetchResponse, FetchResult};
use crate::header_map;
use crate::policy::FilterPolicy;
use crate::upstream;

/// Why a callout did not leave.
pub(super) enum DispatchError {
    /// Never will as configured.
    Refused(FetchError),
    /// The upstream has no host yet, or a limit is reached: a later attempt may succeed.
    NotReady(FetchError),
}

impl DispatchError {
    /// For a request that cannot wait.
    pub(super) fn into_fetch_error(self) -> FetchError {
        match self {
            Self::Refused(error) | Self::NotReady(error) => error,
        }
    }
}

/// Sends a fetch on its way; the number is told with its response.
pub(super) fn dispatch(
    policy: &FilterPolicy,
    provider: &str,
    request: &FetchRequest,
) -> Result<u32, DispatchError> {
    let upstream = upstream::name(policy, provider, request);
    let (authority, path) = (request.url.authority(), request.url.path_and_query());
    let mut headers = vec![
        (":method", if request.form.is_some() { "POST" } else { "GET" }),
        (":scheme", request.url.scheme().as_str()),
        (":authority", authority.as_str()),
        (":path", path),
        ("accept", request.accept),
        ("user-agent", concat!("registry-auth/", env!("CARGO_PKG_VERSION"))),
    ];
    let length = request.form.as_ref().map_or(0, String::len).to_string();
    if request.form.is_some() {
        headers.push(("content-type", "application/x-www-form-urlencoded"));
        headers.push(("content-length", &length));
    }
    let body = request.form.as_deref().map(str::as_bytes);
    // The SDK panics on statuses other than these; hosts give others only for headers without the four above, or outside of a context.
    hostcalls::dispatch_http_call(&upstream, headers, body, Vec::new(), policy.callout_timeout).map_err(
        |status| {
            let no_upstream =
                FetchError::NoUpstream { upstream: upstream.clone(), origin: request.url.origin() };
            match status {
                Status::BadArgument => DispatchError::Refused(no_upstream),
                _ => DispatchError::NotReady(FetchError::Unreachable(format!(
                    "upstream {upstream:?} has no host, or too many requests are pending"
                ))),
            }
        },
    )
}

/// Reads a callout's response. Hosts do not limit bodies.
pub(super) fn response(request: &FetchRequest, headers: usize, body_size: usize) -> FetchResult {
    read(request, headers, body_size).map_or_else(FetchResult::Failed, FetchResult::Response)
}

fn read(request: &FetchRequest, headers: usize, body_size: usize) -> Result<FetchResponse, FetchError> {
    if headers == 0 {
        return Err(FetchError::Unreachable("the callout failed".to_owned()));
    }
    if body_size > request.max_body {
        return Err(FetchError::TooLong { limit: request.max_body });
    }
    let unreadable = |_| FetchError::Unreachable("the proxy did not hand the response over".to_owned());
    let map = host::header_pairs(Headers::CalloutResponse).map_err(unreadable)?;
    let pairs = header_map::pairs(&map).unwrap_or_default();
    let value = |name: &str| {
        pairs
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))
            .and_then(|(_, value)| std::str::from_utf8(value).ok())
    };
    let status = value(":status")
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| FetchError::Unreachable("a response without status".to_owned()))?;
    let body = if body_size == 0 {
        Vec::new()
    } else {
        host::buffer(Buffer::CalloutBody, body_size).map_err(unreadable)?
    };
    Ok(FetchResponse { status, cache_control: value("cache-control").map(str::to_owned), body })
}
