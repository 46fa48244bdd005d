//! The embedded engine below the records: what happens to the one connection, to its holder and to the data when the
//! engine crashes, hangs or is cut off in its first start, and when its owner dies. Raw SQL, on purpose.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mosaic_core::{Error, ErrorKind, Opening, Options, Result, Retry, SystemClock, registry};
use mosaic_pglite::Engine;
use mosaic_sql::connection::{Connections, Lease, Work};
use mosaic_tests::generator::{Generator, Size, assert_same_records, fill, read_back};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Far more than anything here takes, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a replacement takes at most, with much room for a busy machine: it is promised within 2 s, and takes half a second.
/// One that the watchdog did not see, or that waited for a second try, takes longer.
const AT_LAST: Duration = Duration::from_secs(10);

fn options(dir: &Path) -> Options {
    options_with(dir, &json!({}))
}

/// Options with more keys of the section.
fn options_with(dir: &Path, more: &Value) -> Options {
    let mut section = json!({ "data_dir": dir, "engine_executable": env!("CARGO_BIN_EXE_mosaic-tests") });
    section.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Options {
        section,
        base_dir: "/".into(),
        command: "serve",
        url: Some("http://127.0.0.1:7420".to_owned()),
        clock: Arc::new(SystemClock),
        opening: Opening::Prepare,
    }
}

/// An engine with a table, in a directory of its own.
struct Place {
    parent: TempDir,
    engine: Engine,
}

impl Place {
    async fn new() -> Self {
        Self::with(json!({})).await
    }

    /// One whose section has more keys.
    async fn with(more: Value) -> Self {
        let parent = tempfile::tempdir().unwrap();
        let engine = Engine::open(&options_with(&parent.path().join("data"), &more)).await.unwrap();
        let place = Self { parent, engine };
        place.execute("CREATE TABLE written (id bigint PRIMARY KEY)").await.unwrap();
        place
    }

    fn dir(&self) -> PathBuf {
        self.parent.path().join("data")
    }

    /// The engine's process.
    fn pid(&self) -> u32 {
        engine_in(&self.dir()).expect("the engine runs")
    }

    async fn execute(&self, sql: &'static str) -> Result<(), (sqlx::Error, Option<Error>)> {
        execute(&*self.engine.connections, sql).await
    }

    async fn count(&self) -> i64 {
        let mut lease = lease(&*self.engine.connections).await;
        let count = sqlx::query_scalar("SELECT count(*) FROM written").fetch_one(lease.connection()).await.unwrap();
        lease.settled();
        count
    }

    async fn close(self) {
        self.engine.connections.close().await.unwrap();
        for service in self.engine.services {
            service.run.await.unwrap();
        }
        assert_eq!(engine_in(&self.parent.path().join("data")), None);
    }
}

/// The connection, however long a busy machine takes to replace the engine.
async fn lease(connections: &dyn Connections) -> Box<dyn Lease> {
    let begun = Instant::now();
    loop {
        match connections.lease(Work::Request).await {
            Ok(lease) => return lease,
            Err(error) if error.retry_class() == Retry::Safe && begun.elapsed() < PATIENCE => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

async fn execute(connections: &dyn Connections, sql: &'static str) -> Result<(), (sqlx::Error, Option<Error>)> {
    let mut lease = lease(connections).await;
    match sqlx::raw_sql(sql).execute(lease.connection()).await {
        Ok(_) => {
            lease.settled();
            Ok(())
        }
        Err(error) => Err((error, lease.broken())),
    }
}

async fn write(connections: &dyn Connections, id: i64) -> sqlx::Result<()> {
    let mut lease = lease(connections).await;
    sqlx::query("INSERT INTO written (id) VALUES ($1)").bind(id).execute(lease.connection()).await?;
    lease.settled();
    Ok(())
}

/// The engine that runs on a data directory, if one does.
fn engine_in(dir: &Path) -> Option<u32> {
    let database = dir.join("engine");
    std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        // A process that is dead and not yet reaped has an empty command line.
        let command = std::fs::read(entry.path().join("cmdline")).ok()?;
        let mut arguments = command.split(|&byte| byte == 0);
        (arguments.nth(1) == Some(b"helper:pglite") && arguments.nth(1) == Some(database.as_os_str().as_encoded_bytes())).then_some(pid)
    })
}

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).unwrap();
}

