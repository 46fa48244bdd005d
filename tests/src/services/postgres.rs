//! A Postgres server as tests see it: how it is reached, databases of one's own, and SQL to arrange things with.
//! What must not come in: how it is started.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, Connection as _};

use super::place;

/// The role whose members a server refuses without TLS.
pub(super) const TLS_ONLY: &str = "tls_only";

/// A server, by its superuser. It asks every user for a password (SCRAM) and takes connections with TLS and without,
/// unless [`Database::require_tls`] was said.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Postgres {
    pub host: String,
    pub port: u16,
    /// A superuser.
    pub user: String,
    pub password: String,
    /// The certificate, PEM, of the authority that vouches for `localhost` and `127.0.0.1`.
    pub ca: PathBuf,
    /// How the names of databases begin that are made on it.
    pub(super) prefix: String,
}

impl Postgres {
    /// A new, empty database, owned by a new login role of the same name that is no superuser. Both end with the run.
    pub async fn database(&self) -> Database {
        let made = self.try_database().await;
        made.unwrap_or_else(|error| panic!("a database on {}:{}: {error}", self.host, self.port))
    }

    async fn try_database(&self) -> Result<Database, String> {
        let name = format!("{}_{}", self.prefix, place::password()?.get(..12).unwrap_or_default());
        let password = place::password()?;
        let database = Database { server: self.clone(), user: name.clone(), name, password };
        let Database { name, user, password, .. } = &database;
        self.try_execute("postgres", &format!("CREATE ROLE {user} LOGIN PASSWORD '{password}'")).await?;
        self.try_execute("postgres", &format!("CREATE DATABASE {name} OWNER {user}")).await?;
        Ok(database)
    }

    /// The URL for a connection.
    pub fn url(&self, user: &str, password: &str, database: &str) -> String {
        let [user, password] = [user, password].map(encoded);
        format!("postgres://{user}:{password}@{}:{}/{database}", self.host, self.port)
    }

    /// Runs statements as the superuser, as a test's own arrangements: `CREATE EXTENSION`, `ALTER ROLE`. Fails the test when they fail.
    pub async fn execute(&self, database: &str, sql: &str) {
        self.try_execute(database, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    pub(super) async fn try_execute(&self, database: &str, sql: &str) -> Result<(), String> {
        let run = async {
            let mut connection = PgConnection::connect_with(&self.options(database)).await?;
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
            connection.close().await
        };
        run.await.map_err(|error| error.to_string())
    }

    fn options(&self, database: &str) -> PgConnectOptions {
        let options = PgConnectOptions::new_without_pgpass().host(&self.host).port(self.port).database(database);
        options.username(&self.user).password(&self.password).ssl_mode(PgSslMode::Disable)
    }

    /// Drops what this run has made: on a server that outlives it.
    pub(super) async fn drop_databases(&self) -> Result<(), String> {
        let mut connection = PgConnection::connect_with(&self.options("postgres")).await.map_err(|error| error.to_string())?;
        let like = format!("{}\\_%", self.prefix.replace('_', "\\_"));
        for (list, drop) in [
            ("SELECT datname::text FROM pg_database WHERE datname LIKE $1", "DROP DATABASE %I WITH (FORCE)"),
            ("SELECT rolname::text FROM pg_roles WHERE rolname LIKE $1", "DROP ROLE %I"),
        ] {
            let names: Vec<String> =
                sqlx::query_scalar(list).bind(&like).fetch_all(&mut connection).await.map_err(|error| error.to_string())?;
            for name in names {
                // What cannot be dropped, since a test has given it something elsewhere, is no reason to keep the others.
                let _ = sqlx::raw_sql(AssertSqlSafe(drop.replace("%I", &name))).execute(&mut connection).await;
            }
        }
        Ok(())
    }
}

/// A database of a test's own. It needs no end: it goes with the run.
#[derive(Debug, Clone)]
pub struct Database {
    pub server: Postgres,
    pub name: String,
    /// Owns the database, and is no superuser.
    pub user: String,
    pub password: String,
}

impl Database {
    /// As its owner, with the password.
    pub fn url(&self) -> String {
        self.server.url(&self.user, &self.password, &self.name)
    }

    /// As its owner, without a password: that is given by other means.
    pub fn url_without_password(&self) -> String {
        format!("postgres://{}@{}:{}/{}", self.user, self.server.host, self.server.port, self.name)
    }

    /// As the superuser.
    pub fn admin_url(&self) -> String {
        self.server.url(&self.server.user, &self.server.password, &self.name)
    }

    /// Runs statements in it as the superuser.
    pub async fn execute(&self, sql: &str) {
        self.server.execute(&self.name, sql).await;
    }

    /// From now on its owner is refused without TLS.
    pub async fn require_tls(&self) {
        self.execute(&format!("GRANT {TLS_ONLY} TO {}", self.user)).await;
    }
}

/// A part of a URL, percent-encoded where it must be.
pub(super) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut all, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => all.push(byte.into()),
            other => all.push_str(&format!("%{other:02X}")),
        }
        all
    })
}
