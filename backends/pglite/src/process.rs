//! One engine process, seen from its parent: started, waited for, stopped or killed. It is used once; when it ends,
//! [`crate::supervisor`] starts another.

use std::collections::VecDeque;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mosaic_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::engine::{Arguments, CLOSING, Report};
use crate::open::blocking;
use crate::sockets::SocketDir;

/// How long the system may take to clear a killed process away.
const REAPING: Duration = Duration::from_secs(5);
/// How many of the engine's last lines are kept, to explain its end.
const LAST_WORDS: usize = 20;
/// How much of a line is kept.
const LINE: usize = 500;

/// Why an engine did not start.
#[derive(Debug)]
pub(crate) enum StartError {
    /// Its program cannot be run: trying again does not help.
    Program(Error),
    /// It lacks something at the moment: a place for its socket or its database, memory, file descriptors.
    Lack(Error),
    /// It was not ready in this time.
    Slow(Duration),
    /// It ran and gave up, for this reason in its own words.
    Engine(String),
}

/// What engines are started from.
#[derive(Debug)]
pub(crate) struct Program {
    executable: PathBuf,
    cache: PathBuf,
    spawner: Spawner,
}

impl Program {
    /// The program in `executable`, or else in this process's own.
    pub(crate) fn new(executable: Option<PathBuf>, cache: PathBuf) -> Result<Self> {
        let executable = match executable {
            Some(executable) => executable,
            None => own_executable()?,
        };
        Ok(Self { executable, cache, spawner: Spawner::new()? })
    }

    fn command(&self, arguments: &Arguments) -> Command {
        let mut command = std::process::Command::new(&self.executable);
        command
            .arg0("mosaic")
            .args(arguments.to_args())
            // It needs nothing of the gateway's environment, which may hold secrets.
            .env_clear()
            .env("XDG_CACHE_HOME", &self.cache)
            .env("HOME", &self.cache)
            // Its temporary files go with the socket.
            .env("TMPDIR", &arguments.sockets)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C in a terminal is for the gateway, which still needs its database then.
            .process_group(0);
        let mut command = Command::from(command);
        command.kill_on_drop(true);
        command
    }

    /// Why no process came of it. A machine that is short of something may have it a moment later.
    fn not_spawned(&self, error: io::Error) -> StartError {
        const NOT_EXECUTABLE: i32 = rustix::io::Errno::NOEXEC.raw_os_error();
        let message = "the engine's program cannot be started";
        let for_good = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied);
        if for_good || error.raw_os_error() == Some(NOT_EXECUTABLE) {
            return StartError::Program(self.unusable(message).source(error));
        }
        StartError::Lack(
            Error::new(ErrorKind::Unavailable, format!("{message}: {error}"))
                .hint("look what the machine is short of: free, ulimit -a, dmesg")
                .source(error),
        )
    }

    fn unusable(&self, message: &'static str) -> Error {
        Error::new(ErrorKind::Config, message)
            .with("program", self.executable.display())
            .hint("set local.engine_executable (MOSAIC_LOCAL__ENGINE_EXECUTABLE) to the mosaic executable")
    }
}

fn own_executable() -> Result<PathBuf> {
    // On Linux, this name leads to the running executable even after an upgrade has put another in its place.
    let running = Path::new("/proc/self/exe");
    if running.exists() {
        return Ok(running.to_owned());
    }
    std::env::current_exe().map_err(|error| {
        Error::new(ErrorKind::Config, "the path of this executable is unknown, and the engine is started from it")
            .hint("set local.engine_executable (MOSAIC_LOCAL__ENGINE_EXECUTABLE) to the mosaic executable")
            .source(error)
    })
}

/// A thread that starts the processes and stays: the system kills a child that asks for it when the *thread* that started
/// it ends, and the threads of an async runtime may end at any time.
#[derive(Debug)]
struct Spawner(mpsc::UnboundedSender<(Command, oneshot::Sender<io::Result<Child>>)>);

impl Spawner {
    fn new() -> Result<Self> {
        let (sender, mut requests) = mpsc::unbounded_channel::<(Command, oneshot::Sender<io::Result<Child>>)>();
        let runtime = tokio::runtime::Handle::current();
        std::thread::Builder::new()
            .name("pglite-spawner".to_owned())
            .spawn(move || {
                let _entered = runtime.enter();
                while let Some((mut command, answer)) = requests.blocking_recv() {
                    // Whoever asked may be gone; the child is killed then.
                    let _ = answer.send(command.spawn());
                }
            })
            .map_err(|error| Error::new(ErrorKind::Unavailable, "a thread cannot be started").source(error))?;
        Ok(Self(sender))
    }

    async fn spawn(&self, command: Command) -> io::Result<Child> {
        let (answer, spawned) = oneshot::channel();
        let gone = || io::Error::other("the thread that starts processes is gone");
        self.0.send((command, answer)).map_err(|_| gone())?;
        spawned.await.map_err(|_| gone())?
    }
}

