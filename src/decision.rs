//! What becomes of a request.

use std::borrow::Cow;
use std::sync::Arc;

use crate::cors::Sharing;
use crate::identity::Identity;

/// The end of a request's way through the authenticator: forward because decided, or respond.
#[derive(Clone, Debug)]
pub enum Decision {
    /// The request goes to the upstream.
    Forward(Forward),
    /// The request ends here.
    Respond(LocalResponse),
}

/// How a request is forwarded. A shell first removes, then sets the identity's headers.
#[derive(Clone, Debug, Default)]
pub struct Forward {
    /// Headers to remove, as the client spelled them.
    pub remove: Vec<String>,
    /// Whether `Authorization` is removed (SPEC I-2).
    pub remove_authorization: bool,
    /// Who was authenticated; none on public paths.
    pub identity: Option<Arc<Identity>>,
    /// Who may read the upstream's response; `None` leaves it as it is. A shell first removes [`Sharing::removed`], then adds
    /// [`response_headers`](crate::authenticator::Authenticator::response_headers).
    pub sharing: Option<Sharing>,
}

/// A response made here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalResponse {
    /// HTTP status.
    pub status: u16,
    /// Names lower case; values printable ASCII.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// Empty for HEAD.
    pub body: Vec<u8>,
}
