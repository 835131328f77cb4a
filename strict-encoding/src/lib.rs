//! Base64url and JSON from strangers, read strictly: one spelling of everything.
//!
//! A package of its own for the compiler's sake, as `request-head` is: every token that is not recognised passes here before anything is known of it, so this is
//! built to be fast. `registry_auth` shows these modules as its own.

pub mod base64url;
pub mod json;
