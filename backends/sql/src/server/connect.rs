//! Connecting, and what stands in the way of it: each failure by its name, with its cure. What must not come in: what
//! connections are used for.

use std::io;
use std::time::Duration;

use mosaic_core::{Error, ErrorKind, Result};
use sqlx::postgres::PgSslMode;
use sqlx::{ConnectOptions as _, PgConnection};
use tokio::time::timeout;

use super::config::Server;

/// How long a name may take to be looked up, when it is too late already.
const LOOKUP: Duration = Duration::from_secs(1);

impl Server {
    /// Connects within a deadline.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] with [`mosaic_core::Retry::Safe`] for what may pass by itself: nothing listens, nothing answers in time, the name is
    /// not known yet, the server is starting or has no connection left. [`ErrorKind::Config`] for what does not: the password, the
    /// database, TLS. Each says the service, the target and what to do.
    pub(super) async fn connect(&self, deadline: Duration) -> Result<PgConnection> {
        match timeout(deadline, self.options.connect()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(self.about(self.refused(error).await)),
            Err(_) => Err(self.about(self.silent(deadline))),
        }
    }

    /// What has not answered.
    pub(super) fn silent(&self, deadline: Duration) -> Error {
        Error::new(ErrorKind::Unavailable, format!("postgres does not answer within {} s", deadline.as_secs()))
            .hint(format!("look whether the host in {}.url is right, a firewall drops its packets, or the server hangs", self.key))
    }

    async fn refused(&self, error: sqlx::Error) -> Error {
        let refused = match &error {
            sqlx::Error::Database(report) => self.refused_by_server(report.code().as_deref().unwrap_or_default(), report.message()),
            sqlx::Error::Io(cause) => self.refused_by_network(cause).await,
            sqlx::Error::Tls(cause) if cause.to_string().contains("does not support TLS") => {
                Error::new(ErrorKind::Config, "postgres offers no TLS, which sslmode asks for")
                    .hint(format!("turn on ssl in postgresql.conf, or set sslmode=disable in {}.url where nobody listens in", self.key))
            }
            sqlx::Error::Tls(cause) => self.untrusted(&cause.to_string()),
            // The library's words repeat the character.
            sqlx::Error::Configuration(cause) if cause.to_string().contains("saslprep") => Error::new(
                ErrorKind::Config,
                "the password of postgres holds a character that cannot be sent",
            )
            .hint(format!("give the user {:?} another one, without emoji and control characters: ALTER ROLE … PASSWORD …", self.user)),
            sqlx::Error::Configuration(cause) => Error::new(ErrorKind::Config, format!("postgres cannot be reached: {cause}"))
                .hint(format!("look at sslcert and sslkey in {}.url", self.key)),
            // The end of the connection, read as the answer to whether there is TLS.
            sqlx::Error::Protocol(reason) if reason.contains("from SSLRequest: 0x00") => self.ended(),
            sqlx::Error::Protocol(_) => self.no_postgres(),
            _ => Error::new(ErrorKind::Internal, "postgres cannot be used"),
        };
        refused.source(error)
    }

