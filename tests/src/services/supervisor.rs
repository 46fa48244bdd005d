//! The process that holds a test run's servers: it starts them, watches the run, and ends them with it. What must not
//! come in: how tests find it, which is `run`'s.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::install::Installation;
use super::place::{self, Lock};
use super::processes::Process;
use super::run::{ALIVE, Run, USERS};
use super::server::{Bond, Durability, Kind, Runner, Server, end_all};
use super::tls::Authority;
use super::{Services, docker, given, run};

/// The first argument that asks for this program.
pub const HELPER: &str = "helper:services";

/// How long servers wait for further tests that are started by hand.
const LINGER: Duration = Duration::from_secs(120);

/// Runs the servers of a run; its arguments are the directory and, if the run is some process's, that process's number.
/// With the argument `show` it shows those of the run that it is part of, for looking at them by hand.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return ExitCode::FAILURE };
    let arguments: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["show"] => show(),
        [dir] => runtime.block_on(supervise(Run::at(dir, None))),
        [dir, watched] => match watched.parse().ok().and_then(Process::with) {
            Some(process) => runtime.block_on(supervise(Run::at(dir, Some(process)))),
            None => ExitCode::FAILURE,
        },
        _ => ExitCode::from(2),
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "it is asked to")]
fn show() -> ExitCode {
    let program = std::env::current_exe().map_err(|error| error.to_string());
    match program.and_then(|program| run::join(&program.display().to_string())) {
        Ok((services, _share)) => {
            println!("{}", serde_json::to_string_pretty(&services).unwrap_or_default());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn supervise(run: Run) -> ExitCode {
    let alive = run.path(ALIVE);
    let Ok(lock) = Lock::wait(&alive) else { return ExitCode::FAILURE };
    if let Some(place) = run.dir.parent() {
        remove_what_was_left(place, &run.dir).await;
    }
    end_all(&run.dir).await;

    let over = async {
        tokio::select! {
            () = gone(run.watched) => {}
            () = told_to_end() => {}
        }
    };
    tokio::pin!(over);
    let started = tokio::select! {
        started = start(&run) => Some(started),
        () = &mut over => None,
    };
    match started {
        None => {}
        Some(Ok((services, _servers))) => {
            if tell(&run, &Ok(&services)) {
                tokio::select! {
                    () = unused(&run) => {}
                    () = over => {}
                }
            }
            forget(&run, &services).await;
        }
        Some(Err(error)) => {
            end_all(&run.dir).await;
            if tell(&run, &Err(error)) {
                // The run's other tests are told the same, and do not try again; tests that are started by hand do.
                let once = if run.watched.is_none() { Duration::from_secs(2) } else { Duration::MAX };
                let _ = tokio::time::timeout(once, over).await;
            }
        }
    }
    end_all(&run.dir).await;
    lock.remove(&alive);
    ExitCode::SUCCESS
}

fn tell(run: &Run, what: &Result<&Services, String>) -> bool {
    serde_json::to_string(what).is_ok_and(|text| run.tell(&text).is_ok())
}

/// What servers of this machine run by.
pub(super) async fn runner(place: &Path) -> Result<Runner, String> {
    let wanted = std::env::var("MOSAIC_TEST_SERVICES").unwrap_or_default();
    let docker = if wanted == "native" { Err("not to be tried".to_owned()) } else { docker::is_usable().await };
    let Err(docker) = docker else { return Ok(Runner::Docker) };
    let native = if wanted == "docker" { Err("not to be tried".to_owned()) } else { Installation::get(place).await };
    native.map(Runner::Native).map_err(|native| {
        format!(
            "there are no servers for the tests.\n\
             With Docker: {docker}\n\
             Without:\n{native}\n\
             What helps is one of these: a Docker engine that can be used; Debian 12 or later with python3-pip and npm; or servers of yours \
             that are named by MOSAIC_TEST_PGVECTOR_URL, MOSAIC_TEST_POSTGRES_URL and MOSAIC_TEST_VALKEY_URL (tests/src/services/mod.rs)"
        )
    })
}

async fn start(run: &Run) -> Result<(Services, Vec<Server>), String> {
    place::directory(&run.dir, 0o711)?;
    drop(Lock::share(&run.dir.join(USERS)));
    let authority = Authority::new()?;
    let (ca, wrong_ca) = (run.dir.join("ca.pem"), run.dir.join("wrong-ca.pem"));
    place::secret_file(&wrong_ca, &Authority::new()?.certificate)?;
    let (pgvector, postgres) = (given::postgres("MOSAIC_TEST_PGVECTOR_URL").await?, given::postgres("MOSAIC_TEST_POSTGRES_URL").await?);
    let valkey = given::valkey("MOSAIC_TEST_VALKEY_URL")?;

    let authorities =
        [pgvector.as_ref().map(|server| &server.ca), postgres.as_ref().map(|server| &server.ca), valkey.as_ref().map(|server| &server.ca)];
    let mut certificates = authority.certificate.clone();
    for file in authorities.into_iter().flatten() {
        certificates.push_str(&fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?);
    }
    place::secret_file(&ca, &certificates)?;

    let place = run.dir.parent().unwrap_or(&run.dir);
    let runner = if pgvector.is_some() && postgres.is_some() && valkey.is_some() { None } else { Some(runner(place).await?) };
    let bin = match &runner {
        Some(Runner::Native(installation)) => Some(installation.clients()),
        _ => None,
    };
    let start = async |kind: Kind, is_given: bool| match runner.clone().filter(|_| !is_given) {
        None => Ok(None),
        Some(runner) => {
            let dir = run.dir.join(format!("{kind:?}").to_lowercase());
            Server::start(runner, kind, (Durability::Fast, Bond::Thread), dir, None, &authority).await.map(Some)
        }
    };
    let (own_pgvector, own_postgres, own_valkey) = tokio::try_join!(
        start(Kind::Pgvector, pgvector.is_some()),
        start(Kind::Postgres, postgres.is_some()),
        start(Kind::Valkey, valkey.is_some())
    )?;
    let none = || "a server is neither given nor started".to_owned();
    let services = Services {
        pgvector: pgvector.or(own_pgvector.as_ref().map(Server::postgres)).ok_or_else(none)?,
        postgres: postgres.or(own_postgres.as_ref().map(Server::postgres)).ok_or_else(none)?,
        valkey: valkey.or(own_valkey.as_ref().map(Server::valkey)).ok_or_else(none)?,
        ca,
        wrong_ca,
        bin,
    };
    Ok((services, [own_pgvector, own_postgres, own_valkey].into_iter().flatten().collect()))
}

/// Removes from servers that go on what this run has made on them. The run's own servers go with all they have.
async fn forget(run: &Run, services: &Services) {
    for server in [&services.pgvector, &services.postgres] {
        if !server.ca.starts_with(&run.dir) {
            let _ = server.drop_databases().await;
        }
    }
}

/// Ends what supervisors of earlier runs had to leave behind, since they were killed.
async fn remove_what_was_left(place: &Path, own: &Path) {
    let paths = fs::read_dir(place).into_iter().flatten().flatten().map(|entry| entry.path());
    let runs: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|extension| extension == ALIVE)).collect();
    for alive in runs.into_iter().filter(|path| path.with_extension("") != own) {
        if let Some(lock) = Lock::of_nobody(&alive) {
            end_all(&alive.with_extension("")).await;
            lock.remove(&alive);
        }
    }
}

/// Waits until no test has used the servers for a while, where nobody knows when the run is over.
async fn unused(run: &Run) {
    if run.watched.is_some() {
        return std::future::pending().await;
    }
    let users = run.dir.join(USERS);
    let mut last_used = Instant::now();
    // Whoever comes once that is taken back finds nothing, and starts others.
    while last_used.elapsed() < LINGER || !run.take_back() {
        tokio::time::sleep(Duration::from_millis(500)).await;
        if Lock::of_nobody(&users).is_none() {
            last_used = Instant::now();
        }
    }
}

async fn gone(watched: Option<Process>) {
    let Some(process) = watched else { return std::future::pending().await };
    while process.lives() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn told_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    }
}
