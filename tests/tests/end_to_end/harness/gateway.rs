//! A running `mosaic serve`, which ends with the value that stands for it, and in any case with the test process.

use std::fs::File;
use std::ops::Deref;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::OnceCell;

use super::{Client, PATIENCE, Place, Signal, engine_of, eventually, signal};

/// One gateway. Killed when dropped; its log is shown when the test that holds it fails.
pub(crate) struct Gateway {
    /// Where it runs.
    pub(crate) place: Place,
    child: std::sync::Mutex<Child>,
    log: String,
    _leash: Leash,
}

/// A user, and a client that acts for them.
pub(crate) struct Person {
    /// The user's id.
    pub(crate) id: String,
    /// A client with a token of scopes `read` and `write`.
    pub(crate) client: Client,
}

impl Gateway {
    /// Starts one in a place of its own and waits until it is ready.
    pub(crate) async fn start() -> Self {
        Self::start_in(&Place::new()).await
    }

    /// Starts one and waits until it is ready.
    pub(crate) async fn start_in(place: &Place) -> Self {
        let gateway = Self::spawn(place);
        gateway.ready().await;
        gateway
    }

    /// Starts one without waiting.
    pub(crate) fn spawn(place: &Place) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let log = format!("gateway-{}.log", COUNT.fetch_add(1, Ordering::Relaxed));
        let stderr = File::create(place.path(&log)).expect("a log can be written");
        let stdout = stderr.try_clone().expect("a file can be shared");
        let child = place.command(&["serve"]).stdout(stdout).stderr(stderr).spawn().expect("the binary under test starts");
        let leash = Leash::on(child.id(), place);
        Self { place: place.clone(), child: child.into(), log, _leash: leash }
    }

    /// Waits until it says that it is ready; answers how long that took.
    pub(crate) async fn ready(&self) -> Duration {
        let begun = Instant::now();
        let client = self.anonymous();
        eventually("the gateway is ready", PATIENCE, || async {
            assert_eq!(self.exit_status(), None, "the gateway ended:\n{}", self.log());
            let answer = client.try_request(hyper::Method::GET, "/readyz", &[], "").await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
        begun.elapsed()
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child().id()
    }

    /// The process of its engine.
    pub(crate) async fn engine(&self) -> u32 {
        eventually("the gateway has an engine", PATIENCE, || async { engine_of(self.pid()) }).await
    }

    /// How it ended, once it has.
    pub(crate) fn exit_status(&self) -> Option<ExitStatus> {
        self.child().try_wait().expect("a child can be looked at")
    }

    /// Waits for its end; answers the exit code, `None` for an end by signal.
    pub(crate) async fn ended(&self) -> Option<i32> {
        eventually("the gateway ends", PATIENCE, || async { self.exit_status() }).await.code()
    }

    /// Ends it as the machine's last breath would, and waits until it is gone.
    pub(crate) async fn kill(&self) {
        signal(self.pid(), Signal::KILL);
        self.ended().await;
    }

    /// Ends it as an operator would, and waits until it is gone.
    pub(crate) async fn stop(self) {
        signal(self.pid(), Signal::TERM);
        assert_eq!(self.ended().await, Some(0), "a graceful stop:\n{}", self.log());
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&self.place.read(&self.log)).into_owned()
    }

    /// Its URL, as an operator would give it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.place.address())
    }

    /// A client without a token.
    pub(crate) fn anonymous(&self) -> Client {
        Client::anonymous(self.place.address())
    }

    /// A client with the first admin's token.
    pub(crate) fn admin(&self) -> Client {
        let token = String::from_utf8(self.place.read("mosaic-admin.token")).expect("a token is text");
        self.anonymous().with_token(token.trim())
    }

    /// A new user with this login, and their client.
    pub(crate) async fn person(&self, login: &str) -> Person {
        let user = self.admin().create("users", json!({ "login": login, "name": login })).await;
        let id = user["id"].as_str().expect("a user has an id").to_owned();
        let client = self.token(&id, &["read", "write", "agent"]).await;
        Person { id, client }
    }

    /// A client with a new token of these scopes.
    pub(crate) async fn token(&self, user_id: &str, scopes: &[&str]) -> Client {
        let token = self.admin().create("tokens", json!({ "user_id": user_id, "name": "test", "scopes": scopes })).await;
        self.anonymous().with_token(token["secret"].as_str().expect("a new token shows its secret"))
    }

    /// Shows the end of the log when the test at hand has failed.
    fn show_log_of_failure(&self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().filter(|line| !line.contains("path=/readyz")).collect();
            println!("--- {}, its last lines\n{}", self.log, lines[lines.len().saturating_sub(60)..].join("\n"));
        }
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let mut child = self.child();
        let _ = child.kill();
        let _ = child.wait();
        drop(child);
        self.show_log_of_failure();
    }
}

/// A shell that kills a gateway, and removes its directory, when this process is gone, however it went: by then the pipe
/// that it reads has ended. What is in a static, as the shared gateway is, is never dropped.
struct Leash(Child);

impl Leash {
    fn on(pid: u32, place: &Place) -> Self {
        let script = format!("cat; kill -9 {pid}; sleep 1; rm -rf '{}'", place.path("").display());
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(shell.spawn().expect("there is a shell"))
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        // Before its pipe ends: the pid may be another process's by now.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One gateway for all tests that leave it as they found it, each with users of its own. It ends with the process.
pub(crate) async fn shared() -> Shared {
    static SHARED: OnceCell<Gateway> = OnceCell::const_new();
    Shared(SHARED.get_or_init(Gateway::start).await)
}

/// The shared gateway, as one test holds it.
pub(crate) struct Shared(&'static Gateway);

impl Deref for Shared {
    type Target = Gateway;

    fn deref(&self) -> &Gateway {
        self.0
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.0.show_log_of_failure();
    }
}
