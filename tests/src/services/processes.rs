//! Processes as the operating system shows them: which belong to a server, which test run this is, who is gone.
//! What must not come in: what is done about it.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A process that was there at one moment. Its number may be another's later, its start may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    started: u64,
}

impl Process {
    /// The process with this number, if there is one that is not merely waiting to be reaped.
    pub(super) fn with(pid: u32) -> Option<Self> {
        let stat = Stat::of(pid)?;
        (!matches!(stat.state, 'Z' | 'X')).then_some(Self { pid, started: stat.started })
    }

    /// Whether it is still there.
    pub(super) fn lives(self) -> bool {
        Self::with(self.pid) == Some(self)
    }

    /// A name that no other process of this machine has had since it was started.
    pub(super) fn name(self) -> String {
        format!("{}-{}", self.pid, self.started)
    }
}

/// The process that runs these tests: the nearest ancestor that is cargo or cargo-nextest. None when a test's binary was started by hand.
pub(super) fn test_run() -> Option<Process> {
    let mut pid = std::process::id();
    loop {
        let stat = Stat::of(pid)?;
        if stat.name == "cargo" || stat.name.starts_with("cargo-") {
            return Process::with(pid);
        }
        pid = stat.parent;
    }
}

/// The processes whose working directory is in `dir`. Servers work in their data directories, and so does each of their children.
pub(super) fn working_in(dir: &Path) -> Vec<Pid> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let works = |pid: &i32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(dir));
    pids.filter(works).filter_map(Pid::from_raw).collect()
}

/// Sends a signal; one that is gone already is no error.
pub(super) fn signal(pid: Pid, signal: Signal) {
    let _ = kill_process(pid, signal);
}

/// Kills all that work in `dir`, and looks until there is none.
pub(super) fn kill_all(dir: &Path) {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) {
        let left = working_in(dir);
        if left.is_empty() {
            return;
        }
        left.into_iter().for_each(|pid| signal(pid, Signal::KILL));
        sleep(Duration::from_millis(5));
    }
}

/// What proc(5) says of a process in `/proc/PID/stat`.
struct Stat {
    name: String,
    state: char,
    parent: u32,
    started: u64,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in brackets, and may hold any character, brackets among them.
        let (name, rest) = (text.get(text.find('(')? + 1..text.rfind(')')?)?, text.get(text.rfind(')')? + 1..)?);
        let fields: Vec<_> = rest.split_whitespace().collect();
        let state = fields.first()?.chars().next()?;
        Some(Self { name: name.to_owned(), state, parent: fields.get(1)?.parse().ok()?, started: fields.get(19)?.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_start() {
        let this = Process::with(std::process::id()).unwrap();
        assert!(this.lives());
        assert!(!Process { started: this.started + 1, ..this }.lives(), "another one with the same number");
        let mut child = std::process::Command::new("true").spawn().unwrap();
        sleep(Duration::from_millis(200));
        assert!(Process::with(child.id()).is_none(), "it is over, though nobody has asked how it ended");
        child.wait().unwrap();
    }
}
