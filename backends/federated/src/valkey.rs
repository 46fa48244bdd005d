//! A Valkey server as it is to be reached, connecting to it, and what stands in the way: each failure by its name, with its cure.
//! What must not come in: what is kept there.

use std::path::Path;
use std::time::Duration;

use mosaic_core::{Error, ErrorKind, Finding, Result, Secret, refusal};
use percent_encoding::percent_decode_str;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo as _, RedisError, TlsCertificates};
use tokio::time::timeout;
use url::Url;

use crate::config::{START, ValkeyConfig};

const PORT: u16 = 6379;
/// How long a name may take to be looked up, when it is too late already.
const LOOKUP: Duration = Duration::from_secs(1);
/// The first version with all the commands that are used (PEXPIRE with NX).
const LEAST: u32 = 7;
const KEY: &str = "federated.valkey";
/// What the server is called in errors and checks.
pub(crate) const SERVICE: &str = "valkey";

/// A Valkey server as it is to be reached.
#[derive(Clone)]
pub(crate) struct Valkey {
    client: Client,
    network: (String, u16),
    target: String,
    has_password: bool,
    tls: bool,
}

impl Valkey {
    /// Reads the section. Relative paths begin at `base_dir`. This blocks for as long as reading small files takes.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the key that cannot be used. Nothing of the URL is repeated.
    pub(crate) fn read(config: &ValkeyConfig, base_dir: &Path) -> Result<Self> {
        let refused = |name: &str, reason: String| refusal::config_key(&format!("{KEY}.{name}"), reason);
        let in_url = |reason: String| refused("url", reason).hint(format!("give {KEY}.url as redis://HOST:PORT, or rediss:// for TLS"));
        let Place { tls, host, port, database, user, password } = Place::read(config.url.expose()).map_err(in_url)?;
        let given = Secret::of_config(&format!("{KEY}.password"), config.password.clone(), config.password_file.as_deref(), base_dir)?;
        if given.is_some() && password.is_some() {
            return Err(refused("password", format!("{KEY}.url holds one too")).hint(format!("leave it out of {KEY}.url")));
        }
        let password = given.or(password);
        let root = match &config.root_cert_file {
            Some(_) if !tls => return Err(refused("root_cert_file", format!("{KEY}.url is without TLS")).hint("begin it with rediss://")),
            Some(file) => Some(std::fs::read(base_dir.join(file)).map_err(|error| {
                refused("root_cert_file", format!("the file cannot be read: {}", error.kind())).with("path", file.display())
            })?),
            None => None,
        };
        let target = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        // Without the user and the password, so that they need no second escaping.
        let url = format!("{}://{target}/{database}", if tls { "rediss" } else { "redis" });
        let unusable = |error: RedisError| in_url(format!("{error}"));
        let mut info = url.into_connection_info().map_err(unusable)?;
        let mut settings = info.redis_settings().clone();
        if let Some(user) = &user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &password {
            settings = settings.set_password(password.expose());
        }
        info = info.set_redis_settings(settings);
        let client = match tls {
            true => Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: root })
                .map_err(|_| refused("root_cert_file", "it holds no certificates in PEM form".into()))?,
            false => Client::open(info).map_err(unusable)?,
        };
        Ok(Self { client, network: (host, port), target, has_password: password.is_some(), tls })
    }

    /// `host:port`.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    /// Connects within a deadline, which each answer has too.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] for what may pass by itself: nothing listens, nothing answers, the name is not known yet, the data is
    /// being loaded. [`ErrorKind::Config`] for what does not: the password, TLS, no Valkey. Each says the service, the target and what to do.
    pub(crate) async fn connect(&self, deadline: Duration, answer: Duration) -> Result<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(deadline)).set_response_timeout(Some(answer));
        let connect = async {
            let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
            // A wrong password shows at the first command.
            redis::cmd("PING").query_async::<()>(&mut connection).await.map(|()| connection)
        };
        match timeout(deadline, connect).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(self.about(self.refused(error, deadline).await)),
            Err(_) => Err(self.about(self.silent(deadline))),
        }
    }

    /// Looks whether it will do, within a deadline.
    ///
    /// # Errors
    /// As [`Self::connect`], and [`ErrorKind::Config`] for a version that is too old.
    pub(crate) async fn probe(&self, deadline: Duration) -> Result<Probe> {
        let look = async {
            let mut connection = self.connect(deadline, deadline).await?;
            match redis::cmd("INFO").query_async::<String>(&mut connection).await {
                Ok(info) => Ok(Probe::read(&info)),
                // A user may be kept from asking.
                Err(error) if error.code() == Some("NOPERM") => Ok(Probe::default()),
                Err(error) => Err(self.about(self.refused(error, deadline).await)),
            }
        };
        let probe = timeout(deadline, look).await.unwrap_or_else(|_| Err(self.about(self.silent(deadline))))?;
        match probe.version.as_deref().and_then(|version| version.split('.').next()?.parse::<u32>().ok()) {
            Some(major) if major < LEAST => {
                let error = Error::new(ErrorKind::Config, format!("{} is too old: it takes version {LEAST} or later", probe.name()));
                Err(self.about(error).hint("upgrade the server: valkey 8 is a good choice"))
            }
            _ => Ok(probe),
        }
    }

    fn about(&self, error: Error) -> Error {
        error.with("service", SERVICE).with("target", &self.target)
    }

    fn silent(&self, deadline: Duration) -> Error {
        Error::new(ErrorKind::Unavailable, format!("valkey does not answer within {} s", deadline.as_secs()))
            .hint(format!("look whether host and port in {KEY}.url are right, a firewall drops its packets, or the server hangs"))
    }

    async fn refused(&self, error: RedisError, deadline: Duration) -> Error {
        let config = |message: &'static str| Error::new(ErrorKind::Config, message);
        let unavailable = |message: &'static str| Error::new(ErrorKind::Unavailable, message);
        // The words of the network and of TLS; what a server says may repeat what it was sent, and is no message of ours.
        let words = if error.kind() == redis::ErrorKind::Io { error.to_string() } else { String::new() };
        let refused = match (error.kind(), error.code()) {
            (_, Some("NOAUTH")) => config("valkey wants a password, and none is configured")
                .hint(format!("set {KEY}.password_file, or MOSAIC_FEDERATED__VALKEY__PASSWORD")),
            (redis::ErrorKind::AuthenticationFailed, _) | (_, Some("WRONGPASS")) if !self.has_password => {
                config("valkey wants a password, and none is configured")
                    .hint(format!("set {KEY}.password_file, or MOSAIC_FEDERATED__VALKEY__PASSWORD"))
            }
            (redis::ErrorKind::AuthenticationFailed, _) | (_, Some("WRONGPASS")) => {
                config("valkey does not take the password").hint(format!("correct {KEY}.password or {KEY}.password_file"))
            }
            (_, Some("NOPERM")) => config("valkey does not let this user do what is needed")
                .hint("allow it: ACL SETUSER … ~mosaic:* +@read +@write +@transaction +ping +info +select"),
            (_, Some("LOADING" | "MASTERDOWN")) => {
                unavailable("valkey is starting up").hint("wait for it, and look at its log if it stays so")
            }
            (_, Some("READONLY")) => unavailable("valkey takes no writes").hint("connect to the primary, not to a replica"),
            (redis::ErrorKind::Parse | redis::ErrorKind::UnexpectedReturnType, _) => {
                config("what answers there is no valkey").hint(format!("correct host and port in {KEY}.url"))
            }
            _ if error.is_timeout() => self.silent(deadline),
            _ if error.is_connection_refusal() => {
                unavailable("nothing listens there for valkey").hint(format!("start the server ({START}), or correct {KEY}.url"))
            }
            _ if words.contains(UNTRUSTED) => untrusted(&words),
            _ if words.contains("received corrupt message") => config("valkey does not speak TLS there")
                .hint(format!("begin {KEY}.url with redis://, or name the port that it speaks TLS at")),
            _ if error.is_connection_dropped() => {
                let tls = if self.tls {
                    "speaks TLS, as rediss:// wants it"
                } else {
                    "speaks without TLS; with it, the url begins with rediss://"
                };
                unavailable("valkey ended the connection before it began").hint(format!("look whether the server at {KEY}.url {tls}"))
            }
            _ if !self.has_address().await => unavailable("the host name of valkey is not known")
                .hint(format!("correct the host in {KEY}.url, or the name service of this machine")),
            _ => unavailable("valkey cannot be reached").hint(format!("look at the network between here and the host in {KEY}.url")),
        };
        refused.source(error)
    }

    async fn has_address(&self) -> bool {
        let found = timeout(LOOKUP, tokio::net::lookup_host(self.network.clone())).await;
        found.is_ok_and(|found| found.is_ok_and(|mut found| found.next().is_some()))
    }
}

