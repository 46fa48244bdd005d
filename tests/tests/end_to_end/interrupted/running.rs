//! A command that runs in an operator's place, and may be killed there. What must not come in: what it is to do.

use std::io;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::harness::{Outcome, PATIENCE, Place, Signal, alive, children, eventually, signal};

/// It ends with this value, and with the test.
pub(super) struct Running {
    pub(super) pid: u32,
    command: String,
    output: JoinHandle<io::Result<Output>>,
}

impl Running {
    /// Starts it.
    pub(super) fn start(place: &Place, arguments: &[&str]) -> Self {
        let mut command = tokio::process::Command::from(place.command(arguments));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let child = command.spawn().expect("the binary under test starts");
        let pid = child.id().expect("it was started a moment ago");
        Self { pid, command: arguments.join(" "), output: tokio::spawn(child.wait_with_output()) }
    }

    /// Whether it has come to its end.
    pub(super) fn has_ended(&self) -> bool {
        self.output.is_finished()
    }

    /// Waits for its end.
    pub(super) async fn ended(self) -> Outcome {
        let output = tokio::time::timeout(PATIENCE * 2, self.output).await;
        let output = output.unwrap_or_else(|_| panic!("mosaic {}: does not end", self.command)).expect("waiting does not panic");
        let output = output.expect("a child can be waited for");
        let stderr = String::from_utf8(output.stderr).expect("messages are UTF-8");
        Outcome { command: self.command, code: output.status.code(), stdout: output.stdout, stderr }
    }

    /// Kills it, and answers how it ended: with no code, unless it had ended before. None of its children outlives it.
    pub(super) async fn kill(self) -> Outcome {
        let family = children(self.pid);
        signal(self.pid, Signal::KILL);
        let outcome = self.ended().await;
        eventually("a killed command's children end", Duration::from_secs(5), || async {
            family.iter().all(|child| !alive(*child)).then_some(())
        })
        .await;
        outcome
    }
}
