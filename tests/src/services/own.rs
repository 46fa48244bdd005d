//! Servers of a test's own, to be killed, frozen and started again. What must not come in: what tests find out by that.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tokio::sync::Mutex;

use super::place;
use super::postgres::Postgres;
use super::server::{Bond, Durability, Kind, Runner, Server};
use super::supervisor::runner;
use super::tls::Authority;
use super::valkey::Valkey;

/// A Postgres with pgvector, empty. What it acknowledged survives [`kill`](Own::kill).
pub type OwnPostgres = Own<Postgres>;

/// A Valkey, empty. It keeps what it is told, as the others do not.
pub type OwnValkey = Own<Valkey>;

/// A server that ends when it is dropped, and when the test's process is gone.
pub struct Own<Access> {
    access: Access,
    // In this order: the leash kills what is to be reaped.
    leash: Leash,
    server: Mutex<Server>,
}

/// It is reached as the shared ones are.
impl<Access> Deref for Own<Access> {
    type Target = Access;

    fn deref(&self) -> &Access {
        &self.access
    }
}

impl Own<Postgres> {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        Self::begin(Kind::Pgvector, None, Server::postgres).await
    }

    /// Starts one on this port.
    pub async fn start_on(port: u16) -> Self {
        Self::begin(Kind::Pgvector, Some(port), Server::postgres).await
    }
}

impl Own<Valkey> {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        Self::begin(Kind::Valkey, None, Server::valkey).await
    }

    /// Starts one on this port.
    pub async fn start_on(port: u16) -> Self {
        Self::begin(Kind::Valkey, Some(port), Server::valkey).await
    }
}

impl<Access> Own<Access> {
    async fn begin(kind: Kind, port: Option<u16>, access: impl FnOnce(&Server) -> Access) -> Self {
        Self::try_begin(kind, port, access).await.unwrap_or_else(|error| panic!("a server of a test's own: {error}"))
    }

    async fn try_begin(kind: Kind, port: Option<u16>, access: impl FnOnce(&Server) -> Access) -> Result<Self, String> {
        let place = place::place()?;
        let runner = runner(&place).await?;
        let dir = place.join(format!("own-{}", place::password()?));
        place::directory(&dir, 0o711)?;
        // Before there is anything to end.
        let leash = Leash::on(&dir, &runner)?;
        let manner = (Durability::Durable, Bond::None);
        let server = Server::start(runner, kind, manner, dir.join("server"), port, &Authority::new()?).await?;
        Ok(Self { access: access(&server), leash, server: Mutex::new(server) })
    }

    /// Ends the server and all its children at once, as a power cut would.
    pub async fn kill(&self) {
        self.server.lock().await.kill().await.unwrap();
    }

    /// Starts it again, on the same port and with the same data. One that still runs is killed first.
    pub async fn restart(&self) {
        let mut server = self.server.lock().await;
        server.kill().await.unwrap();
        server.run().await.unwrap_or_else(|error| panic!("the server starts again: {error}"));
    }

    /// Stops the server and all its children where they are: connections stay open, and nothing answers.
    pub async fn freeze(&self) {
        self.server.lock().await.freeze().await.unwrap();
    }

    /// Lets them go on.
    pub async fn thaw(&self) {
        self.server.lock().await.thaw().await.unwrap();
    }

    /// Ends it as an operator would, breaking connections. It can be started again.
    pub async fn stop(&self) {
        self.server.lock().await.stop().await.unwrap();
    }
}

impl<Access> Drop for Own<Access> {
    fn drop(&mut self) {
        self.leash.let_go();
        self.server.get_mut().reap();
    }
}

/// A shell that ends what works in a directory, and removes it, when this process is gone, however it went: by then the pipe that
/// it reads has ended.
struct Leash(Child);

impl Leash {
    fn on(dir: &Path, runner: &Runner) -> Result<Self, String> {
        let path: PathBuf = dir.join("server");
        let (dir, server) = (dir.display(), path.display());
        let end = match runner {
            Runner::Docker => format!("docker rm --force --volumes \"$(cat '{server}/container')\""),
            // Told to end, Postgres gives back a piece of memory that the system would keep; a frozen one must go on for that.
            Runner::Native(_) => format!(
                "ours() {{ ls -l /proc/[0-9]*/cwd | grep -F ' -> {dir}/' | sed 's|^.* /proc/\\([0-9]*\\)/cwd -> .*$|\\1|'; }}\n\
                 first=$(head -n 1 '{server}/data/postmaster.pid') && for pid in $(ours); do\n\
                   kill -CONT $pid; [ $pid != $first ] || kill -QUIT $pid; done\n\
                 for try in 1 2 3 4 5 6 7 8 9 10; do [ -z \"$(ours)\" ] || sleep 0.1; done\n\
                 for try in 1 2 3; do for pid in $(ours); do kill -KILL $pid; done; done"
            ),
        };
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("cat\n{end}\nrm -rf '{dir}'")]).current_dir("/");
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        std::os::unix::process::CommandExt::process_group(&mut shell, 0);
        shell.spawn().map(Self).map_err(|error| format!("sh: {error}"))
    }

    fn let_go(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
