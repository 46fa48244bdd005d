//! How the tests of one run find its servers, whichever of them comes first. What must not come in: starting servers,
//! which is `supervisor`'s.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Services;
use super::place::{self, Lock};
use super::processes::{self, Process};
use super::supervisor::HELPER;

/// The extension of the file that a run's supervisor keeps locked, beside the run's directory.
pub(super) const ALIVE: &str = "alive";
/// The file in a run's directory in whose lock each process that uses the servers has a share.
pub(super) const USERS: &str = "users";
/// What the supervisor tells: where the servers are, or why there are none.
const TOLD: &str = "services.json";

/// Locked by whoever joins a run, or ends one.
const ONE_AT_A_TIME: &str = "start.lock";

/// How long a start may take: the first on a machine downloads.
const STARTING: Duration = Duration::from_secs(600);

/// A run of tests, by its directory.
pub(super) struct Run {
    pub(super) dir: PathBuf,
    /// The process that it is; none for tests that are started by hand.
    pub(super) watched: Option<Process>,
}

impl Run {
    pub(super) fn at(dir: impl Into<PathBuf>, watched: Option<Process>) -> Self {
        Self { dir: dir.into(), watched }
    }

    /// The one that this process is part of.
    fn current(place: &Path) -> Self {
        let watched = processes::test_run();
        Self::at(place.join(format!("run-{}", watched.map_or("by-hand".to_owned(), Process::name))), watched)
    }

    /// A file beside its directory.
    pub(super) fn path(&self, extension: &str) -> PathBuf {
        self.dir.with_extension(extension)
    }

    /// Tells its tests where the servers are. They see all of it or nothing.
    pub(super) fn tell(&self, text: &str) -> Result<(), String> {
        place::directory(&self.dir, 0o711)?;
        let draft = self.dir.join("draft");
        place::secret_file(&draft, text)?;
        fs::rename(&draft, self.dir.join(TOLD)).map_err(|error| format!("{}: {error}", draft.display()))
    }

    /// Takes that back, unless somebody uses the servers.
    pub(super) fn take_back(&self) -> bool {
        let Some(place) = self.dir.parent() else { return true };
        let _one_at_a_time = Lock::wait(&place.join(ONE_AT_A_TIME));
        let unused = Lock::of_nobody(&self.dir.join(USERS)).is_some();
        if unused {
            let _ = fs::remove_file(self.dir.join(TOLD));
        }
        unused
    }

    fn told(&self) -> Option<Result<Services, String>> {
        let text = fs::read_to_string(self.dir.join(TOLD)).ok()?;
        Some(serde_json::from_str(&text).unwrap_or_else(|error| Err(format!("{TOLD}: {error}"))))
    }
}

/// The servers of this run, and this process's share in them. Blocks until they run.
pub(super) fn join(helper: &str) -> Result<(Services, Option<Lock>), String> {
    let place = place::place()?;
    let run = Run::current(&place);
    let _one_at_a_time = Lock::wait(&place.join(ONE_AT_A_TIME))?;
    let begun = Instant::now();
    let mut supervisor: Option<Child> = None;
    let told = loop {
        if Lock::is_held(&run.path(ALIVE)) {
            // Without a word, it begins or ends.
            if let Some(told) = run.told() {
                break told;
            }
        } else if let Some(mut ended) = supervisor.take() {
            if let Ok(None) = ended.try_wait() {
                // It has not come so far as to lock the file.
                supervisor = Some(ended);
            } else {
                break Err(format!("{helper} {HELPER} ended without a word"));
            }
        } else {
            supervisor = Some(start_supervisor(helper, &run)?);
        }
        if begun.elapsed() > STARTING {
            break Err(format!("the servers did not start in {} s", STARTING.as_secs()));
        }
        sleep(Duration::from_millis(20));
    };
    let share = Lock::share(&run.dir.join(USERS));
    told.map(|services| (services, share))
}

/// It outlives this process, and is not told by the terminal to end.
fn start_supervisor(helper: &str, run: &Run) -> Result<Child, String> {
    let mut command = Command::new(helper);
    command.arg(HELPER).arg(&run.dir).args(run.watched.map(|process| process.pid.to_string()));
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn().map_err(|error| format!("{helper}: {error}"))
}