    /// The codes of the Postgres manual, appendix A, that a server answers to a sign-in.
    fn refused_by_server(&self, sqlstate: &str, message: &str) -> Error {
        let Self { user, database, key, .. } = self;
        let config = |message: String| Error::new(ErrorKind::Config, message);
        let unavailable = |message: &'static str| Error::new(ErrorKind::Unavailable, message);
        match sqlstate {
            "28P01" if !self.has_password => {
                config(format!("postgres wants a password of the user {user:?}, and none is configured")).hint(set_password(key))
            }
            "28P01" => config(format!("postgres does not take the password of the user {user:?}"))
                .hint(format!("correct {key}.password or {key}.password_file, or set it anew: ALTER ROLE … PASSWORD …")),
            // Without TLS though it was offered: the user chose so.
            "28000" if matches!(self.ssl_mode, PgSslMode::Disable) && needs_tls(message) => {
                config("postgres takes connections by TLS alone".into()).hint(format!("set sslmode=verify-full, or require, in {key}.url"))
            }
            "28000" => config(format!("postgres does not let the user {user:?} in"))
                .hint(format!("correct the user in {key}.url, or allow them in the server's pg_hba.conf")),
            "3D000" => config(format!("postgres has no database {database:?}"))
                .hint(format!("make it, as in `createdb --owner {user} {database}`, or correct {key}.url")),
            "42501" => config(format!("postgres does not let the user {user:?} into the database {database:?}"))
                .hint("grant it: GRANT CONNECT ON DATABASE … TO …"),
            "08P01" => config("postgres, or a pooler before it, refuses how the session begins".into())
                .hint("connect to the server itself, or by a pooler that keeps sessions (pool_mode = session)"),
            "53300" => unavailable("postgres has no connection left")
                .hint(format!("raise max_connections in postgresql.conf, or lower {key}.max_connections of the gateways that share it")),
            "57P03" => unavailable("postgres is starting up, or shutting down").hint("wait for it, and look at its log if it stays so"),
            _ => unavailable("postgres refuses the connection").with("sqlstate", sqlstate).hint("look at the log of the server"),
        }
    }

    async fn refused_by_network(&self, cause: &io::Error) -> Error {
        let unavailable = |message: String| Error::new(ErrorKind::Unavailable, message);
        match cause.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => unavailable("nothing listens there for postgres".into())
                .hint(format!("start the server ({}), or correct {}.url", self.start, self.key)),
            io::ErrorKind::PermissionDenied => Error::new(ErrorKind::Config, "the socket of postgres may not be opened")
                .hint("add this user to the group of the socket, or connect by host and port"),
            // What rustls finds wrong with a certificate comes this way.
            io::ErrorKind::InvalidData if cause.to_string().starts_with(UNTRUSTED) => self.untrusted(&cause.to_string()),
            io::ErrorKind::InvalidData => Error::new(ErrorKind::Config, "postgres does not speak TLS as it should")
                .hint(format!("look at what stands between here and the host in {}.url", self.key)),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => self.ended(),
            _ if !self.has_address().await => unavailable("the host name of postgres is not known".into())
                .hint(format!("correct the host in {}.url, or the name service of this machine", self.key)),
            kind => unavailable(format!("postgres cannot be reached: {kind}"))
                .hint(format!("look at the network between here and the host in {}.url", self.key)),
        }
    }

    async fn has_address(&self) -> bool {
        let Some(network) = self.network.clone() else { return true };
        timeout(LOOKUP, tokio::net::lookup_host(network)).await.is_ok_and(|found| found.is_ok_and(|mut found| found.next().is_some()))
    }

    /// Someone took the connection and let go of it: a proxy, as a rule, whose server is not there.
    fn ended(&self) -> Error {
        Error::new(ErrorKind::Unavailable, "postgres ended the connection before it began")
            .hint(format!("look whether a Postgres answers at {}.url, and at its log", self.key))
    }

    fn untrusted(&self, reason: &str) -> Error {
        // The library's words about a certificate, which name no secret.
        let reason = reason.strip_prefix(UNTRUSTED).unwrap_or(reason);
        Error::new(ErrorKind::Config, "the certificate of postgres is not trusted").with("reason", reason).hint(format!(
            "give the root that signed it as sslrootcert in {}.url, and the host by a name that the certificate has",
            self.key
        ))
    }

    fn no_postgres(&self) -> Error {
        Error::new(ErrorKind::Config, "what answers there is no postgres").hint(format!("correct host and port in {}.url", self.key))
    }
}

/// How rustls begins what it finds wrong with a certificate.
const UNTRUSTED: &str = "invalid peer certificate: ";

fn needs_tls(message: &str) -> bool {
    // So it says from version 14 on; before, "SSL off".
    message.contains("no encryption") || message.contains("SSL off")
}

fn set_password(key: &str) -> String {
    format!("set {key}.password_file, or MOSAIC_{}__PASSWORD", key.to_ascii_uppercase().replace('.', "__"))
}
