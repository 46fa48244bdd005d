//! One server: its files, its start and its end, by programs of this machine or in a container. What must not come in:
//! whose it is, and when it ends.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::docker::Container;
use super::install::Installation;
use super::postgres::{Postgres, TLS_ONLY};
use super::tls::Authority;
use super::valkey::Valkey;
use super::{commands, place, processes};

/// How long a server may take to answer: generous, since machines that run tests are busy.
const STARTING: Duration = Duration::from_secs(60);

/// What servers run by.
#[derive(Debug, Clone)]
pub(super) enum Runner {
    Native(Installation),
    Docker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Pgvector,
    Postgres,
    Valkey,
}

/// Whether what was acknowledged survives the end of its machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    Durable,
    Fast,
}

/// Whether a server ends with the thread that started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bond {
    Thread,
    None,
}

/// A server that is prepared, and perhaps runs.
pub(super) struct Server {
    kind: Kind,
    runner: Runner,
    durability: Durability,
    bond: Bond,
    dir: PathBuf,
    prefix: String,
    password: String,
    port: u16,
    tls_port: u16,
    child: Option<Child>,
}

impl Server {
    /// Makes what it needs in `dir`, which must not exist, and starts it; on a free port if none is given.
    pub(super) async fn start(
        runner: Runner,
        kind: Kind,
        (durability, bond): (Durability, Bond),
        dir: PathBuf,
        port: Option<u16>,
        authority: &Authority,
    ) -> Result<Self, String> {
        place::directory(&dir, 0o700)?;
        authority.sign_into(&dir)?;
        let prefix = format!("mosaic_test_{}", place::password()?.get(..6).unwrap_or_default());
        let password = place::password()?;
        let mut server =
            Self { kind, runner, durability, bond, dir, prefix, password, port: port.unwrap_or_default(), tls_port: 0, child: None };
        server.prepare().await?;
        // A port that was free may be another's by the time the server takes it.
        let mut attempts = if port.is_some() { 1 } else { 5 };
        let begun = Instant::now();
        loop {
            server.port = port.unwrap_or_else(place::free_port);
            server.tls_port = place::free_port();
            match server.run().await {
                Ok(()) => break,
                Err(error) if attempts == 1 || begun.elapsed() > STARTING => return Err(error),
                Err(_) => attempts -= 1,
            }
        }
        if server.kind != Kind::Valkey {
            server.postgres().try_execute("postgres", &format!("CREATE ROLE {TLS_ONLY} NOLOGIN")).await?;
        }
        Ok(server)
    }

    async fn prepare(&self) -> Result<(), String> {
        place::directory(&self.data(), 0o700)?;
        place::secret_file(&self.dir.join("password"), &self.password)?;
        if self.kind != Kind::Valkey {
            // Members of the role are let in by TLS alone. A superuser counts as no member.
            let rules = format!("hostnossl all +{TLS_ONLY} all reject\nhost all all all scram-sha-256\nlocal all all scram-sha-256\n");
            place::secret_file(&self.dir.join("pg_hba.conf"), &rules)?;
        }
        let Runner::Native(installation) = &self.runner else { return Ok(()) };
        place::give_to_servers(&self.dir)?;
        if self.kind == Kind::Valkey {
            return Ok(());
        }
        let mut initdb = place::server_command(&installation.postgres(self.kind == Kind::Pgvector).join("initdb"), None);
        initdb.args(["-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--no-sync", "--no-instructions", "--locale=C.UTF-8"]);
        // A collation that differs from code points, as servers have it.
        initdb.args(["--locale-provider=icu", "--icu-locale=en-US"]);
        initdb.arg("--pwfile").arg(self.dir.join("password")).arg("-D").arg(self.data());
        commands::finish(initdb, "initdb", commands::SHORT).await.map(drop)
    }

    /// Starts it and waits until it answers.
    pub(super) async fn run(&mut self) -> Result<(), String> {
        match self.runner.clone() {
            Runner::Native(installation) => {
                let mut command = self.native_command(&installation)?;
                let log = File::options().create(true).append(true).open(self.log());
                let log = log.map_err(|error| format!("{}: {error}", self.log().display()))?;
                command.stdout(log.try_clone().map_err(|error| error.to_string())?).stderr(log);
                self.child = Some(command.spawn().map_err(|error| format!("{:?}: {error}", command.get_program()))?);
            }
            Runner::Docker => {
                if self.kind == Kind::Valkey {
                    place::secret_file(&self.dir.join("valkey.conf"), &self.valkey_config("/data", 6379, 6380))?;
                }
                self.container().run(self.image(), &self.ports(), &self.container_script()).await?;
            }
        }
        self.answers().await
    }

