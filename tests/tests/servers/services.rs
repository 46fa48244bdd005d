//! That tests get the servers they are promised, share them, and leave none behind.
//! What must not come in: what Mosaic does with them.

use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mosaic_tests::services::{OwnPostgres, OwnValkey, Postgres, Proxy, Services, Unanswered, Valkey, shared, supervisor};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{Connection as _, Executor as _};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::HELPER;

const PATIENCE: Duration = Duration::from_secs(60);

/// Opens a connection that is encrypted, to a server that `ca` vouches for.
async fn with_tls(url: &str, ca: &Path) -> sqlx::Result<PgConnection> {
    let options = PgConnectOptions::from_str(url)?.ssl_mode(PgSslMode::VerifyFull).ssl_root_cert(ca);
    PgConnection::connect_with(&options).await
}

/// Opens one that is not.
async fn without_tls(url: &str) -> sqlx::Result<PgConnection> {
    PgConnection::connect_with(&PgConnectOptions::from_str(url)?.ssl_mode(PgSslMode::Disable)).await
}

async fn number(connection: &mut PgConnection, sql: &'static str) -> sqlx::Result<i32> {
    sqlx::query_scalar(sql).fetch_one(connection).await
}

#[tokio::test]
async fn both_postgres_speak_tls_and_ask_for_the_password() {
    let services = shared(HELPER).await;
    for server in [&services.pgvector, &services.postgres] {
        let database = server.database().await;
        let mut connection = with_tls(&database.url(), &services.ca).await.unwrap();
        let encrypted = number(&mut connection, "SELECT count(*)::int FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl").await;
        assert_eq!(encrypted.unwrap(), 1);
        let version = number(&mut connection, "SELECT current_setting('server_version_num')::int / 10000").await;
        assert_eq!(version.unwrap(), 16);
        let powers = "SELECT count(*)::int FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolcreatedb OR rolcreaterole)";
        assert_eq!(number(&mut connection, powers).await.unwrap(), 0);
        connection.execute("CREATE TABLE own (id int)").await.unwrap();

        assert!(with_tls(&database.url(), &services.wrong_ca).await.is_err(), "nobody else vouches for it");
        let wrong = server.url(&database.user, "wrong", &database.name);
        assert!(with_tls(&wrong, &services.ca).await.unwrap_err().to_string().contains("password authentication failed"));
        without_tls(&database.url()).await.unwrap();
        database.require_tls().await;
        assert!(without_tls(&database.url()).await.unwrap_err().to_string().contains("pg_hba.conf"), "it is refused");
        with_tls(&database.url(), &services.ca).await.unwrap();
    }
}

#[tokio::test]
async fn one_postgres_has_pgvector_and_the_other_has_not() {
    let services = shared(HELPER).await;
    let database = services.pgvector.database().await;
    database.execute("CREATE EXTENSION vector").await;
    let mut connection = without_tls(&database.url()).await.unwrap();
    assert_eq!(number(&mut connection, "SELECT ('[3,4]'::vector <-> '[0,0]'::vector)::int").await.unwrap(), 5);

    let database = services.postgres.database().await;
    let mut connection = without_tls(&database.admin_url()).await.unwrap();
    let offered = number(&mut connection, "SELECT count(*)::int FROM pg_available_extensions WHERE name = 'vector'").await;
    assert_eq!(offered.unwrap(), 0);
    assert!(connection.execute("CREATE EXTENSION vector").await.is_err());
}

#[tokio::test]
async fn valkey_speaks_tls_and_asks_for_the_password() {
    let services = shared(HELPER).await;
    let valkey = &services.valkey;
    let trusting = async |ca: &Path| {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca).unwrap() {
            roots.add(certificate.unwrap()).unwrap();
        }
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let stream = tokio::net::TcpStream::connect((valkey.host.as_str(), valkey.tls_port)).await.unwrap();
        TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(valkey.host.clone()).unwrap(), stream).await
    };
    assert!(trusting(&services.wrong_ca).await.is_err(), "nobody else vouches for it");
    let mut stream = BufReader::new(trusting(&services.ca).await.unwrap());
    let mut say = async |command: &str| {
        stream.write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        line.trim_end().to_owned()
    };
    assert!(say("PING").await.starts_with("-NOAUTH"));
    assert_eq!(say(&format!("AUTH {}", valkey.password)).await, "+OK");
    assert_eq!(say("PING").await, "+PONG");
    assert_ne!(valkey.database(), valkey.database(), "each test has its own");
}

