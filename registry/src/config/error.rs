//! One thing that is wrong with a configuration (SPEC C-3): the core's, so that `auth` and everything beside it are reported alike.

pub use registry_auth::config::ConfigError;
