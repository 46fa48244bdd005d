//! The section `postgres` of a tier's config: where the server is, and how to sign in. What must not come in: connecting.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mosaic_core::{Error, Result, Secret, refusal};
use percent_encoding::percent_decode_str;
use schemars::JsonSchema;
use serde::Deserialize;
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

const PORT: u16 = 5432;
/// Variables that sqlx takes for a connection, and that cannot be overridden.
const MEDDLING: [&str; 4] = ["PGOPTIONS", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY"];
const CONNECTIONS: std::ops::RangeInclusive<u32> = 1..=1_000;
const STATEMENT_TIMEOUT: std::ops::RangeInclusive<u64> = 1..=120;

/// A Postgres server.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PostgresConfig {
    /// Where it is: `postgres://USER@HOST:PORT/DATABASE`. A password may stand behind the user's name, or in `password`. Behind a `?` may stand
    /// `sslmode` (disable, prefer, require, verify-ca, verify-full), `sslrootcert` (a file with the roots to trust beside the system's),
    /// `sslcert` and `sslkey` (files to show to the server), and `host` (the directory of a Unix socket, in place of the host).
    pub url: Secret,
    /// The password.
    pub password: Option<Secret>,
    /// The file whose first line is the password.
    pub password_file: Option<PathBuf>,
    /// How many connections this gateway opens at most. Unless it is set: three for each processor, from 4 to 16, where the server is on
    /// this machine, and 16 where it is elsewhere.
    #[schemars(range(min = 1, max = 1_000))]
    pub max_connections: Option<u32>,
    /// How long a request's statement may take, in seconds. Past it, it is ended and the request fails.
    #[schemars(range(min = 1, max = 120))]
    pub statement_timeout_seconds: u64,
}

impl Default for PostgresConfig {
    fn default() -> Self {
        Self {
            url: String::new().into(),
            password: None,
            password_file: None,
            max_connections: None,
            statement_timeout_seconds: default_statement_timeout_seconds(),
        }
    }
}

/// A sixth of what a Postgres offers as it comes: the answers of one elsewhere take their time on the way.
const MAX_CONNECTIONS: u32 = 16;

/// On processors that it shares with the gateway, more than three statements for each take the time from each other: see `--bench targets`.
fn default_max_connections(is_near: bool) -> u32 {
    let processors = std::thread::available_parallelism().ok().and_then(|count| u32::try_from(count.get()).ok());
    match processors {
        Some(processors) if is_near => processors.saturating_mul(3).clamp(4, MAX_CONNECTIONS),
        _ => MAX_CONNECTIONS,
    }
}

fn default_statement_timeout_seconds() -> u64 {
    10
}

/// A Postgres server as it is to be reached.
#[derive(Clone)]
pub struct Server {
    pub(super) options: PgConnectOptions,
    pub(super) ssl_mode: PgSslMode,
    /// The host and port, unless it is a Unix socket.
    pub(super) network: Option<(String, u16)>,
    /// Whether it is on this machine, by what its place is called.
    pub(super) is_near: bool,
    /// `host:port`, or the path of the socket.
    pub(super) target: String,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) has_password: bool,
    /// The config's key of all this, as `standalone.postgres`.
    pub(super) key: String,
    /// How to start one, as a command.
    pub(super) start: &'static str,
    pub(super) max_connections: u32,
    pub(super) statement_timeout: Duration,
}

