//! The schema: the migrations in `migrations/`, embedded, and their application in order. Each is one change, and is never edited
//! after a release: whoever has it applied has it for good.

use mosaic_core::{Error, ErrorKind, Finding, Opening, Result};
use sqlx::migrate::{Migrate as _, MigrateError, Migrator};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::error;

/// Migrations that are applied in order, and the table that says which were.
pub(crate) struct Track {
    migrator: fn() -> Migrator,
    table: &'static str,
}

/// What everything is stored in. A name of its own leaves room for other migrators in the same database.
pub(crate) const MAIN: Track = Track { migrator: || sqlx::migrate!(), table: "mosaic_migrations" };

/// What pgvector compares, beside what everything is stored in.
#[cfg(feature = "pgvector")]
const PGVECTOR: Track = Track { migrator: || sqlx::migrate!("./migrations-pgvector"), table: "mosaic_pgvector_migrations" };

/// Which tables there are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tables {
    /// Those that every tier has.
    Plain,
    /// Beside them, what pgvector compares.
    #[cfg(feature = "pgvector")]
    Pgvector,
}

impl Tables {
    /// The tracks of migrations that lead there, in the order in which they are applied.
    fn tracks(self) -> &'static [&'static Track] {
        match self {
            Self::Plain => &[&MAIN],
            #[cfg(feature = "pgvector")]
            Self::Pgvector => &[&MAIN, &PGVECTOR],
        }
    }

    /// Looks how far the schema is, without changing it.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for one that is newer than this build, or not ours.
    pub(crate) async fn examine(self, connection: &mut PgConnection) -> Result<State> {
        let mut state = None;
        for track in self.tracks() {
            let next = track.examine(connection).await?;
            state = Some(state.map_or(next, |state: State| state.and(next)));
        }
        Ok(state.unwrap_or(State::Absent))
    }

    /// Brings the schema up to date, or only makes sure that it is. One that is made for the first time is there whole or not at all,
    /// whenever that is broken off. Of several gateways that start at once, one does it, and the others wait.
    ///
    /// # Errors
    /// As [`Self::examine`], and as [`State::as_it_is`]. Nothing was changed then.
    pub(crate) async fn prepare(self, connection: &mut PgConnection, opening: Opening) -> Result<()> {
        // The letters "mosaicdb" as a number. The migrator lets go of its own lock before the end of the transaction.
        const LOCK: i64 = 0x6d6f_7361_6963_6462;
        if opening == Opening::AsItIs {
            return self.examine(connection).await?.as_it_is();
        }
        let mut transaction = sqlx::Connection::begin(&mut *connection).await.map_err(error::from_sqlx)?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await.map_err(error::from_sqlx)?;
        if self.examine(&mut transaction).await? == State::Absent {
            let outcome = self.migrate(&mut transaction).await;
            let outcome = match outcome {
                Ok(()) => transaction.commit().await.map_err(error::from_sqlx),
                Err(error) => transaction.rollback().await.map_err(error::from_sqlx).and(Err(error)),
            };
            if outcome.is_err() {
                // The migrator's lock is the session's. Without a connection there is none to let go of.
                let _ = connection.unlock().await;
            }
            return outcome;
        }
        // What is there may be large: each change by itself.
        transaction.commit().await.map_err(error::from_sqlx)?;
        self.migrate(connection).await
    }

    async fn migrate(self, connection: &mut PgConnection) -> Result<()> {
        for track in self.tracks() {
            track.migrate(connection).await?;
        }
        Ok(())
    }

    /// Removes everything, in a transaction that the caller holds.
    ///
    /// # Errors
    /// As [`Self::examine`].
    pub(crate) async fn erase(self, connection: &mut PgConnection) -> Result<()> {
        for track in self.tracks().iter().rev() {
            track.erase(connection).await?;
        }
        Ok(())
    }
}

/// How far the schema is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// There is none yet.
    Absent,
    /// So many migrations are to come.
    Behind(usize),
    /// It is what this build makes.
    Current,
}

impl Track {
    pub(crate) fn migrator(&self) -> Migrator {
        let mut migrator = (self.migrator)();
        migrator.dangerous_set_table_name(self.table);
        migrator
    }

