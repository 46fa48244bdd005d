//! A gateway as an operator starts it: a process of the binary, in a directory of its own. What must not come in: what it is asked.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{Answer, Connection, request};

/// A start that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// A port that nobody has.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The memory that a process has, and all that it started, in KiB (proc(5), `Pss`: of what several share, each has its part).
pub fn memory_kib(pid: u32) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let own = rollup.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let children = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten().map(|task| {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        children.split_whitespace().filter_map(|pid| pid.parse().ok()).map(memory_kib).sum::<u64>()
    });
    own.unwrap_or_default() + children.sum::<u64>()
}

/// A gateway. It ends with this value, and its directory with it unless it is [`stop`](Self::stop)ped.
pub struct Gateway {
    child: Option<Child>,
    binary: String,
    config: Value,
    dir: PathBuf,
    pub address: SocketAddr,
    /// The first administrator's.
    pub token: String,
    /// From the start of the process to the first `/readyz` that says so.
    pub ready_after: Duration,
}

impl Gateway {
    /// Makes a directory with this config, and starts the binary in it.
    ///
    /// # Panics
    /// When it does not get ready.
    pub async fn start(binary: &str, config: Value) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("mosaic-bench-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("mosaic.config.json"), config.to_string()).unwrap();
        let (binary, token) = (binary.to_owned(), String::new());
        let mut gateway = Self { child: None, binary, config, dir, address: free_address(), token, ready_after: Duration::ZERO };
        gateway.run().await;
        gateway.token = std::fs::read_to_string(gateway.dir.join("mosaic-admin.token")).unwrap_or_default().trim().to_owned();
        gateway
    }

    /// A command of the same binary, in the same directory.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        // The first token is put into a file, since none listens here.
        command.current_dir(&self.dir).env("MOSAIC_LISTEN", self.address.to_string()).stdin(Stdio::null());
        command
    }

    /// Where it runs.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The config that it was started with.
    pub fn config(&self) -> &Value {
        &self.config
    }

    /// Starts it again, where it was.
    pub async fn run(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.log()).unwrap();
        let begun = Instant::now();
        self.child = Some(self.command().arg("serve").env("MOSAIC_LOG__FILTER", "warn").stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let ready = request("GET", "/readyz", "", None);
        loop {
            let answered = match Connection::open(self.address).await {
                Ok(mut connection) => connection.ask(&ready).await.is_ok_and(|answer| answer.status == 200),
                Err(_) => false,
            };
            self.ready_after = begun.elapsed();
            if answered {
                return;
            }
            let ended = self.child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
            assert!(
                !ended && begun.elapsed() < PATIENCE,
                "the gateway does not get ready: {}",
                std::fs::read_to_string(self.log()).unwrap()
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Ends it as an operator does, and waits for that. What it keeps stays.
    pub async fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let pid = child.id().try_into().ok().and_then(rustix::process::Pid::from_raw).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        while child.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What it says of itself.
    pub fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// The memory that it has, with its engine.
    pub fn memory_kib(&self) -> u64 {
        self.child.as_ref().map_or(0, |child| memory_kib(child.id()))
    }

    /// Asks one thing, as the first administrator.
    pub async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let mut connection = Connection::open(self.address).await.unwrap();
        connection.ask(&request(method, path, &self.token, body)).await.unwrap()
    }

    /// Makes a token of these scopes for a user.
    pub async fn token(&self, user_id: &str, scopes: &[&str]) -> String {
        let token = json!({ "user_id": user_id, "name": "bench", "scopes": scopes });
        self.ask("POST", "/api/v1/tokens", Some(&token)).await.success()["secret"].as_str().unwrap().to_owned()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            _ = child.kill();
            _ = child.wait();
        }
        _ = std::fs::remove_dir_all(&self.dir);
    }
}
