//! The files a configuration names: whether they could be used where this runs (SPEC C-6).
//!
//! Their contents are looked at and dropped; no fault quotes them.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use registry_auth::config::{FileKind, files};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::document::Document;

/// The longest secret or token, in bytes.
const MAX_SECRET: u64 = 64 * 1024;

/// The longest file of certificates, in bytes; a system's whole bundle is a fifth of it.
const MAX_CERTIFICATES: u64 = 1024 * 1024;

/// A file that could not be used.
#[derive(Debug)]
pub struct UnusableFile {
    /// Where the document names it: `auth.oauth.providers[0].caCertPath`.
    pub path: String,
    /// Its absolute name.
    pub file: PathBuf,
    /// Why.
    pub fault: FileFault,
}

/// What is wrong with a file.
#[derive(Debug)]
pub enum FileFault {
    /// The operating system says no.
    Unreadable(io::Error),
    /// More bytes than this.
    TooLong(u64),
    /// Nothing but blanks.
    Empty,
    /// A secret or token with bytes that cannot be part of one.
    NotASecret,
    /// No PEM certificate, or a broken one.
    NoCertificate,
}

impl fmt::Display for UnusableFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ", self.path, self.file.display())?;
        match &self.fault {
            FileFault::Unreadable(error) => write!(f, "cannot be read: {error}"),
            FileFault::TooLong(most) => write!(f, "is longer than {} KiB", most / 1024),
            FileFault::Empty => f.write_str("is empty"),
            FileFault::NotASecret => {
                f.write_str("has blanks or control characters inside: expected one secret or token")
            }
            FileFault::NoCertificate => f.write_str("has no PEM certificate, or a broken one"),
        }
    }
}

/// Looks at every file the document names.
pub fn unusable_files(document: &Document) -> Vec<UnusableFile> {
    files(&document.loaded.policy)
        .into_iter()
        .filter_map(|reference| {
            let file = document.resolve(reference.file);
            let fault = check(&file, reference.kind).err()?;
            Some(UnusableFile { path: reference.path, file, fault })
        })
        .collect()
}

fn check(file: &Path, kind: FileKind) -> Result<(), FileFault> {
    match kind {
        FileKind::CaCertificate => check_certificates(&read(file, MAX_CERTIFICATES)?),
        FileKind::ClientSecret => check_secret(&read(file, MAX_SECRET)?, |byte| !byte.is_ascii_control()),
        FileKind::AuthToken => check_secret(&read(file, MAX_SECRET)?, |byte| byte.is_ascii_graphic()),
    }
}

fn read(file: &Path, most: u64) -> Result<Vec<u8>, FileFault> {
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).map_err(FileFault::Unreadable)?;
    opened.take(most + 1).read_to_end(&mut bytes).map_err(FileFault::Unreadable)?;
    if bytes.len() as u64 > most { Err(FileFault::TooLong(most)) } else { Ok(bytes) }
}

fn check_secret(bytes: &[u8], fits: impl Fn(u8) -> bool) -> Result<(), FileFault> {
    let secret = bytes.trim_ascii();
    if secret.is_empty() {
        return Err(FileFault::Empty);
    }
    if secret.iter().all(|byte| fits(*byte)) { Ok(()) } else { Err(FileFault::NotASecret) }
}

fn check_certificates(bytes: &[u8]) -> Result<(), FileFault> {
    let mut found = false;
    for certificate in CertificateDer::pem_slice_iter(bytes) {
        if !certificate.is_ok_and(|certificate| is_sequence(&certificate)) {
            return Err(FileFault::NoCertificate);
        }
        found = true;
    }
    if found { Ok(()) } else { Err(FileFault::NoCertificate) }
}

/// X.690 §8.1: one SEQUENCE that is exactly as long as it says. TLS libraries judge what is in it.
fn is_sequence(der: &[u8]) -> bool {
    let content = match der {
        [0x30, 0x81, length, content @ ..] => Some((usize::from(*length), content)),
        [0x30, 0x82, high, low, content @ ..] => Some((usize::from(*high) << 8 | usize::from(*low), content)),
        _ => None,
    };
    content.is_some_and(|(length, content)| length == content.len())
}