    /// Applies what is to come.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for a schema that is newer than this build, or not ours. Nothing was changed then.
    async fn migrate(&self, connection: &mut PgConnection) -> Result<()> {
        self.refuse_foreign(connection).await?;
        // Not `run`: its future cannot be sent to another thread, as far as the compiler sees.
        let outcome = self.migrator().run_direct(None, &mut *connection, false).await;
        if outcome.is_err() {
            // The migrator lets go of its lock only when all went well. Without a connection there is none to let go of.
            let _ = connection.unlock().await;
        }
        outcome.map_err(refusal)
    }

    /// Removes what the migrations made, if they did, and all that is in it. In a transaction that the caller holds.
    ///
    /// # Errors
    /// As [`Self::migrate`].
    async fn erase(&self, connection: &mut PgConnection) -> Result<()> {
        // The server quotes the names, and says which are there: a search_path may lead to somebody else's of the same name.
        const MADE: &str = "SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, \
            string_agg(format('%I.%I', current_schema(), relname), ', ' ORDER BY relname) FROM pg_class \
            WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND relname = ANY($1) \
            AND (relkind = 'r' OR relkind = 'S' AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'i')) \
            GROUP BY 1 ORDER BY 1 DESC";
        self.refuse_foreign(&mut *connection).await?;
        let mut names = self.names();
        names.push(self.table.to_owned());
        let made: Vec<(String, String)> = sqlx::query_as(MADE).bind(names).fetch_all(&mut *connection).await.map_err(error::from_sqlx)?;
        for (sort, names) in made {
            let sql = AssertSqlSafe(format!("DROP {sort} {names}"));
            sqlx::raw_sql(sql).execute(&mut *connection).await.map_err(error::from_sqlx)?;
        }
        Ok(())
    }

    /// Looks how far the schema is, without changing it.
    ///
    /// # Errors
    /// As [`Self::migrate`].
    async fn examine(&self, connection: &mut PgConnection) -> Result<State> {
        const IS_THERE: &str = "SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND relname = $1)";
        self.refuse_foreign(&mut *connection).await?;
        let is_there = sqlx::query_scalar(IS_THERE).bind(self.table);
        if !is_there.fetch_one(&mut *connection).await.map_err(error::from_sqlx)? {
            return Ok(State::Absent);
        }
        if let Some(version) = connection.dirty_version(self.table).await.map_err(refusal)? {
            return Err(refusal(MigrateError::Dirty(version)));
        }
        let applied = connection.list_applied_migrations(self.table).await.map_err(refusal)?;
        let migrator = self.migrator();
        for one in &applied {
            match migrator.iter().find(|known| known.version == one.version) {
                None => return Err(refusal(MigrateError::VersionMissing(one.version))),
                Some(known) if known.checksum != one.checksum => return Err(refusal(MigrateError::VersionMismatch(one.version))),
                Some(_) => {}
            }
        }
        Ok(match migrator.iter().count() - applied.len() {
            0 => State::Current,
            behind => State::Behind(behind),
        })
    }

    /// Refuses a schema of somebody else's that has our names in it, before a migration fails halfway.
    async fn refuse_foreign(&self, connection: &mut PgConnection) -> Result<()> {
        let foreign = sqlx::query_scalar(FOREIGN).bind(self.names()).bind(self.table);
        not_ours(&foreign.fetch_all(connection).await.map_err(error::from_sqlx)?)
    }

    /// The names that migrations take.
    fn names(&self) -> Vec<String> {
        let migrator = self.migrator();
        let lines = migrator.iter().flat_map(|migration| migration.sql.as_str().lines());
        let made =
            lines.filter_map(|line| ["CREATE TABLE ", "CREATE INDEX ", "CREATE SEQUENCE "].iter().find_map(|what| line.strip_prefix(what)));
        made.filter_map(|rest| rest.split([' ', ';']).next()).map(str::to_owned).collect()
    }
}