/// Stops a process, and waits until all of its threads have.
async fn stop(pid: u32) {
    signal(pid, Signal::STOP);
    eventually("all threads are stopped", async || {
        let mut threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
        // One that ends meanwhile does nothing any more either.
        threads.all(|thread| std::fs::read_to_string(thread.path().join("stat")).map_or(true, |stat| stat.contains(") T "))).then_some(())
    })
    .await;
}

async fn eventually<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    eventually_within(PATIENCE, what, look).await
}

async fn eventually_within<T>(patience: Duration, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < patience, "{what}: not within {patience:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_write_is_lost_when_the_engine_is_killed_under_load() {
    let place = Place::new().await;
    let stop = Arc::new(AtomicBool::new(false));
    let written = Arc::new(AtomicUsize::new(0));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (stop, written, connections) = (Arc::clone(&stop), Arc::clone(&written), Arc::clone(&place.engine.connections));
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for id in (writer..).step_by(4) {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    if write(&*connections, id).await.is_ok() {
                        acknowledged.push(id);
                        written.fetch_add(1, Ordering::Relaxed);
                    }
                }
                acknowledged
            })
        })
        .collect();
    for round in 1..=5 {
        let enough = written.load(Ordering::Relaxed) + 50;
        eventually("more is written", async || (written.load(Ordering::Relaxed) >= enough).then_some(())).await;
        tokio::time::sleep(Duration::from_millis(70 * round)).await;
        let killed = place.pid();
        let begun = Instant::now();
        signal(killed, Signal::KILL);
        eventually("another engine takes statements", async || {
            (engine_in(&place.dir()) != Some(killed) && place.execute("SELECT 1").await.is_ok()).then_some(())
        })
        .await;
        println!("round {round}: working again after {:?}", begun.elapsed());
        assert!(begun.elapsed() < AT_LAST, "round {round}: working again after {:?}", begun.elapsed());
    }
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    let mut lease = lease(&*place.engine.connections).await;
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM written WHERE id = ANY($1)")
        .bind(&acknowledged)
        .fetch_one(lease.connection())
        .await
        .unwrap();
    lease.settled();
    println!("{} writes acknowledged", acknowledged.len());
    assert_eq!(usize::try_from(kept).unwrap(), acknowledged.len());
    place.close().await;
}

#[tokio::test]
async fn a_statement_past_its_deadline_is_ended_and_the_engine_replaced() {
    let place = Place::with(json!({ "statement_timeout_seconds": 1 })).await;
    for (case, statement) in [("asleep", "SELECT pg_sleep(60)"), ("busy", "SELECT count(*) FROM generate_series(1, 1000000000000)")] {
        let begun = Instant::now();
        let (_, reason) = place.execute(statement).await.unwrap_err();
        let failed = begun.elapsed();
        let reason = reason.expect("it is known why");
        assert_eq!((reason.kind(), reason.retry_class()), (ErrorKind::Timeout, Retry::Unknown));
        assert!(reason.hint_text().unwrap().contains("statement_timeout_seconds"));
        assert!(failed >= Duration::from_secs(1), "not before its deadline: {failed:?}");
        place.execute("INSERT INTO written (id) SELECT count(*) FROM written").await.unwrap();
        println!("{case}: ended after {failed:?}, working after {:?}", begun.elapsed());
        assert!(begun.elapsed() < AT_LAST, "{case}: working after {:?}", begun.elapsed());
    }
    assert_eq!(place.count().await, 2);
    place.close().await;
}