impl Server {
    /// Reads the section that is at `key`. Relative paths begin at `base_dir`; `start` is the command that starts such a server, for those
    /// who find none. This blocks for as long as reading small files takes.
    ///
    /// # Errors
    /// [`mosaic_core::ErrorKind::Config`], naming the key that cannot be used. Nothing of the URL is repeated.
    pub fn read(config: &PostgresConfig, key: &str, start: &'static str, base_dir: &Path) -> Result<Self> {
        let refused = |name: &str, reason: String| refusal::config_key(&format!("{key}.{name}"), reason);
        if config.max_connections.is_some_and(|count| !CONNECTIONS.contains(&count)) {
            return Err(refused("max_connections", format!("not between {} and {}", CONNECTIONS.start(), CONNECTIONS.end())));
        }
        if !STATEMENT_TIMEOUT.contains(&config.statement_timeout_seconds) {
            let reason = format!("not between {} and {}", STATEMENT_TIMEOUT.start(), STATEMENT_TIMEOUT.end());
            return Err(refused("statement_timeout_seconds", reason));
        }
        let place = Place::read(config.url.expose(), base_dir)
            .map_err(|reason| refused("url", reason).hint(format!("give {key}.url as postgres://USER@HOST:PORT/DATABASE")))?;
        let password_key = format!("{key}.password");
        let mut password = Secret::of_config(&password_key, config.password.clone(), config.password_file.as_deref(), base_dir)?;
        match (&password, place.password) {
            (Some(_), Some(_)) => {
                return Err(refused("password", format!("{key}.url holds one too")).hint(format!("leave it out of {key}.url")));
            }
            (None, in_url) => password = in_url,
            _ => {}
        }
        if let Some(variable) = MEDDLING.iter().find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())) {
            return Err(refused("url", format!("the variable {variable} would change what it says")).hint(format!("unset {variable}")));
        }
        // An empty one keeps PGPASSWORD out, and fails as none does.
        let password_text = password.as_ref().map_or("", Secret::expose);
        let is_near = place.network.as_ref().is_none_or(|(host, _)| is_this_machine(host));
        let options = place.options.username(&place.user).database(&place.database).password(password_text).application_name("mosaic");
        Ok(Self {
            // A pooler refuses parameters that it does not know; numbers come in binary, without digits.
            options: options.extra_float_digits(None).disable_statement_logging(),
            ssl_mode: place.ssl_mode,
            is_near,
            network: place.network,
            target: place.target,
            user: place.user,
            database: place.database,
            has_password: password.is_some(),
            key: key.to_owned(),
            start,
            max_connections: config.max_connections.unwrap_or_else(|| default_max_connections(is_near)),
            statement_timeout: Duration::from_secs(config.statement_timeout_seconds),
        })
    }

    /// `host:port`, or the path of its socket.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Says of an error which service it is about, and where that was looked for.
    pub(super) fn about(&self, error: Error) -> Error {
        error.with("service", SERVICE).with("target", &self.target)
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What the server is called in errors and checks.
pub(super) const SERVICE: &str = "postgres";

/// What a URL says.
struct Place {
    options: PgConnectOptions,
    ssl_mode: PgSslMode,
    network: Option<(String, u16)>,
    target: String,
    user: String,
    database: String,
    password: Option<Secret>,
}

impl Place {
    /// Reads a URL; the error says what is wrong with it, and repeats none of it but the names of parameters.
    fn read(url: &str, base_dir: &Path) -> Result<Self, String> {
        if url.is_empty() {
            return Err("it is not set".into());
        }
        let url = Url::parse(url).map_err(|error| format!("not a URL: {error}; escape what is special in a password, as %40 for @"))?;
        if !["postgres", "postgresql"].contains(&url.scheme()) {
            return Err("it does not begin with postgres://".into());
        }
        let user = decoded(url.username())?;
        let path = url.path().strip_prefix('/').unwrap_or_default();
        // As a rule, the rest of a password that was not escaped: then the host is a piece of it too, and not to be shown.
        if path.contains(['/', '@']) {
            return Err("it holds a / or an @ behind the host; in a name or a password they are written %2F and %40".into());
        }
        let database = decoded(path)?;
        if user.is_empty() {
            return Err("it names no user".into());
        }
        if database.is_empty() {
            return Err("it names no database".into());
        }
        if url.fragment().is_some() {
            return Err("it holds a #, which is written %23".into());
        }
        let password = url.password().map(decoded).transpose()?.filter(|password| !password.is_empty()).map(Secret::from);
        let mut socket = None;
        let (mut mode, mut has_root) = (PgSslMode::Prefer, false);
        let mut options = PgConnectOptions::new_without_pgpass();
        for (name, value) in url.query_pairs() {
            let file = || base_dir.join(&*value);
            options = match &*name {
                "host" if value.starts_with('/') => {
                    socket = Some(value.into_owned());
                    options
                }
                "sslmode" => {
                    mode = ssl_mode(&value)?;
                    options
                }
                "sslrootcert" => {
                    has_root = true;
                    options.ssl_root_cert(readable("sslrootcert", file())?)
                }
                "sslcert" => options.ssl_client_cert(readable("sslcert", file())?),
                "sslkey" => options.ssl_client_key(readable("sslkey", file())?),
                _ => return Err(unknown_parameter(&name)),
            };
        }
        if has_root && !matches!(mode, PgSslMode::VerifyCa | PgSslMode::VerifyFull) {
            return Err("sslrootcert counts only with sslmode=verify-ca or verify-full".into());
        }
        let port = url.port().unwrap_or(PORT);
        let host = decoded(url.host_str().unwrap_or_default())?.trim_matches(['[', ']']).to_owned();
        if socket.is_none() && host.starts_with('/') {
            socket = Some(host.clone());
        }
        let (options, network, target) = match socket {
            Some(directory) => (options.socket(&directory), None, format!("{}/.s.PGSQL.{port}", directory.trim_end_matches('/'))),
            None if host.is_empty() => return Err("it names no host".into()),
            None => {
                let target = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
                (options.host(&host), Some((host, port)), target)
            }
        };
        Ok(Self { options: options.port(port).ssl_mode(mode), ssl_mode: mode, network, target, user, database, password })
    }
}

fn unknown_parameter(name: &str) -> String {
    const KNOWN: &str = "sslmode, sslrootcert, sslcert, sslkey, host are there";
    // What no parameter could be called is something else, such as a piece of a password.
    let is_name = name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_name { format!("there is no parameter {name:?}: {KNOWN}") } else { format!("it has a parameter that does not exist: {KNOWN}") }
}

fn decoded(text: &str) -> Result<String, String> {
    percent_decode_str(text).decode_utf8().map(Into::into).map_err(|_| "it is not UTF-8 behind its percent signs".into())
}

fn ssl_mode(name: &str) -> Result<PgSslMode, String> {
    match name {
        "disable" => Ok(PgSslMode::Disable),
        "prefer" => Ok(PgSslMode::Prefer),
        "require" => Ok(PgSslMode::Require),
        "verify-ca" => Ok(PgSslMode::VerifyCa),
        "verify-full" => Ok(PgSslMode::VerifyFull),
        _ => Err("sslmode is none of disable, prefer, require, verify-ca, verify-full".into()),
    }
}

/// A file that is read at each connect: looked at here, where it can be said which one it is.
fn readable(name: &str, file: PathBuf) -> Result<PathBuf, String> {
    match std::fs::File::open(&file) {
        Ok(_) => Ok(file),
        Err(error) => Err(format!("the file of {name} cannot be read: {}: {}", file.display(), error.kind())),
    }
}

#[cfg(test)]
mod tests {
    use mosaic_core::ErrorKind;
    use serde_json::{Value, json};

    use super::*;

    fn read(section: Value) -> Result<Server> {
        Server::read(&serde_json::from_value(section).unwrap(), "acme.postgres", "start it", Path::new("/srv"))
    }

    fn refusal(section: Value) -> String {
        let error = read(section).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!format!("{error:?}").contains("p4ss"), "{error:?}");
        error.to_string()
    }

    #[test]
    fn a_url_says_where_it_is_and_who_asks() {
        for (url, target, user, database) in [
            ("postgres://mosaic@127.0.0.1:5433/data", "127.0.0.1:5433", "mosaic", "data"),
            ("postgresql://m%40x:p%2F4@db/a%20b?sslmode=verify-full", "db:5432", "m@x", "a b"),
            ("postgres://m@[::1]:6000/d", "[::1]:6000", "m", "d"),
            ("postgres://m@localhost/d?host=/run/postgresql", "/run/postgresql/.s.PGSQL.5432", "m", "d"),
            ("postgres://m@%2Frun%2Fpg:5433/d", "/run/pg/.s.PGSQL.5433", "m", "d"),
        ] {
            let server = read(json!({ "url": url })).unwrap();
            assert_eq!((server.target.as_str(), server.user.as_str(), server.database.as_str()), (target, user, database));
        }
    }

    #[test]
    fn a_server_on_this_machine_gets_fewer_connections_unless_the_config_says_how_many() {
        let count = |url: &str| read(json!({ "url": url })).unwrap().max_connections;
        let near = 4..=16.min(3 * std::thread::available_parallelism().unwrap().get().max(2) as u32);
        for url in ["postgres://m@localhost/d", "postgres://m@127.0.0.2/d", "postgres://m@[::1]/d", "postgres://m@h/d?host=/run/pg"] {
            assert!(near.contains(&count(url)), "{url}: {}", count(url));
        }
        assert_eq!(count("postgres://m@db/d"), 16);
        assert_eq!(read(json!({ "url": "postgres://m@localhost/d", "max_connections": 40 })).unwrap().max_connections, 40);
    }

    #[test]
    fn a_password_comes_from_one_place() {
        assert!(read(json!({ "url": "postgres://m:p4ss@db/d" })).unwrap().has_password);
        assert!(read(json!({ "url": "postgres://m@db/d", "password": "p4ss" })).unwrap().has_password);
        assert!(!read(json!({ "url": "postgres://m@db/d", "password": "" })).unwrap().has_password);
        let twice = refusal(json!({ "url": "postgres://m:p4ss@db/d", "password": "p4ss" }));
        assert_eq!(twice, "acme.postgres.password cannot be used: acme.postgres.url holds one too (key=acme.postgres.password)");
        let absent = refusal(json!({ "url": "postgres://m@db/d", "password_file": "nowhere/p" }));
        assert!(absent.starts_with("acme.postgres.password_file cannot be used: the file cannot be read"), "{absent}");
    }

    #[test]
    fn what_cannot_be_used_is_named_and_not_repeated() {
        for (url, reason) in [
            ("", "it is not set"),
            ("p4ss", "not a URL"),
            ("mysql://m:p4ss@db/d", "it does not begin with postgres://"),
            ("postgres://:p4ss@db/d", "it names no user"),
            ("postgres://m:p4ss@db", "it names no database"),
            ("postgres://m:p4ss@/d", "not a URL"),
            ("postgres://m@/d", "not a URL: empty host"),
            ("postgres://m:p4ss#x@db/d", "not a URL"),
            ("postgres://m:p4ss@db/d#x", "it holds a #"),
            ("postgres://m:p4ss@db/d?sslmode=maybe", "sslmode is none of"),
            ("postgres://m:p4ss@db/d?sslmod=disable", "there is no parameter \"sslmod\""),
            ("postgres://m:x@db/d?p4ss@db/d", "it has a parameter that does not exist"),
            ("postgres://m:x@p4ss/p4ss@db/d", "it holds a / or an @ behind the host"),
            (
                "postgres://m:p4ss@db/d?sslrootcert=nowhere.pem",
                "the file of sslrootcert cannot be read: /srv/nowhere.pem: entity not found",
            ),
        ] {
            let refused = refusal(json!({ "url": url }));
            assert!(refused.starts_with(&format!("acme.postgres.url cannot be used: {reason}")), "{url}: {refused}");
        }
        assert!(refusal(json!({ "max_connections": 0 })).starts_with("acme.postgres.max_connections cannot be used"));
        assert!(refusal(json!({ "statement_timeout_seconds": 121 })).starts_with("acme.postgres.statement_timeout_seconds"));
    }

    #[test]
    fn its_debug_shows_no_secret() {
        let config: PostgresConfig = serde_json::from_value(json!({ "url": "postgres://m:p4ss@db/d", "password": "p4ss" })).unwrap();
        assert!(!format!("{config:?}").contains("p4ss"), "{config:?}");
    }
}