impl State {
    /// How far two are together.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Absent, _) => Self::Absent,
            // What is made for the first time is no longer behind than what is made in order.
            (Self::Behind(count), _) => Self::Behind(count),
            (Self::Current, Self::Absent) => Self::Behind(1),
            (Self::Current, other) => other,
        }
    }

    /// Whether it can be worked with as it is.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none, [`ErrorKind::Config`] for one that is behind.
    fn as_it_is(self) -> Result<()> {
        match self {
            Self::Current => Ok(()),
            Self::Absent => Err(Error::new(ErrorKind::NotFound, "there is no data of Mosaic's yet").hint("mosaic serve")),
            Self::Behind(count) => Err(Error::new(ErrorKind::Config, "the schema is older than this version of Mosaic")
                .with("behind", count)
                .hint("make a backup, then start a gateway of this version on it once: mosaic serve")),
        }
    }

    /// What it means to who is about to start a gateway.
    pub(crate) fn describe(self) -> Finding {
        match self {
            Self::Absent => Finding::well("no schema yet; the first start makes it"),
            Self::Current => Finding::well("the schema is current"),
            Self::Behind(count) => Finding::but(
                format!("the schema is behind this version by {count}; its next start brings it up to date"),
                "make a backup, then `mosaic serve`; gateways of the version before do not start on it any more",
            ),
        }
    }
}

/// What is in the place of ours, in a schema that no migration was applied to. Both are asked at once, since another gateway may be at it:
/// the table of migrations is the first that it makes.
const FOREIGN: &str = "SELECT relname::text FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace \
    WHERE nspname = current_schema() AND relname = ANY($1) \
    AND NOT EXISTS (SELECT FROM pg_class AS ours WHERE ours.relnamespace = pg_namespace.oid AND ours.relname = $2) ORDER BY relname";

fn not_ours(foreign: &[String]) -> Result<()> {
    if foreign.is_empty() { Ok(()) } else { Err(error::foreign().with("names", foreign.join(" "))) }
}

fn refusal(error: MigrateError) -> Error {
    match error {
        MigrateError::VersionMissing(version) => Error::new(ErrorKind::Corrupt, "the database was written by a newer version of Mosaic")
            .with("migration", version)
            .hint("use that version of Mosaic, or a later one"),
        MigrateError::VersionMismatch(version) | MigrateError::Dirty(version) => {
            Error::new(ErrorKind::Corrupt, "the database's schema is not what this version of Mosaic made")
                .with("migration", version)
                .hint("restore the database from a backup, or `mosaic import` an export into an empty one")
        }
        MigrateError::Execute(cause) => error::from_sqlx(cause),
        MigrateError::ExecuteMigration(cause, version) => error::from_sqlx(cause).with("migration", version),
        other => Error::new(ErrorKind::Internal, "the database's schema cannot be brought up to date").source(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file whose name does not begin with a number is left out without a word.
    #[test]
    fn every_migration_is_embedded() {
        let versions: Vec<_> = MAIN.migrator().iter().map(|migration| migration.version).collect();
        assert_eq!(versions, (1..=17).collect::<Vec<_>>());
    }

    #[cfg(feature = "pgvector")]
    #[test]
    fn every_table_of_embeddings_has_directions() {
        let versions: Vec<_> = PGVECTOR.migrator().iter().map(|migration| migration.version).collect();
        assert_eq!(versions, [1]);
        let sql: String = PGVECTOR.migrator().iter().map(|migration| migration.sql.as_str().to_owned()).collect();
        for (kind, table) in crate::vectors::tables() {
            assert!(sql.contains(&format!("ALTER TABLE {table} ADD COLUMN direction halfvec")), "{kind}");
            assert!(sql.contains(&format!("CREATE INDEX {table}_undirected ON {table} ")), "{kind}");
        }
    }

    #[test]
    fn every_name_is_known() {
        let names = MAIN.names();
        let made = MAIN.migrator().iter().map(|migration| migration.sql.as_str().matches("CREATE ").count()).sum::<usize>();
        assert_eq!(names.len(), made);
        assert!(["users", "tasks_by_created_at", "state"].iter().all(|name| names.iter().any(|known| known == name)), "{names:?}");
    }

    #[test]
    fn a_schema_of_somebody_elses_is_refused_with_what_to_do() {
        assert!(not_ours(&[]).is_ok());
        let error = not_ours(&["notes".to_owned(), "users".to_owned()]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert_eq!(error.to_string(), "the database holds tables that are not Mosaic's, under names that it needs (names=notes users)");
        assert_eq!(error.hint_text(), Some("give Mosaic an empty database, or a user whose search_path leads to an empty schema"));
    }

    #[test]
    fn a_newer_schema_says_so_and_what_to_do() {
        let error = refusal(MigrateError::VersionMissing(8));
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert_eq!(error.to_string(), "the database was written by a newer version of Mosaic (migration=8)");
        assert_eq!(error.hint_text(), Some("use that version of Mosaic, or a later one"));
    }
}
