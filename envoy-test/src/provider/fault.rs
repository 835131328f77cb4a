//! What can go wrong with a document, on purpose.

use tokio::sync::watch;

/// The documents a realm publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Document {
    /// `{issuer}/.well-known/openid-configuration`.
    OpenidConfiguration,
    /// RFC 8414 §3.1: `/.well-known/oauth-authorization-server{path of the issuer}`.
    AuthorizationServerMetadata,
    /// `{issuer}/protocol/openid-connect/certs`.
    Jwks,
}

impl Document {
    /// Every document of a realm.
    pub const ALL: [Self; 3] = [Self::OpenidConfiguration, Self::AuthorizationServerMetadata, Self::Jwks];

    /// As shown by `GET /counts`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenidConfiguration => "openid-configuration",
            Self::AuthorizationServerMetadata => "oauth-authorization-server",
            Self::Jwks => "jwks",
        }
    }
}

/// What a realm answers instead of a document.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This status with a short JSON body.
    Status(u16),
    /// The document, but not before the gate is open.
    Held(Gate),
    /// The connection is reset without an answer.
    Reset,
    /// Headers and half of the body, then the connection ends.
    BreakOff,
    /// 200 with these bytes.
    Body {
        /// `Content-Type`.
        content_type: &'static str,
        /// The whole body.
        bytes: Vec<u8>,
    },
    /// 200 with a valid JSON object of at least this many bytes, none of which helps.
    Oversized(usize),
    /// 302 to this location.
    Redirect(String),
    /// The discovery document with another `issuer`.
    WrongIssuer(String),
    /// The discovery document with another `jwks_uri`.
    JwksUri(String),
}

impl Fault {
    /// A log-in page where a document should be, as captive portals and misconfigured ingresses answer.
    pub fn html() -> Self {
        Self::Body {
            content_type: "text/html; charset=utf-8",
            bytes: b"<!doctype html><title>Sign in</title>".to_vec(),
        }
    }

    /// JSON that ends too early.
    pub fn not_json() -> Self {
        Self::Body { content_type: "application/json", bytes: br#"{"keys":[{"kty":"RSA","#.to_vec() }
    }
}

/// Holds requests back until its [`GateKeeper`] opens it or is dropped,
/// so that a failing test leaves nothing hanging.
#[derive(Clone, Debug)]
pub struct Gate {
    open: watch::Receiver<bool>,
}

/// Opens its [`Gate`] on [`GateKeeper::open`] or when dropped.
#[derive(Debug)]
pub struct GateKeeper(watch::Sender<bool>);

impl Gate {
    /// A closed gate and who may open it.
    pub fn closed() -> (GateKeeper, Self) {
        let (sender, open) = watch::channel(false);
        (GateKeeper(sender), Self { open })
    }

    /// Returns when the gate is open.
    pub async fn passed(mut self) {
        // An error means that the keeper is gone, which opens the gate.
        let _ = self.open.wait_for(|open| *open).await;
    }
}

impl GateKeeper {
    /// Lets everything pass, now and later.
    pub fn open(&self) {
        let _ = self.0.send_replace(true);
    }
}
