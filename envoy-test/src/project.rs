//! The project's own files and scripts, as tests need them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The root of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// Runs `scripts/NAME` and returns the last line of its output; what it says on standard error is shown.
///
/// # Panics
/// When it fails.
pub fn last_line_of_script(name: &str) -> String {
    let output = Command::new(root().join("scripts").join(name))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output();
    let output = output.unwrap_or_else(|error| panic!("scripts/{name}: {error}"));
    assert!(output.status.success(), "scripts/{name} failed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().last().unwrap_or_else(|| panic!("scripts/{name} printed nothing")).to_owned()
}
