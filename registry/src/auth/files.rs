//! The files that providers name (SPEC C-3, C-6). At the start each must be readable and hold what it should, or nothing starts.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use registry_auth::config::ConfigError;
use registry_auth::policy::Policy;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// The longest secret, in bytes.
const MAX_SECRET_LENGTH: u64 = 64 * 1024;
/// The longest file of certificates, in bytes: a system's whole bundle has a quarter.
const MAX_CERTIFICATES_LENGTH: u64 = 1024 * 1024;

/// The certificates of one provider's `caCertPath`; none where it has none.
pub type Certificates = Vec<CertificateDer<'static>>;

/// Reads the files of all providers, relative ones from `directory`. Gives each provider's certificates; secrets are only checked.
///
/// # Errors
/// Every file that cannot be used, by its place in the document.
pub fn read(policy: &Policy, directory: &Path) -> Result<Vec<Certificates>, Vec<ConfigError>> {
    let Policy::Oauth(oauth) = policy else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    let mut errors = Vec::new();
    for (number, provider) in oauth.providers.iter().enumerate() {
        let mut certificates = Certificates::new();
        let mut note = |key: &str, value: Option<&str>, error: FileError| {
            errors.push(ConfigError {
                path: format!("auth.oauth.providers[{number}].{key}"),
                value: value.map(|file| format!("{file:?} ({error})")).or_else(|| Some(error.to_string())),
                expected: error.expected().to_owned(),
                nearest: None,
            });
        };
        // Where a file's name is expected, the secret itself is sometimes pasted: what is written there is not repeated.
        for (key, file) in
            [("clientSecretFile", &provider.client_secret_file), ("authTokenFile", &provider.auth_token_file)]
        {
            if let Some(Err(error)) = file.as_deref().map(|file| read_secret(&directory.join(file))) {
                note(key, None, error);
            }
        }
        if let Some(file) = provider.ca_cert_path.as_deref() {
            match read_certificates(&directory.join(file)) {
                Ok(read) => certificates = read,
                Err(error) => note("caCertPath", Some(file), error),
            }
        }
        all.push(certificates);
    }
    if errors.is_empty() { Ok(all) } else { Err(errors) }
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("{0}")]
    Read(io::Error),
    #[error("not a file")]
    NotAFile,
    #[error("longer than {0} bytes")]
    TooLong(u64),
    #[error("an empty file")]
    Empty,
    #[error("not text")]
    NotText,
    #[error("no certificate in it")]
    NoCertificate,
    #[error("certificate {number} in it: {cause}")]
    Certificate { number: usize, cause: String },
}

impl FileError {
    const fn expected(&self) -> &'static str {
        match self {
            Self::Read(_) | Self::NotAFile => "the name of a file that can be read",
            Self::TooLong(MAX_SECRET_LENGTH) | Self::Empty | Self::NotText => {
                "a file that holds a secret of at most 64 KiB"
            }
            Self::TooLong(_) | Self::NoCertificate | Self::Certificate { .. } => {
                "a file of PEM certificates of at most 1 MiB"
            }
        }
    }
}

/// A secret, trimmed. Read again for each use: a file that was replaced is in force at once.
pub(super) fn read_secret(path: &Path) -> Result<String, FileError> {
    let bytes = read_file(path, MAX_SECRET_LENGTH)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| FileError::NotText)?.trim();
    if text.is_empty() { Err(FileError::Empty) } else { Ok(text.to_owned()) }
}

/// Certificates in PEM; at least one.
pub(super) fn read_certificates(path: &Path) -> Result<Certificates, FileError> {
    let pem = read_file(path, MAX_CERTIFICATES_LENGTH)?;
    let mut certificates = Certificates::new();
    for (number, certificate) in CertificateDer::pem_slice_iter(&pem).enumerate() {
        let unusable = |cause: String| FileError::Certificate { number: number + 1, cause };
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        RootCertStore::empty().add(certificate.clone()).map_err(|error| unusable(error.to_string()))?;
        certificates.push(certificate);
    }
    if certificates.is_empty() { Err(FileError::NoCertificate) } else { Ok(certificates) }
}

/// A whole file; a pipe or a directory is none, and would never end or never begin.
fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    if !std::fs::metadata(path).map_err(FileError::Read)?.is_file() {
        return Err(FileError::NotAFile);
    }
    let mut bytes = Vec::new();
    let mut file = File::open(path).map_err(FileError::Read)?.take(limit + 1);
    file.read_to_end(&mut bytes).map_err(FileError::Read)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= limit) {
        Ok(bytes)
    } else {
        Err(FileError::TooLong(limit))
    }
}