/// A running engine whose socket takes a connection. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    // Kept out of the child, which would close it while it is waited for: its end is what stops the engine.
    stdin: Option<ChildStdin>,
    sockets: SocketDir,
    last_words: LastWords,
    stderr: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts an engine on `database` and waits until it is ready, for as long as `patience`. When this is dropped, the engine is killed.
    pub(crate) async fn start(program: &Program, database: &Path, patience: Duration) -> Result<Self, StartError> {
        let sockets = blocking(SocketDir::make).await.map_err(StartError::Lack)?;
        let arguments = Arguments { parent: std::process::id(), database: database.to_owned(), sockets: sockets.path().to_owned() };
        let mut child = program.spawner.spawn(program.command(&arguments)).await.map_err(|error| program.not_spawned(error))?;
        let last_words = LastWords::default();
        let stderr = child.stderr.take().map(|stderr| tokio::spawn(last_words.clone().collect(stderr)));
        let stdout = child.stdout.take();
        let mut process = Self { stdin: child.stdin.take(), child, sockets, last_words, stderr };
        let Some(stdout) = stdout else {
            return Err(StartError::Engine("it has no output".to_owned()));
        };
        match tokio::time::timeout(patience, process.wait_until_ready(program, stdout)).await {
            Ok(Ok(())) => Ok(process),
            Ok(Err(failure)) => {
                process.kill().await;
                Err(failure)
            }
            Err(_) => {
                process.kill().await;
                Err(StartError::Slow(patience))
            }
        }
    }

    async fn wait_until_ready(&mut self, program: &Program, stdout: impl AsyncRead + Unpin + Send + 'static) -> Result<(), StartError> {
        let mut lines = Lines::new(stdout);
        let mut known = false;
        while let Some(line) = lines.next().await {
            match Report::parse(&line) {
                Some(Report::Starting) => known = true,
                Some(Report::Ready) => {
                    // Read on, or the child would one day wait for room in the pipe.
                    tokio::spawn(self.last_words.clone().collect(lines.0.into_inner()));
                    return Ok(());
                }
                Some(Report::Failed(reason)) => return Err(StartError::Engine(reason)),
                None => self.last_words.add(line),
            }
        }
        let end = self.exited().await;
        // A program that is not ours ends by itself; what the system kills may be anything.
        let killed = self.child.try_wait().is_ok_and(|status| status.is_some_and(|status| status.code().is_none()));
        if known || killed {
            Err(StartError::Engine(end))
        } else {
            Err(StartError::Program(program.unusable("the engine's program is not a mosaic executable")))
        }
    }

    /// The directory of its socket.
    pub(crate) fn sockets(&self) -> &Path {
        self.sockets.path()
    }

    /// Waits for its end, and says how that was.
    pub(crate) async fn exited(&mut self) -> String {
        let status = match self.child.wait().await {
            Ok(status) => format!("it ended with {status}"),
            Err(error) => format!("it cannot be waited for: {error}"),
        };
        if let Some(stderr) = self.stderr.take() {
            let _ = tokio::time::timeout(Duration::from_millis(100), stderr).await;
        }
        self.last_words.behind(status)
    }

    /// Kills it, and waits until it is gone.
    pub(crate) async fn kill(mut self) {
        // Without an id, it has been waited for already.
        if self.child.id().is_some()
            && let Err(error) = self.child.start_kill()
        {
            tracing::warn!(%error, "the embedded engine cannot be killed");
        }
        if tokio::time::timeout(REAPING, self.child.wait()).await.is_err() {
            tracing::warn!("the embedded engine was killed, and is still there");
        }
    }

    /// Has it close its database and end; kills it when it takes too long. Answers why it did not end in good order, if it did not.
    pub(crate) async fn stop(mut self) -> Result<(), String> {
        drop(self.stdin.take());
        match tokio::time::timeout(CLOSING + Duration::from_secs(1), self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(_) => Err(self.exited().await),
            Err(_) => {
                self.kill().await;
                Err("it did not end by itself".to_owned())
            }
        }
    }
}

/// The last lines that the engine wrote.
#[derive(Debug, Clone, Default)]
struct LastWords(Arc<Mutex<VecDeque<String>>>);

impl LastWords {
    fn add(&self, line: String) {
        tracing::debug!(target: "mosaic_pglite::engine", "{line}");
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LAST_WORDS {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    async fn collect(self, from: impl AsyncRead + Unpin) {
        let mut lines = Lines::new(from);
        while let Some(line) = lines.next().await {
            self.add(line);
        }
    }

    /// `what`, and behind it the last lines, if there are any.
    fn behind(&self, what: String) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().fold(what, |text, line| text + "; " + line)
    }
}

/// Lines of text that need not be UTF-8, each cut off at [`LINE`].
struct Lines<R>(BufReader<R>);

impl<R: AsyncRead + Unpin> Lines<R> {
    fn new(from: R) -> Self {
        Self(BufReader::new(from))
    }

    /// The next line; `None` at the end, or when reading fails, which comes to the same.
    async fn next(&mut self) -> Option<String> {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line).await.ok().filter(|&read| read > 0)?;
        Some(String::from_utf8_lossy(&line).trim_end().chars().take(LINE).collect())
    }
}
