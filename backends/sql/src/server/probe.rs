//! Whether a server will do: what it is, what its database is like, and whether the schema in it is one that this build knows.
//! A start refuses what a look finds wrong in the same words. Nothing is changed by looking.

use std::time::Duration;

use mosaic_core::{Error, ErrorKind, Finding, Place, Result, Sharing};
use sqlx::postgres::PgSslMode;
use sqlx::{PgConnection, Row as _};
use tokio::time::timeout;

use super::config::Server;
use crate::error::from_sqlx;
use crate::schema::{State, Tables};
#[cfg(feature = "pgvector")]
use crate::vectors::pgvector::extension::Extension;

/// How long a look may take, connecting included.
const DEADLINE: Duration = Duration::from_secs(2);

/// A look at a server: what it says of itself.
pub struct Probe {
    server: Server,
    found: Found,
    schema: Result<State>,
    identity: String,
}

#[derive(Debug, Clone)]
struct Found {
    /// The version as a number: 160014 is 16.14.
    version: i32,
    tls: bool,
    encoding: String,
    read_only: bool,
    /// The schema that tables are made in; none when the `search_path` leads nowhere.
    schema: Option<String>,
    may_create: bool,
    #[cfg(feature = "pgvector")]
    pgvector: Extension,
}

const FOUND: &str = "SELECT current_setting('server_version_num')::int, \
    coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false), \
    current_setting('server_encoding'), current_setting('transaction_read_only') = 'on', current_schema()::text, \
    coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)";

const IDENTITY: &str = "SELECT format('%s.%s', system_identifier, (SELECT oid FROM pg_database WHERE datname = current_database())) \
    FROM pg_control_system()";

impl Probe {
    /// Looks at a server that is to have these tables, within 2 s.
    ///
    /// # Errors
    /// When it does not let us in, or does not answer: with `service`, `target` and what to do.
    pub async fn of(server: &Server, tables: Tables) -> Result<Self> {
        let look = async {
            // The time for connecting is a part of the whole.
            let mut connection = server.connect(DEADLINE).await?;
            let found = found(&mut connection).await;
            let schema = tables.examine(&mut connection).await;
            // Some providers keep it from their users.
            let identity = sqlx::query_scalar(IDENTITY).fetch_one(&mut connection).await.unwrap_or_default();
            drop(tokio::spawn(sqlx::Connection::close(connection)));
            Ok(Self { found: found.map_err(|error| server.about(error))?, schema, identity, server: server.clone() })
        };
        timeout(DEADLINE, look).await.unwrap_or_else(|_| Err(server.about(server.silent(DEADLINE))))
    }

    /// What tells this database from every other, also from copies of it that another server has: empty where the user may not know.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Where the database is.
    pub fn place(&self) -> Place {
        let schema = self.found.schema.as_deref().unwrap_or_default();
        let identity = (!self.identity.is_empty()).then(|| format!("{}.{schema}", self.identity));
        Place { name: format!("{}/{}", self.server.target, self.server.database), identity, sharing: Sharing::Shared }
    }

    /// Whether its version is one that Mosaic works with, and how it is reached.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a version below `least`.
    pub fn server(&self, least: i32) -> Result<Finding> {
        let Found { version, tls, .. } = self.found;
        let (major, minor) = (version / 10_000, version % 10_000);
        if major < least {
            return Err(self.refusal(format!("postgres {major}.{minor} is too old: it takes {least} or later"), "upgrade the server"));
        }
        let version = format!("version {major}.{minor}");
        let is_near = self.server.is_near;
        let cure = |first: &str| format!("{first}set sslmode=verify-full in {}.url", self.server.key);
        Ok(match (tls, self.server.ssl_mode) {
            (true, PgSslMode::VerifyFull) => Finding::well(format!("{version}, by TLS with a certificate of its name")),
            (true, _) if is_near => Finding::well(format!("{version}, by TLS")),
            (true, _) => Finding::but(format!("{version}, by TLS, but whoever is on the way could answer in its place"), cure("")),
            (false, _) if is_near => Finding::well(format!("{version}, without TLS")),
            (false, _) => Finding::but(
                format!("{version}, without TLS: whoever is on the way can read along"),
                cure("turn on ssl in postgresql.conf, and "),
            ),
        })
    }

    /// Whether the database takes what Mosaic stores.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for an encoding that cannot hold every text, or a schema that may not be written to.
    /// [`ErrorKind::Unavailable`] for a database that takes no writes.
    pub fn database(&self) -> Result<Finding> {
        let Found { encoding, read_only, schema, may_create, .. } = &self.found;
        let Server { user, database, .. } = &self.server;
        if *read_only {
            let error = Error::new(ErrorKind::Unavailable, "postgres takes no writes");
            return Err(self.server.about(error).hint("connect to the primary server, not to a standby"));
        }
        if encoding != "UTF8" {
            let hint = format!("make it anew: createdb --encoding UTF8 --template template0 --owner {user} {database}");
            return Err(self.refusal(format!("the database {database:?} has the encoding {encoding}, which cannot hold every text"), hint));
        }
        let Some(schema) = schema else {
            return Err(self.refusal(
                format!("the database {database:?} has no schema that the user {user:?} works in"),
                "make one, or set the user's search_path",
            ));
        };
        // Whoever finds all tables there needs no such right.
        if !may_create && !self.is_complete() {
            let hint = format!("grant it, as the owner of the database: GRANT CREATE ON SCHEMA {schema} TO {user}");
            return Err(self.refusal(format!("the user {user:?} may make no tables in the schema {schema:?}"), hint));
        }
        Ok(Finding::well(format!("{database}, schema {schema}, takes writes")))
    }

    /// Whether the schema is one that this build knows.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for one that is newer, or not Mosaic's.
    pub fn schema(self) -> Result<Finding> {
        self.schema.map(State::describe).map_err(|error| self.server.about(error))
    }

    /// Whether there is a pgvector that will do, or can be made by who asks.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when it is absent and cannot be made, or too old.
    #[cfg(feature = "pgvector")]
    pub fn pgvector(&self) -> Result<Finding> {
        self.found.pgvector.check().map_err(|error| self.server.about(error))
    }

    fn is_complete(&self) -> bool {
        matches!(self.schema, Ok(State::Current))
    }

    fn refusal(&self, message: String, hint: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        self.server.about(Error::new(ErrorKind::Config, message)).hint(hint)
    }
}

async fn found(connection: &mut PgConnection) -> Result<Found> {
    let row = sqlx::query(FOUND).fetch_one(&mut *connection).await.map_err(from_sqlx)?;
    Ok(Found {
        version: row.try_get(0).map_err(from_sqlx)?,
        tls: row.try_get(1).map_err(from_sqlx)?,
        encoding: row.try_get(2).map_err(from_sqlx)?,
        read_only: row.try_get(3).map_err(from_sqlx)?,
        schema: row.try_get(4).map_err(from_sqlx)?,
        may_create: row.try_get(5).map_err(from_sqlx)?,
        #[cfg(feature = "pgvector")]
        pgvector: Extension::look(connection).await?,
    })
}