/// Runs the helper as another process of this run would use the services.
fn services_of_another_process() -> Services {
    let output = Command::new(HELPER).args([supervisor::HELPER, "show"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn processes_of_a_run_share_its_servers() {
    let services = shared(HELPER).await;
    let others = services_of_another_process();
    let all = |services: &Services| [services.pgvector.url("", "", ""), services.postgres.url("", "", ""), services.valkey.tls_url()];
    assert_eq!(all(services), all(&others));
}

/// A supervisor of its own beside that of the run, whose run is a process that a test ends.
struct OtherRun {
    run: std::process::Child,
    supervisor: std::process::Child,
    dir: PathBuf,
}

impl OtherRun {
    fn start(name: &str) -> Self {
        // Beside this run's: its programs are there.
        let place = shared_place();
        let dir = place.join(format!("run-{name}-{}", std::process::id()));
        let run = Command::new("sleep").arg("600").spawn().unwrap();
        let mut supervisor = Command::new(HELPER);
        supervisor.arg(supervisor::HELPER).arg(&dir).arg(run.id().to_string()).stdin(Stdio::null());
        // Servers that are given do not end.
        for variable in ["PGVECTOR_URL", "POSTGRES_URL", "VALKEY_URL"] {
            supervisor.env_remove(format!("MOSAIC_TEST_{variable}"));
        }
        Self { run, supervisor: supervisor.spawn().unwrap(), dir }
    }

    fn services(&self) -> Services {
        let told = || serde_json::from_slice::<Result<Services, String>>(&std::fs::read(self.dir.join("services.json")).ok()?).ok();
        eventually("the servers run", told).unwrap()
    }
}

impl Drop for OtherRun {
    fn drop(&mut self) {
        let _ = self.run.kill();
        let _ = self.run.wait();
        let _ = self.supervisor.wait();
    }
}

/// The directory of the services: the one that the run's own are in.
fn shared_place() -> PathBuf {
    let services = services_of_another_process();
    services.wrong_ca.parent().unwrap().parent().unwrap().to_owned()
}

fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "gave up: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The processes that work in a directory.
fn working_in(dir: &Path) -> Vec<u32> {
    let pids = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(dir))).collect()
}

fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn kill(pid: u32) {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), Signal::KILL).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_end_with_their_run_however_it_ends() {
    shared(HELPER).await;
    let mut other = OtherRun::start("killed");
    let services = other.services();
    let ports = [services.pgvector.port, services.postgres.port, services.valkey.port, services.valkey.tls_port];
    assert!(ports.into_iter().all(listens));

    kill(other.run.id());
    eventually("the supervisor ends", || other.supervisor.try_wait().unwrap());
    assert!(!ports.into_iter().any(listens));
    assert!(working_in(&other.dir).is_empty());
    assert!(!other.dir.exists() && !other.dir.with_extension("alive").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_end_with_their_supervisor_and_the_next_one_cleans_up() {
    shared(HELPER).await;
    let mut other = OtherRun::start("orphaned");
    other.services();
    kill(other.supervisor.id());
    other.supervisor.wait().unwrap();
    eventually("the servers end by themselves", || working_in(&other.dir).is_empty().then_some(()));
    assert!(other.dir.exists());
    OtherRun::start("next").services();
    assert!(!other.dir.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_of_ones_own_keeps_what_it_acknowledged() {
    let server = OwnPostgres::start().await;
    let database = server.database().await;
    let mut connection = without_tls(&database.url()).await.unwrap();
    connection.execute("CREATE TABLE kept AS SELECT 7 AS number").await.unwrap();

    server.kill().await;
    assert!(!listens(server.port));
    assert!(connection.execute("SELECT 1").await.is_err());
    server.restart().await;
    let mut connection = without_tls(&database.url()).await.unwrap();
    assert_eq!(number(&mut connection, "SELECT number FROM kept").await.unwrap(), 7);

    server.freeze().await;
    let silent = tokio::time::timeout(Duration::from_millis(300), number(&mut connection, "SELECT 1")).await;
    assert!(silent.is_err(), "it does not answer");
    server.thaw().await;
    let mut connection = with_tls(&database.url(), &server.ca).await.unwrap();
    assert_eq!(number(&mut connection, "SELECT 1").await.unwrap(), 1);

    server.stop().await;
    assert!(!listens(server.port));
    server.restart().await;
    without_tls(&database.url()).await.unwrap();

    // Dropped while nothing in it moves.
    server.freeze().await;
    let dir = server.ca.parent().unwrap().parent().unwrap().to_owned();
    drop(server);
    assert!(working_in(&dir).is_empty() && !dir.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_valkey_of_ones_own_comes_back() {
    let server = OwnValkey::start().await;
    assert_eq!(server.execute(&["SET", "kept", "7"]), ["OK"]);
    server.kill().await;
    assert!(!listens(server.port) && !listens(server.tls_port));
    server.restart().await;
    assert_eq!(server.execute(&["GET", "kept"]), ["7"]);
    server.stop().await;
    assert!(!listens(server.port));
    let port = server.port;
    drop(server);
    assert_eq!(OwnValkey::start_on(port).await.execute(&["DBSIZE"]), ["0"]);
}

#[tokio::test]
async fn a_proxy_breaks_silences_and_passes_on() {
    let valkey = &shared(HELPER).await.valkey;
    let proxy = Proxy::start(&valkey.host, valkey.port).await;
    let connect = async || tokio::net::TcpStream::connect(proxy.address()).await.unwrap();
    let mut buffer = [0; 64];
    let mut connection = connect().await;
    let refused = b"-NOAUTH";
    connection.write_all(b"PING\r\n").await.unwrap();
    let length = connection.read(&mut buffer).await.unwrap();
    assert!(buffer[..length].starts_with(refused));

    proxy.black_hole();
    let mut late = connect().await;
    for stream in [&mut connection, &mut late] {
        stream.write_all(b"PING\r\n").await.unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(200), stream.read(&mut buffer)).await.is_err());
    }
    proxy.resume();
    for stream in [&mut connection, &mut late] {
        let length = stream.read(&mut buffer).await.unwrap();
        assert!(buffer[..length].starts_with(refused));
    }
    proxy.cut();
    for stream in [&mut connection, &mut late] {
        assert!(matches!(stream.read(&mut buffer).await, Ok(0) | Err(_)), "it is broken");
    }
    connect().await.write_all(b"PING\r\n").await.unwrap();
}

#[tokio::test]
async fn an_address_can_leave_a_connect_unanswered() {
    let unanswered = Unanswered::start().await;
    let connect = tokio::net::TcpStream::connect(unanswered.address());
    assert!(tokio::time::timeout(Duration::from_secs(2), connect).await.is_err());
}

#[test]
fn servers_are_what_others_hold_them_for() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<Services>();
    is_shared::<Postgres>();
    is_shared::<Valkey>();
    is_shared::<OwnPostgres>();
    is_shared::<OwnValkey>();
}