/// How rustls begins what it finds wrong with a certificate.
const UNTRUSTED: &str = "invalid peer certificate: ";

fn untrusted(words: &str) -> Error {
    let reason = words.split_once(UNTRUSTED).map_or(words, |(_, reason)| reason);
    Error::new(ErrorKind::Config, "the certificate of valkey is not trusted")
        .with("reason", reason)
        .hint(format!("give the root that signed it as {KEY}.root_cert_file, and the host by a name that the certificate has"))
}

/// What a server says of itself.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Probe {
    product: String,
    version: Option<String>,
    /// In bytes; 0 for no limit.
    memory_limit: Option<u64>,
    memory_policy: Option<String>,
}

impl Probe {
    /// Reads the answer to INFO.
    fn read(info: &str) -> Self {
        let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim).map(str::to_owned));
        // Valkey tells an old version of Redis as well, for those who know no other.
        let valkey = field("valkey_version");
        Self {
            product: if valkey.is_some() { "valkey" } else { "redis" }.to_owned(),
            version: valkey.or_else(|| field("redis_version")),
            memory_limit: field("maxmemory").and_then(|limit| limit.parse().ok()),
            memory_policy: field("maxmemory_policy"),
        }
    }

    fn name(&self) -> String {
        match &self.version {
            Some(version) => format!("{} {version}", self.product),
            None => "a server that does not tell its version".to_owned(),
        }
    }

    /// What it is.
    pub(crate) fn server(&self, valkey: &Valkey) -> Finding {
        let name = self.name();
        if valkey.tls {
            return Finding::well(format!("{name}, by TLS"));
        }
        let host = &valkey.network.0;
        if host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback()) {
            return Finding::well(format!("{name}, without TLS"));
        }
        Finding::but(
            format!("{name}, without TLS: whoever is on the way can read along"),
            format!("turn on its TLS, and begin {KEY}.url with rediss://"),
        )
    }

    /// What it does when its memory is full.
    pub(crate) fn memory(&self) -> Finding {
        let policy = self.memory_policy.as_deref().unwrap_or("unknown");
        match self.memory_limit {
            None => Finding::well("it does not tell its memory policy"),
            Some(0) => Finding::but("no limit to its memory", "set one: CONFIG SET maxmemory 256mb, and maxmemory-policy allkeys-lru"),
            Some(limit) if policy == "noeviction" => Finding::but(
                format!("{} MiB, and when they are full it takes no more", limit >> 20),
                "have it forget what was not used for long: CONFIG SET maxmemory-policy allkeys-lru",
            ),
            Some(limit) => Finding::well(format!("{} MiB, policy {policy}", limit >> 20)),
        }
    }
}

