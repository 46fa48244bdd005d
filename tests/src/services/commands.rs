//! Programs that are run to their end. What must not come in: servers, which do not end.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// For what works on this machine.
pub(super) const SHORT: Duration = Duration::from_secs(60);
/// For what comes over the network.
pub(super) const DOWNLOAD: Duration = Duration::from_secs(300);

/// Runs a program and answers what it printed; an error says what it was and what it complained of.
pub(super) async fn run(
    program: &str,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    dir: &Path,
    deadline: Duration,
) -> Result<String, String> {
    let arguments: Vec<_> = arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect();
    let mut command = Command::new(program);
    // Its messages are passed on, and to be understood by whoever reads them.
    command.args(&arguments).current_dir(dir).env("LC_ALL", "C").env("DEBIAN_FRONTEND", "noninteractive");
    // Options say little about what was tried.
    let words = arguments.iter().map(|argument| argument.to_string_lossy()).filter(|word| !word.starts_with('-') && !word.contains("::"));
    let shown = format!("`{}`", [program.into()].into_iter().chain(words).collect::<Vec<_>>().join(" "));
    finish(command, &shown, deadline).await
}

/// The same for a command that was put together elsewhere; `shown` is how it is called in an error.
pub(super) async fn finish(mut command: Command, shown: &str, deadline: Duration) -> Result<String, String> {
    command.stdin(Stdio::null());
    let mut command = tokio::process::Command::from(command);
    let output = match tokio::time::timeout(deadline, command.kill_on_drop(true).output()).await {
        Err(_) => return Err(format!("{shown} did not end in {} s", deadline.as_secs())),
        Ok(Err(error)) if error.kind() == ErrorKind::NotFound => return Err(format!("{shown}: the program is not there")),
        Ok(Err(error)) => return Err(format!("{shown}: {error}")),
        Ok(Ok(output)) => output,
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(if output.stderr.is_empty() { &output.stdout } else { &output.stderr }).into_owned();
    let lines: Vec<_> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    Err(format!("{shown} failed: {}", lines[lines.len().saturating_sub(4)..].join(" / ")))
}
