//! Where the services of tests live: a directory under cargo's target directory, locks in it, ports, and the user that
//! servers run as. What must not come in: what is put there.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// `nobody` and its group. Postgres does not run as root, so tests that do start their servers as this user.
const NOBODY: u32 = 65_534;

/// Where to, when root's target directory is closed to the user that servers run as.
const ELSEWHERE: &str = "/var/tmp/mosaic-services";

/// The directory for everything of the services, made if it is not there.
pub(super) fn place() -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|error| format!("this program's path: {error}"))?;
    let target = program.ancestors().find(|dir| dir.join("CACHEDIR.TAG").exists()).or(program.parent());
    let place = match target.filter(|target| !is_root() || is_open_to_all(target)) {
        Some(target) => target.join("mosaic-services"),
        None => PathBuf::from(ELSEWHERE),
    };
    directory(&place, 0o755)?;
    let meta = fs::symlink_metadata(&place).map_err(|error| format!("{}: {error}", place.display()))?;
    if place == Path::new(ELSEWHERE) && (meta.uid() != 0 || !meta.is_dir()) {
        return Err(format!("{ELSEWHERE} is not root's own directory: remove it"));
    }
    place.canonicalize().map_err(|error| format!("{}: {error}", place.display()))
}

fn is_open_to_all(dir: &Path) -> bool {
    dir.ancestors().all(|dir| fs::metadata(dir).is_ok_and(|meta| meta.mode() & 0o001 != 0))
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Makes a directory with this mode, whatever the umask says.
pub(super) fn directory(path: &Path, mode: u32) -> Result<(), String> {
    let make = || {
        fs::create_dir_all(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
    };
    make().map_err(|error: io::Error| format!("{}: {error}", path.display()))
}

/// Writes a file that its owner alone may read.
pub(super) fn secret_file(path: &Path, content: &str) -> Result<(), String> {
    let write = || {
        let mut options = fs::OpenOptions::new();
        let mut file = std::os::unix::fs::OpenOptionsExt::mode(options.write(true).create(true).truncate(true), 0o600).open(path)?;
        io::Write::write_all(&mut file, content.as_bytes())
    };
    write().map_err(|error: io::Error| format!("{}: {error}", path.display()))
}

/// Gives a path, and all that is in it, to the user that servers run as.
pub(super) fn give_to_servers(path: &Path) -> Result<(), String> {
    if !is_root() {
        return Ok(());
    }
    chown(path, Some(NOBODY), Some(NOBODY)).map_err(|error| format!("{}: {error}", path.display()))?;
    if path.is_dir() {
        for entry in fs::read_dir(path).map_err(|error| format!("{}: {error}", path.display()))?.flatten() {
            give_to_servers(&entry.path())?;
        }
    }
    Ok(())
}

/// A command that runs as the servers' user, in a process group of its own, so that Ctrl-C at a terminal is not meant for it.
/// With a signal's name, it gets that signal when the thread that starts it is gone.
pub(super) fn server_command(program: &Path, at_parents_death: Option<&str>) -> Command {
    let mut options = Vec::new();
    if let Some(signal) = at_parents_death {
        options.extend(["--pdeathsig".to_owned(), signal.to_owned()]);
    }
    if is_root() {
        options.extend([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()]);
    }
    let mut command = if options.is_empty() {
        Command::new(program)
    } else {
        let mut setpriv = Command::new("setpriv");
        setpriv.args(options).arg(program);
        setpriv
    };
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LC_ALL", "C").env("TZ", "UTC").current_dir("/");
    std::os::unix::process::CommandExt::process_group(command.stdin(Stdio::null()), 0);
    command
}

/// A lock on a file, held until it is dropped or the process is gone.
pub(super) struct Lock(File);

impl Lock {
    /// Waits for it. Locks nobody else can have taken on a file that was removed meanwhile.
    pub(super) fn wait(path: &Path) -> Result<Self, String> {
        let wait = || loop {
            let file = File::options().create(true).truncate(false).write(true).open(path)?;
            file.lock()?;
            if same_file(&file, path) {
                return Ok(Self(file));
            }
        };
        wait().map_err(|error: io::Error| format!("{}: {error}", path.display()))
    }

    /// The lock, if the file is there and nobody has it.
    pub(super) fn of_nobody(path: &Path) -> Option<Self> {
        let file = File::options().write(true).open(path).ok()?;
        file.try_lock().ok()?;
        same_file(&file, path).then_some(Self(file))
    }

    /// Waits for a share in it, once nobody has it alone.
    pub(super) fn share(path: &Path) -> Option<Self> {
        let file = File::options().create(true).truncate(false).write(true).open(path).ok()?;
        file.lock_shared().ok()?;
        Some(Self(file))
    }

    /// Whether somebody has it.
    pub(super) fn is_held(path: &Path) -> bool {
        File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock)))
    }

    /// Lets go of it and removes the file.
    pub(super) fn remove(self, path: &Path) {
        let _ = fs::remove_file(path);
        drop(self.0);
    }
}

fn same_file(file: &File, path: &Path) -> bool {
    let (Ok(held), Ok(there)) = (file.metadata(), fs::metadata(path)) else { return false };
    (held.dev(), held.ino()) == (there.dev(), there.ino())
}

/// A port nobody listens on: below those that outgoing connections get, and none of those that tests' gateways take.
pub(super) fn free_port() -> u16 {
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    std::iter::repeat_with(|| fastrand::u16(30_000..32_700)).take(2_000).find(free).unwrap_or_default()
}

/// A password: letters and digits, from the system's randomness.
pub(super) fn password() -> Result<String, String> {
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes).map_err(|error| format!("no randomness: {error}"))?;
    Ok(hex::encode(bytes))
}