/// What a URL says.
struct Place {
    tls: bool,
    host: String,
    port: u16,
    database: u32,
    user: Option<String>,
    password: Option<Secret>,
}

impl Place {
    /// Reads a URL; the error says what is wrong with it, and repeats none of it.
    fn read(url: &str) -> Result<Self, String> {
        if url.is_empty() {
            return Err("it is not set".into());
        }
        let url = Url::parse(url).map_err(|error| format!("not a URL: {error}; escape what is special in a password, as %40 for @"))?;
        let tls = match url.scheme() {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            _ => return Err("it does not begin with redis:// or rediss://".into()),
        };
        if url.fragment().is_some() {
            return Err("it holds a #, which is written %23".into());
        }
        if url.query().is_some() {
            return Err("there are no parameters behind a ?".into());
        }
        let host = decoded(url.host_str().unwrap_or_default())?.trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err("it names no host".into());
        }
        let database = url.path().trim_start_matches('/');
        let database = if database.is_empty() { Ok(0) } else { database.parse() };
        Ok(Self {
            tls,
            host,
            port: url.port().unwrap_or(PORT),
            database: database.map_err(|_| "what is behind the slash is no number of a database")?,
            user: Some(decoded(url.username())?).filter(|user| !user.is_empty()),
            password: url.password().map(decoded).transpose()?.filter(|password| !password.is_empty()).map(Secret::from),
        })
    }
}

fn decoded(text: &str) -> Result<String, String> {
    percent_decode_str(text).decode_utf8().map(Into::into).map_err(|_| "it is not UTF-8 behind its percent signs".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(info: &str) -> Finding {
        Probe::read(info).memory()
    }

    #[test]
    fn a_server_tells_what_it_is() {
        let valkey = Probe::read(
            "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1\r\n# Memory\r\nmaxmemory:1048576\r\n",
        );
        assert_eq!((valkey.name().as_str(), valkey.memory_limit), ("valkey 8.0.1", Some(1 << 20)));
        assert_eq!(Probe::read("redis_version:7.4.0").name(), "redis 7.4.0");
    }

    #[test]
    fn a_memory_without_limit_or_mercy_is_told() {
        assert!(memory("maxmemory:0\nmaxmemory_policy:allkeys-lru").remediation.is_some());
        assert!(memory("maxmemory:5242880\nmaxmemory_policy:noeviction").remediation.is_some());
        assert_eq!(memory("maxmemory:5242880\nmaxmemory_policy:allkeys-lru"), Finding::well("5 MiB, policy allkeys-lru"));
    }
}
