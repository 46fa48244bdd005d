//! Processes as the operating system shows them: who is whose child, and signals.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// The processes whose parent is `pid` right now.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let pids = fs::read_dir("/proc").expect("/proc is there").flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|child| stat(*child).is_some_and(|(_, parent)| parent == pid)).collect()
}

/// The gateway's engine: its child that runs a helper.
pub(crate) fn engine_of(gateway: u32) -> Option<u32> {
    children(gateway).into_iter().find(|child| {
        let arguments = fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
        alive(*child) && arguments.split(|byte| *byte == 0).any(|argument| argument.starts_with(b"helper:"))
    })
}

/// Whether the process is there and not merely waiting to be reaped.
pub(crate) fn alive(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != 'Z' && state != 'X')
}

/// Sends a signal; a process that is gone already is no error.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.try_into().expect("a pid fits")).expect("a pid is not 0");
    match kill_process(pid, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => {}
        Err(error) => panic!("cannot signal {pid:?}: {error}"),
    }
}

/// A process's state and parent (proc(5), `/proc/PID/stat`: the name in brackets may hold anything).
fn stat(pid: u32) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.get(text.rfind(')')? + 1..)?.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}
