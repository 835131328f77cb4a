//! The proxy-wasm shell: runs the [`Authenticator`](crate::authenticator::Authenticator) in a proxy.
//!
//! `host` declares the host functions, `root` is one plugin configuration, `http` one request, `worker` what they share: keys being fetched and
//! requests waiting for them. `lease` shares keys over the proxy's workers.
//!
//! Nothing in here may panic: a trap takes the worker's VM with all of its requests. Every return from a request callback forwards because that was
//! decided, responds, or pauses with something outstanding that is certain to end the wait.

mod callout;
mod host;
mod http;
mod lease;
mod publish;
mod root;
mod worker;