    async fn answers(&mut self) -> Result<(), String> {
        let begun = Instant::now();
        loop {
            let answer = match self.kind {
                Kind::Valkey => self.valkey().try_execute(&["PING"]).map(drop).map_err(|error| error.to_string()),
                _ => self.postgres().try_execute("postgres", "SELECT 1").await,
            };
            let Err(error) = answer else { return Ok(()) };
            let ended = self.child.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None)));
            if ended || begun.elapsed() > STARTING {
                let log = match self.runner {
                    Runner::Native(_) => fs::read_to_string(self.log()).unwrap_or_default(),
                    Runner::Docker => self.container().log().await,
                };
                let lines: Vec<_> = log.lines().collect();
                let said = lines.get(lines.len().saturating_sub(5)..).unwrap_or_default().join(" / ");
                return Err(format!(
                    "{:?} on port {} {}: {error}: {said}",
                    self.kind,
                    self.port,
                    if ended { "ended" } else { "is silent" }
                ));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn native_command(&self, installation: &Installation) -> Result<Command, String> {
        let dir = self.dir.to_str().ok_or("a path that is not UTF-8")?;
        if self.kind == Kind::Valkey {
            let config = self.dir.join("valkey.conf");
            place::secret_file(&config, &self.valkey_config(dir, self.port, self.tls_port))?;
            place::give_to_servers(&config)?;
            let mut command = place::server_command(&installation.valkey(), self.pdeathsig());
            command.env("LD_LIBRARY_PATH", installation.valkey_libraries()).arg(config);
            return Ok(command);
        }
        let mut command = place::server_command(&installation.postgres(self.kind == Kind::Pgvector).join("postgres"), self.pdeathsig());
        command.arg("-D").arg(self.data()).args(self.postgres_settings(dir));
        // Over TCP alone: a socket's path is short, and a target directory's may be long. What is shared in memory is in the data
        // directory, and goes with it.
        for setting in ["unix_socket_directories=", "listen_addresses=127.0.0.1", "dynamic_shared_memory_type=mmap"] {
            command.args(["-c", setting]);
        }
        command.args(["-c", &format!("port={}", self.port)]);
        Ok(command)
    }

    /// Postgres takes leave by this one of its children too; Valkey has none.
    fn pdeathsig(&self) -> Option<&'static str> {
        match (self.bond, self.kind) {
            (Bond::None, _) => None,
            (Bond::Thread, Kind::Valkey) => Some("KILL"),
            (Bond::Thread, _) => Some("QUIT"),
        }
    }

    /// As arguments, with files in `dir`.
    fn postgres_settings(&self, dir: &str) -> Vec<String> {
        let on = if self.durability == Durability::Durable { "on" } else { "off" };
        let settings = [
            "max_connections=300".to_owned(),
            "ssl=on".to_owned(),
            format!("ssl_cert_file={dir}/server.crt"),
            format!("ssl_key_file={dir}/server.key"),
            format!("hba_file={dir}/pg_hba.conf"),
            format!("fsync={on}"),
            format!("full_page_writes={on}"),
        ];
        settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]).collect()
    }

    fn valkey_config(&self, dir: &str, port: u16, tls_port: u16) -> String {
        let log = if self.durability == Durability::Durable { "appendonly yes\nappendfsync always" } else { "appendonly no" };
        let password = &self.password;
        let data = if matches!(self.runner, Runner::Docker) { dir.to_owned() } else { format!("{dir}/data") };
        format!(
            "port {port}\ntls-port {tls_port}\nrequirepass {password}\ndatabases 4096\nsave \"\"\n{log}\ndir {data}\n\
             maxmemory 256mb\nmaxmemory-policy allkeys-lru\n\
             tls-cert-file {dir}/server.crt\ntls-key-file {dir}/server.key\ntls-ca-cert-file {dir}/ca.pem\ntls-auth-clients no\n"
        ) + if matches!(self.runner, Runner::Docker) { "" } else { "bind 127.0.0.1\n" }
    }

    fn image(&self) -> &'static str {
        match self.kind {
            Kind::Pgvector => super::docker::PGVECTOR,
            Kind::Postgres => super::docker::POSTGRES,
            Kind::Valkey => super::docker::VALKEY,
        }
    }

    /// The ports of this machine, and those of the container that they lead to.
    fn ports(&self) -> Vec<(u16, u16)> {
        match self.kind {
            Kind::Valkey => vec![(self.port, 6379), (self.tls_port, 6380)],
            _ => vec![(self.port, 5432)],
        }
    }

    /// What the container does before it goes on as its image would. It begins as root, and `/mosaic` holds the files of this
    /// machine's user: the server gets copies that are its own, since it takes a key only if nobody else may read it.
    fn container_script(&self) -> String {
        match self.kind {
            Kind::Valkey => {
                let files = ["server.crt", "server.key", "ca.pem", "valkey.conf"].map(|file| format!("/mosaic/{file}")).join(" ");
                format!("cp {files} /data/ && exec docker-entrypoint.sh valkey-server /data/valkey.conf")
            }
            _ => format!(
                "mkdir -p /own && cp /mosaic/* /own/ 2>/dev/null; chown -R postgres /own && chmod 600 /own/*; export POSTGRES_PASSWORD_FILE=/own/password; \
                 exec docker-entrypoint.sh postgres {}",
                self.postgres_settings("/own").join(" ")
            ),
        }
    }

    fn container(&self) -> Container {
        Container { name: self.prefix.replace('_', "-") + &format!("-{:?}", self.kind).to_lowercase(), dir: self.dir.clone() }
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// How it is reached, if it is a Postgres.
    pub(super) fn postgres(&self) -> Postgres {
        Postgres {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            user: "postgres".to_owned(),
            password: self.password.clone(),
            ca: self.dir.join("ca.pem"),
            prefix: self.prefix.clone(),
        }
    }

    /// How it is reached, if it is a Valkey.
    pub(super) fn valkey(&self) -> Valkey {
        let (host, password, ca) = ("127.0.0.1".to_owned(), self.password.clone(), self.dir.join("ca.pem"));
        Valkey { host, port: self.port, tls_port: self.tls_port, password, ca }
    }

    /// Sends a signal to the server and all its children, itself first: then it has no more of them.
    fn signal(&self, signal: Signal) {
        let first = self.child.as_ref().and_then(|child| Pid::from_raw(child.id().try_into().ok()?));
        let others = processes::working_in(&self.dir).into_iter().filter(|pid| Some(*pid) != first);
        first.into_iter().chain(others).for_each(|pid| processes::signal(pid, signal));
    }

    /// As the end of its machine would end it.
    pub(super) async fn kill(&mut self) -> Result<(), String> {
        if matches!(self.runner, Runner::Docker) {
            return self.container().docker(&["kill"]).await;
        }
        self.signal(Signal::KILL);
        processes::kill_all(&self.dir);
        self.reap();
        Ok(())
    }

    /// It keeps all it has, and does nothing.
    pub(super) async fn freeze(&self) -> Result<(), String> {
        if matches!(self.runner, Runner::Docker) {
            return self.container().docker(&["pause"]).await;
        }
        self.signal(Signal::STOP);
        Ok(())
    }

    /// It goes on.
    pub(super) async fn thaw(&self) -> Result<(), String> {
        if matches!(self.runner, Runner::Docker) {
            return self.container().docker(&["unpause"]).await;
        }
        self.signal(Signal::CONT);
        Ok(())
    }

    /// As its operator would end it, breaking connections.
    pub(super) async fn stop(&mut self) -> Result<(), String> {
        if matches!(self.runner, Runner::Docker) {
            return self.container().docker(&["stop", "--time", "20"]).await;
        }
        let Some(child) = &mut self.child else { return Ok(()) };
        let pid = child.id().try_into().ok().and_then(Pid::from_raw);
        // Postgres's fast shutdown; Valkey takes either for an orderly one.
        pid.into_iter().for_each(|pid| processes::signal(pid, Signal::INT));
        let begun = Instant::now();
        while matches!(child.try_wait(), Ok(None)) {
            if begun.elapsed() > Duration::from_secs(20) {
                return Err(format!("{:?} does not stop", self.kind));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.reap();
        Ok(())
    }

    /// Reaps the server's process once it has been ended, by whomever.
    pub(super) fn reap(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
    }
}

/// Ends all servers that have their files in `dir`, whoever started them, and removes it.
pub(super) async fn end_all(dir: &Path) {
    let servers: Vec<_> = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    for server in &servers {
        // Told to end, Postgres gives back a piece of memory that the system would keep.
        let pid = fs::read_to_string(server.join("data/postmaster.pid")).ok();
        let pid = pid.and_then(|text| Pid::from_raw(text.lines().next()?.parse().ok()?));
        pid.filter(|pid| processes::working_in(server).contains(pid)).into_iter().for_each(|pid| processes::signal(pid, Signal::QUIT));
        Container::remove_from(server).await;
    }
    let begun = Instant::now();
    while !processes::working_in(dir).is_empty() && begun.elapsed() < Duration::from_secs(2) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    processes::kill_all(dir);
    let _ = fs::remove_dir_all(dir);
}
