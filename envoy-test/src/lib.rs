//! envoy-test.
