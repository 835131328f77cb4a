//! What went wrong with a request to a provider, in words that can be searched for: `connection refused`, `x509: certificate signed by unknown authority`.

use std::error::Error;
use std::io;

use registry_auth::fetch::FetchError;
use rustls::CertificateError;

use super::resolver::ResolveError;

/// Tells an error of the HTTP client. Its URL, whose query may hold secrets, is not repeated.
pub(super) fn describe(error: reqwest::Error) -> FetchError {
    if error.is_timeout() {
        return FetchError::TimedOut;
    }
    let error = error.without_url();
    let mut causes = Vec::new();
    let mut next: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(cause) = next {
        if let Some(refused @ ResolveError::Refused { .. }) = cause.downcast_ref() {
            return FetchError::Refused(refused.to_string());
        }
        if let Some(words) = known(cause) {
            return FetchError::Unreachable(words);
        }
        causes.push(cause.to_string());
        next = cause.source();
    }
    FetchError::Unreachable(causes.join(": "))
}

/// The words for a cause that users meet.
fn known(cause: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = cause.downcast_ref::<ResolveError>() {
        return Some(error.to_string());
    }
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        return Some(of_tls(error));
    }
    let error = cause.downcast_ref::<io::Error>()?;
    if let Some(inner) = error.get_ref() {
        return known(inner);
    }
    let words = match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::ConnectionReset => "connection reset",
        io::ErrorKind::HostUnreachable => "no route to host",
        io::ErrorKind::NetworkUnreachable => "network is unreachable",
        io::ErrorKind::UnexpectedEof => "connection closed",
        _ => return None,
    };
    Some(words.to_owned())
}

fn of_tls(error: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(certificate) = error else {
        return format!("tls: {error}");
    };
    match certificate {
        CertificateError::UnknownIssuer => "x509: certificate signed by unknown authority".to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "x509: certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "x509: certificate is not yet valid".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("x509: certificate is not valid for this host ({certificate})")
        }
        other => format!("x509: {other}"),
    }
}
