//! The project's own files and scripts, as tests need them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

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

/// The built filter: `$FILTER_WASM`, or what `scripts/build-filter` builds, once in a test run.
///
/// # Panics
/// When it cannot be built.
pub fn filter_wasm() -> PathBuf {
    static WASM: OnceLock<PathBuf> = OnceLock::new();
    let build = || match std::env::var_os("FILTER_WASM") {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(last_line_of_script("build-filter")),
    };
    WASM.get_or_init(build).clone()
}

/// The command line: `$FILTER_CONFIG`, or the workspace's own, built once in a test run.
///
/// # Panics
/// When it cannot be built.
pub fn filter_config() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let build = || match std::env::var_os("FILTER_CONFIG") {
        Some(path) => PathBuf::from(path),
        None => build_binary("filter-config"),
    };
    BINARY.get_or_init(build).clone()
}

/// The registry: `$REGISTRY`, or the workspace's own, built once in a test run.
///
/// # Panics
/// When it cannot be built.
pub fn registry() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let build = || match std::env::var_os("REGISTRY") {
        Some(path) => PathBuf::from(path),
        None => build_binary("registry"),
    };
    BINARY.get_or_init(build).clone()
}

/// Builds a binary of the workspace beside the test that is running.
fn build_binary(package: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--package", package, "--bin", package]).current_dir(root());
    assert!(build.status().is_ok_and(|status| status.success()), "{package} does not build");
    // A test runs as target/debug/deps/NAME.
    let test = std::env::current_exe().expect("the path of this test");
    let directory = test.ancestors().nth(2).expect("the directory of binaries");
    directory.join(package)
}