#[tokio::test]
async fn an_engine_that_hangs_is_replaced_also_when_nobody_waits_for_it_any_more() {
    let place = Place::with(json!({ "statement_timeout_seconds": 1 })).await;
    for waits in [true, false] {
        let hung = place.pid();
        stop(hung).await;
        let begun = Instant::now();
        let statement = place.execute("INSERT INTO written VALUES (1)");
        if waits {
            let (_, reason) = statement.await.unwrap_err();
            assert_eq!(reason.unwrap().kind(), ErrorKind::Timeout);
        } else {
            tokio::time::timeout(Duration::from_millis(50), statement).await.expect_err("it hangs");
        }
        place.execute("SELECT 1").await.unwrap();
        assert_ne!(place.pid(), hung);
        println!("waiting {waits}: working after {:?}", begun.elapsed());
        assert!(begun.elapsed() < AT_LAST, "waiting {waits}: working after {:?}", begun.elapsed());
    }
    assert_eq!(place.count().await, 0);
    place.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_requests_harm_nobody() {
    let place = Place::new().await;
    let engine = place.pid();
    let connections = &place.engine.connections;
    for round in 0..1000_u64 {
        // In the middle of: waiting for the connection, BEGIN, a statement, a large result, COMMIT.
        let request = async {
            let mut lease = connections.lease(Work::Request).await.unwrap();
            let mut transaction = sqlx::Connection::begin(lease.connection()).await.unwrap();
            sqlx::query("INSERT INTO written (id) SELECT coalesce(max(id), 0) + 1 FROM written").execute(&mut *transaction).await.unwrap();
            sqlx::query("SELECT repeat('x', 1000) FROM generate_series(1, 200)").fetch_all(&mut *transaction).await.unwrap();
            transaction.commit().await.unwrap();
            lease.settled();
        };
        let _ = tokio::time::timeout(Duration::from_micros(round * 37 % 4000), request).await;
    }
    let begun = Instant::now();
    // Outside of any transaction that was left open: this is on the disk when it is answered.
    let before = place.count().await;
    write(&**connections, -1).await.unwrap();
    println!("waited {:?}; {before} of 1000 requests came to their end", begun.elapsed());
    assert_eq!(place.pid(), engine, "the engine was never replaced");
    signal(engine, Signal::KILL);
    eventually("another engine answers", async || place.execute("SELECT 1").await.ok()).await;
    assert_eq!(place.count().await, before + 1);
    place.close().await;
}

/// A service manager that stops the gateway asks all of its processes to end.
#[tokio::test]
async fn signals_that_ask_to_end_are_left_to_the_gateway() {
    let place = Place::new().await;
    let engine = place.pid();
    for asked in [Signal::TERM, Signal::INT, Signal::HUP] {
        signal(engine, asked);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    place.execute("INSERT INTO written VALUES (1)").await.unwrap();
    assert_eq!(place.pid(), engine);
    place.close().await;
}

#[tokio::test]
async fn a_transaction_whose_holder_vanished_is_rolled_back() {
    let place = Place::new().await;
    let mut lease = place.engine.connections.lease(Work::Request).await.unwrap();
    sqlx::raw_sql("BEGIN; INSERT INTO written VALUES (1)").execute(lease.connection()).await.unwrap();
    drop(lease);
    assert_eq!(place.count().await, 0);
    write(&*place.engine.connections, 2).await.unwrap();
    assert_eq!(place.count().await, 1);
    place.close().await;
}

#[tokio::test]
async fn the_connection_is_lent_in_order() {
    let place = Place::new().await;
    let first = place.engine.connections.lease(Work::Request).await.unwrap();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let waiting: Vec<_> = (0..20)
        .map(|number| {
            let (connections, order) = (Arc::clone(&place.engine.connections), Arc::clone(&order));
            tokio::spawn(async move {
                let lease = connections.lease(Work::Request).await.unwrap();
                order.lock().unwrap().push(number);
                lease.settled();
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    first.settled();
    for task in waiting {
        task.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
    place.close().await;
}

/// What a backup is read from is a copy beside the data: it is there after an engine was killed, and no start fails on one that was left.
#[tokio::test]
async fn a_snapshot_outlives_its_engine_and_is_gone_after_the_next_start() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("data");
    let open = async || (registry::backend("local").unwrap().open)(options(&dir)).await.unwrap();
    let (backend, data) = (open().await, Generator::new(71, Size::small()));
    fill(&backend, data.records(), data.embeddings()).await;
    let before = read_back(&backend).await.0;
    let snapshot = backend.storage.snapshot().await.unwrap().unwrap();
    for _ in 0..3 {
        let killed = engine_in(&dir).unwrap();
        signal(killed, Signal::KILL);
        eventually("the engine is replaced", async || {
            (engine_in(&dir) != Some(killed) && backend.storage.ping().await.is_ok()).then_some(())
        })
        .await;
    }
    let (mut read, mut page) = (Vec::new(), snapshot.records(None, 100).await.unwrap());
    while let Some(last) = page.last().map(|last| (last.kind(), last.id())) {
        read.append(&mut page);
        page = snapshot.records(Some(last), 100).await.unwrap();
    }
    assert_same_records(before, read);

    // A gateway that is killed removes nothing.
    std::mem::forget(snapshot);
    backend.storage.close().await.unwrap();
    open().await.storage.close().await.unwrap();
    let engine = Engine::open(&options(&dir)).await.unwrap();
    let mut lease = lease(&*engine.connections).await;
    let left: bool = sqlx::query_scalar("SELECT to_regnamespace('mosaic_backup') IS NOT NULL").fetch_one(lease.connection()).await.unwrap();
    assert!(!left, "the copy is still there");
    lease.settled();
    engine.connections.close().await.unwrap();
}

#[tokio::test]
async fn the_write_ahead_log_stays_bounded() {
    let place = Place::new().await;
    let mut lease = place.engine.connections.lease(Work::Bulk).await.unwrap();
    sqlx::raw_sql("CREATE TABLE bulk (text text)").execute(lease.connection()).await.unwrap();
    let mut largest = 0;
    for _ in 0..6 {
        sqlx::raw_sql("INSERT INTO bulk SELECT repeat('x', 1000) FROM generate_series(1, 50000)")
            .execute(lease.connection())
            .await
            .unwrap();
        largest = largest.max(size(&place.dir().join("engine/pgdata/pg_wal")));
    }
    lease.settled();
    println!("largest write-ahead log: {} MiB, for 300 MiB written", largest >> 20);
    assert!(largest <= 128 << 20);
    place.close().await;
}

#[tokio::test]
async fn tables_are_vacuumed_and_analysed_in_the_background() {
    let place = Place::new().await;
    // The second round is for what has become of a table that was looked at before.
    place.execute("INSERT INTO written SELECT generate_series(1, 5000)").await.unwrap();
    for (change, rows) in [("DELETE FROM written WHERE id > 4000", 4000.0), ("DELETE FROM written WHERE id > 1000", 1000.0)] {
        place.execute(change).await.unwrap();
        // It looks once a minute.
        eventually_within(PATIENCE * 3, "the statistics know the table", async || {
            let mut lease = lease(&*place.engine.connections).await;
            let known: f32 =
                sqlx::query_scalar("SELECT reltuples FROM pg_class WHERE relname = 'written'").fetch_one(lease.connection()).await.unwrap();
            lease.settled();
            (known == rows).then_some(())
        })
        .await;
    }
    place.close().await;
}

fn size(dir: &Path) -> u64 {
    std::fs::read_dir(dir).unwrap().flatten().filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

#[tokio::test]
async fn a_second_owner_is_refused_and_told_about_the_first() {
    let place = Place::new().await;
    let error = Engine::open(&options(&place.dir())).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InUse);
    assert_eq!(error.get("pid"), Some(std::process::id().to_string().as_str()));
    assert_eq!(error.get("url"), Some("http://127.0.0.1:7420"));
    assert_eq!(mosaic_pglite::owner(&place.dir()).unwrap().command, "serve");
    assert_eq!(place.count().await, 0, "the first is not disturbed");

    let dir = place.dir();
    let parent = place.parent.path().to_owned();
    let Place { parent: _kept, engine } = place;
    engine.connections.close().await.unwrap();
    assert_eq!(mosaic_pglite::owner(&dir), None);
    assert!(!dir.join("owner.json").exists());
    let error = engine.connections.lease(Work::Request).await.err().unwrap();
    assert_eq!((error.kind(), error.retry_class()), (ErrorKind::Unavailable, Retry::Safe));
    Engine::open(&options(&parent.join("data"))).await.unwrap().connections.close().await.unwrap();
}

#[tokio::test]
async fn an_engine_ends_with_whoever_drops_it() {
    let place = Place::new().await;
    let Place { parent, engine } = place;
    let dir = parent.path().join("data");
    assert!(engine_in(&dir).is_some());
    drop(engine);
    eventually("the engine is gone and the directory free", async || {
        (engine_in(&dir).is_none() && mosaic_pglite::owner(&dir).is_none()).then_some(())
    })
    .await;
    Engine::open(&options(&dir)).await.unwrap().connections.close().await.unwrap();
}

#[tokio::test]
async fn a_first_start_that_is_cut_off_repairs_itself() {
    let parent = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    Engine::open(&options(&parent.path().join("whole"))).await.unwrap().connections.close().await.unwrap();
    let whole = begun.elapsed();
    for tenths in [2, 5, 8] {
        let dir = parent.path().join(tenths.to_string());
        let cut = tokio::time::timeout(whole * tenths / 10, async { Engine::open(&options(&dir)).await.map(drop) }).await;
        let left = std::fs::read_dir(&dir).map(|entries| entries.count()).unwrap_or_default();
        println!("cut off after {:?}: {}, {left} entries left", whole * tenths / 10, if cut.is_err() { "yes" } else { "no" });
        eventually("the next start succeeds", async || match Engine::open(&options(&dir)).await {
            Ok(engine) => {
                engine.connections.close().await.unwrap();
                Some(())
            }
            Err(error) if error.kind() == ErrorKind::InUse => None,
            Err(error) => panic!("{error:?}"),
        })
        .await;
        assert!(!dir.join("engine.new").exists());
    }
}

#[tokio::test]
async fn a_damaged_database_is_refused_and_kept() {
    let place = Place::new().await;
    let dir = place.dir();
    let Place { parent: _kept, engine } = place;
    engine.connections.close().await.unwrap();
    let control = dir.join("engine/pgdata/global/pg_control");
    let damaged = vec![0x5a; usize::try_from(std::fs::metadata(&control).unwrap().len()).unwrap()];
    std::fs::write(&control, &damaged).unwrap();

    let error = Engine::open(&options(&dir)).await.err().unwrap();
    println!("{error}");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.hint_text().unwrap().contains("mosaic import"));
    assert!(!error.to_string().contains('\n'));
    assert_eq!(std::fs::read(&control).unwrap(), damaged);
    assert_eq!(engine_in(&dir), None);
    assert_eq!(mosaic_pglite::owner(&dir), None);
}

#[tokio::test]
async fn a_program_that_is_not_mosaic_is_named() {
    let parent = tempfile::tempdir().unwrap();
    for program in ["/bin/true", "/no/such/program"] {
        let mut options = options(&parent.path().join("data"));
        options.section["engine_executable"] = json!(program);
        let error = Engine::open(&options).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(error.get("program"), Some(program));
        assert!(error.hint_text().unwrap().contains("local.engine_executable"));
    }
}

/// Not a test: what [`an_engine_dies_with_its_parent`] starts and kills.
#[tokio::test]
#[ignore = "runs only when another test starts it"]
async fn hold_an_engine() {
    let Some(dir) = std::env::var_os("MOSAIC_TEST_HOLD") else { return };
    let _engine = Engine::open(&options(Path::new(&dir))).await.unwrap();
    tokio::time::sleep(PATIENCE).await;
}

#[tokio::test]
async fn an_engine_dies_with_its_parent() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("data");
    for state in ["idle", "stopped"] {
        let mut holder = tokio::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "hold_an_engine", "--ignored", "--nocapture"])
            .env("MOSAIC_TEST_HOLD", &dir)
            .stdout(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let engine = eventually("an engine is held", async || {
            mosaic_pglite::owner(&dir)?;
            engine_in(&dir)
        })
        .await;
        if state == "stopped" {
            stop(engine).await;
        }
        let begun = Instant::now();
        holder.kill().await.unwrap();
        eventually("the engine is gone", async || engine_in(&dir).is_none().then_some(())).await;
        println!("{state}: gone after {:?}", begun.elapsed());
        // What a killed owner leaves behind is in nobody's way.
        Engine::open(&options(&dir)).await.unwrap().connections.close().await.unwrap();
    }
}
