//! The child process: it runs the embedded Postgres on one database directory and one socket, until its parent closes
//! its standard input or dies. It never outlives its parent, and it is told nothing but paths.
//!
//! To its parent it says on standard output how far it is, one [`Report`] a line.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use oliphaunt_pgwire_server::{DatabaseStorage, OliphauntServer, ServerListen};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::sockets::PORT;

/// The first argument that asks for this program.
pub(crate) const HELPER: &str = "helper:pglite";

/// How long an orderly end may take; after it, the process ends all the same. What was acknowledged is in the write-ahead log.
pub(crate) const CLOSING: Duration = Duration::from_secs(10);

/// Settings of the engine. `fsync` and `synchronous_commit` stay on, which is their default: without them, a crash loses data.
const SETTINGS: [(&str, &str); 3] = [
    // Takes 100 MB of memory less than the default, and costs nothing that was measurable.
    ("shared_buffers", "32MB"),
    // What the engine keeps the write-ahead log under, and what it keeps of it for reuse.
    ("max_wal_size", "64MB"),
    ("min_wal_size", "32MB"),
];

const PROTOCOL: &str = "mosaic-pglite";

/// What the child tells its parent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Report {
    /// It is this program, and begins.
    Starting,
    /// The socket takes a connection.
    Ready,
    /// It gave up, for this reason.
    Failed(String),
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => write!(f, "{PROTOCOL} starting"),
            Self::Ready => write!(f, "{PROTOCOL} ready"),
            Self::Failed(reason) => write!(f, "{PROTOCOL} failed {}", reason.replace(['\n', '\r'], " ")),
        }
    }
}

impl Report {
    /// Reads a line of the child's output; `None` when it is something else.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        match line.strip_prefix(PROTOCOL)?.trim() {
            "starting" => Some(Self::Starting),
            "ready" => Some(Self::Ready),
            other => Some(Self::Failed(other.strip_prefix("failed ")?.to_owned())),
        }
    }

    fn say(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{self}")?;
        out.flush()
    }
}

/// What the child is told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Arguments {
    /// The process it must not outlive.
    pub(crate) parent: u32,
    /// Where the database is, or is to be made.
    pub(crate) database: PathBuf,
    /// Where the socket goes.
    pub(crate) sockets: PathBuf,
}

impl Arguments {
    pub(crate) fn to_args(&self) -> [OsString; 4] {
        [HELPER.into(), self.parent.to_string().into(), self.database.clone().into(), self.sockets.clone().into()]
    }

    fn parse(args: Vec<OsString>) -> Option<Self> {
        let [parent, database, sockets] = <[OsString; 3]>::try_from(args).ok()?;
        Some(Self { parent: parent.to_str()?.parse().ok()?, database: database.into(), sockets: sockets.into() })
    }
}

/// Runs the child to its end, with the arguments behind [`HELPER`].
pub(crate) fn main(args: Vec<OsString>) -> ExitCode {
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            // A parent that is gone has no use for the reason.
            let _ = Report::Failed(reason).say();
            ExitCode::FAILURE
        }
    }
}

fn run(args: Vec<OsString>) -> Result<(), String> {
    let arguments = Arguments::parse(args).ok_or("this program is for the gateway to start: expected PARENT DATABASE SOCKETS")?;
    die_with_parent(arguments.parent)?;
    let _signals = leave_signals_to_parent().map_err(|error| format!("the signals cannot be set up: {error}"))?;
    Report::Starting.say().map_err(|error| error.to_string())?;

    let server = OliphauntServer::builder()
        .storage(DatabaseStorage::Directory(arguments.database))
        .listen(ServerListen::unix_port(arguments.sockets, PORT))
        .startup_gucs(SETTINGS)
        .start()
        .map_err(|error| format!("{error:#}"))?;
    Report::Ready.say().map_err(|error| error.to_string())?;

    wait_for_end_of_input();
    close(server)
}

/// Has the system kill this process when its parent dies, so that nobody is left who owns the database.
fn die_with_parent(parent: u32) -> Result<(), String> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, getppid, set_parent_process_death_signal};

        // The name in a process list, where the executable's would be `exe`.
        let _ = rustix::thread::set_name(c"mosaic-engine");
        set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| format!("the parent cannot be watched: {error}"))?;
        // It may have died before the line above; elsewhere than on Linux the end of input has to do.
        if getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs()) != Some(parent) {
            return Err("the parent is gone".to_owned());
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = parent;
    Ok(())
}

/// Takes the signals that ask a process to end and does nothing on them: a service manager sends them to every process of
/// a service, and the parent still needs its database while it drains.
fn leave_signals_to_parent() -> io::Result<(tokio::runtime::Runtime, [Signal; 3])> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let signals = {
        let _entered = runtime.enter();
        [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?]
    };
    Ok((runtime, signals))
}

fn wait_for_end_of_input() {
    // However the input ends, it ends: an error is no reason to go on.
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
}

/// Closes the database, on a thread of its own, since a statement that does not end would keep it open for ever.
fn close(mut server: OliphauntServer) -> Result<(), String> {
    let (closed, wait) = mpsc::channel();
    std::thread::spawn(move || closed.send(server.close()));
    match wait.recv_timeout(CLOSING) {
        Ok(result) => result.map_err(|error| format!("{error:#}")),
        Err(_) => Err("the database did not close in time".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_one_line_and_reads_back() {
        for report in [Report::Starting, Report::Ready, Report::Failed("no: way".to_owned())] {
            assert_eq!(Report::parse(&report.to_string()), Some(report));
        }
        assert_eq!(Report::Failed("two\nlines".to_owned()).to_string(), "mosaic-pglite failed two lines");
        for other in ["", "ready", "mosaic-pglite what", "running 3 tests"] {
            assert_eq!(Report::parse(other), None, "{other}");
        }
    }

    #[test]
    fn arguments_read_back() {
        let arguments = Arguments { parent: 4711, database: "/data/engine".into(), sockets: "/tmp/s".into() };
        let [helper, rest @ ..] = arguments.to_args();
        assert_eq!(helper, HELPER);
        assert_eq!(Arguments::parse(rest.to_vec()), Some(arguments));
        assert_eq!(Arguments::parse(vec!["x".into()]), None);
    }
}
