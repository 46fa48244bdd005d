//! A working directory of an operator's: commands are run in it, a gateway is started in it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

use super::PATIENCE;

/// An empty directory, an address to listen on, and an environment without anything of the machine's.
#[derive(Clone)]
pub(crate) struct Place {
    dir: Arc<TempDir>,
    address: SocketAddr,
    env: Vec<(String, String)>,
    binary: PathBuf,
}

impl Place {
    /// A new one. Nothing in it but what the test puts there.
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("mosaic-test-").tempdir().expect("a temporary directory");
        Self { dir: Arc::new(dir), address: free_address(), env: Vec::new(), binary: binary() }
    }

    /// The same place, with one more environment variable.
    #[must_use]
    pub(crate) fn with_env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// The same place, where another binary is under test.
    #[must_use]
    pub(crate) fn with_binary(self, binary: PathBuf) -> Self {
        Self { binary, ..self }
    }

    /// The same place, whose data is kept in `dir`.
    #[must_use]
    pub(crate) fn with_data_dir(self, dir: &Path) -> Self {
        self.with_env("MOSAIC_LOCAL__DATA_DIR", dir.to_str().expect("paths of tests are UTF-8"))
    }

    /// Where the gateway of this place listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where the data is, unless [`Self::with_data_dir`] says otherwise.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.path("mosaic-data")
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("a test's file can be written");
        path
    }

    /// Reads a file.
    #[track_caller]
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The binary under test, to be started here. A fault in it would show its backtrace.
    pub(crate) fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(&self.binary);
        command.args(arguments).current_dir(self.dir.path()).stdin(Stdio::null());
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.dir.path());
        command.env("RUST_BACKTRACE", "1").env("MOSAIC_LISTEN", self.address.to_string());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Outcome {
        self.run_with_input(arguments, b"").await
    }

    /// Runs a command to its end, giving it something to read.
    pub(crate) async fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Outcome {
        let mut command = tokio::process::Command::from(self.command(arguments));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("the binary under test starts");
        let mut stdin = child.stdin.take().expect("stdin is a pipe");
        let feed = async move {
            // A command that needs no input may close its end at any time.
            let _ = stdin.write_all(input).await;
        };
        let both = async { tokio::join!(feed, child.wait_with_output()).1 };
        let shown = arguments.join(" ");
        let output = tokio::time::timeout(PATIENCE * 2, both).await.unwrap_or_else(|_| panic!("mosaic {shown}: does not end"));
        let output = output.expect("a child can be waited for");
        Outcome {
            command: shown,
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).expect("messages are UTF-8"),
        }
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Its arguments, for failures.
    pub(crate) command: String,
    /// The exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it answered.
    pub(crate) stdout: Vec<u8>,
    /// What it said besides.
    pub(crate) stderr: String,
}

impl Outcome {
    /// The same outcome, whose exit code must be `code`. None of them is a crash.
    #[track_caller]
    pub(crate) fn exit(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "mosaic {}\n{}\n{}", self.command, self.text(), self.stderr);
        for trace in ["panicked", "backtrace", "RUST_BACKTRACE", "caused by"] {
            assert!(!self.stderr.contains(trace), "mosaic {}: {trace:?} in {}", self.command, self.stderr);
        }
        self
    }

    /// It failed with exit code 1 and one line that holds all of `names`.
    #[track_caller]
    pub(crate) fn fails_with(self, names: &[&str]) -> Self {
        let outcome = self.exit(1);
        let said: Vec<_> = outcome.stderr.lines().filter(|line| !line.trim().is_empty()).collect();
        assert_eq!(said.len(), 1, "mosaic {}: not one line:\n{}", outcome.command, outcome.stderr);
        for name in names {
            assert!(said[0].contains(name), "mosaic {}: {:?} does not name {name:?}", outcome.command, said[0]);
        }
        outcome
    }

    /// Its answer as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// The binary under test: the one of this package, or another build of it that `MOSAIC_TEST_BINARY` names.
fn binary() -> PathBuf {
    std::env::var_os("MOSAIC_TEST_BINARY").map_or_else(|| env!("CARGO_BIN_EXE_mosaic-tests").into(), PathBuf::from)
}

/// An address nobody listens on. Below the ports that outgoing connections get, so that no other test's connection takes it meanwhile.
fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = std::process::id().wrapping_mul(37) % 15_000;
    let first = u16::try_from(first).unwrap_or_default();
    (0..2_000)
        .map(|_| SocketAddr::from((Ipv4Addr::LOCALHOST, 12_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 18_000)))
        .find(|address| TcpListener::bind(address).is_ok())
        .expect("one of 2,000 ports is free")
}
