//! The module: its size and what it imports.

use std::path::Path;
use std::process::Command;

use envoy_test::project;

use crate::error::{BenchError, Doing, output};

/// A `.wasm` file.
#[derive(Clone, Copy, Debug)]
pub struct Module {
    /// Bytes.
    pub size: u64,
    /// Bytes after `gzip -9`.
    pub compressed: usize,
    /// Host functions it is linked with.
    pub imports: usize,
}

/// Reads a module.
///
/// # Errors
/// It is not there, is no module, or imports what a proxy does not provide.
pub fn read(path: &Path) -> Result<Module, BenchError> {
    let size = std::fs::metadata(path).doing(|| path.display().to_string())?.len();
    let gzip = Command::new("gzip").args(["-9", "-c"]).arg(path).output().doing(|| "gzip".to_owned())?;
    let imports = output(Command::new(project::root().join("scripts/wasm-imports")).arg(path))?;
    Ok(Module { size, compressed: gzip.stdout.len(), imports: imports.lines().count() })
}
