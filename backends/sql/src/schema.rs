//! The schema: the migrations in `migrations/`, embedded, and their application in order. Each is one change, and is never edited
//! after a release: whoever has it applied has it for good.

use mosaic_core::{Error, ErrorKind, Result};
use sqlx::PgConnection;
use sqlx::migrate::{Migrate as _, MigrateError, Migrator};

use crate::error;

/// Which migrations were applied. A name of its own leaves room for other migrators in the same database.
const TABLE: &str = "mosaic_migrations";

pub(crate) fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!();
    migrator.dangerous_set_table_name(TABLE);
    migrator
}

/// Brings the schema up to date. Of several gateways that start at once, one does it, and the others wait.
///
/// # Errors
/// [`ErrorKind::Corrupt`] for a schema that is newer than this build, or not ours. Nothing was changed then.
pub(crate) async fn migrate(connection: &mut PgConnection) -> Result<()> {
    refuse_foreign(connection).await?;
    // Not `run`: its future cannot be sent to another thread, as far as the compiler sees.
    let outcome = migrator().run_direct(None, &mut *connection, false).await;
    if outcome.is_err() {
        // The migrator lets go of its lock only when all went well. Without a connection there is none to let go of.
        let _ = connection.unlock().await;
    }
    outcome.map_err(refusal)
}

/// What is in the place of ours, in a schema that no migration was applied to. Both are asked at once, since another gateway may be at it:
/// the table of migrations is the first that it makes.
const FOREIGN: &str = "SELECT relname::text FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace \
    WHERE nspname = current_schema() AND relname = ANY($1) \
    AND NOT EXISTS (SELECT FROM pg_class AS ours WHERE ours.relnamespace = pg_namespace.oid AND ours.relname = $2) ORDER BY relname";

/// Refuses a schema of somebody else's that has our names in it, before a migration fails halfway.
async fn refuse_foreign(connection: &mut PgConnection) -> Result<()> {
    let foreign = sqlx::query_scalar(FOREIGN).bind(names()).bind(TABLE).fetch_all(connection).await.map_err(error::from_sqlx)?;
    not_ours(&foreign)
}

fn not_ours(foreign: &[String]) -> Result<()> {
    if foreign.is_empty() { Ok(()) } else { Err(error::foreign().with("names", foreign.join(" "))) }
}

/// The names that migrations take.
fn names() -> Vec<String> {
    let migrator = migrator();
    let lines = migrator.iter().flat_map(|migration| migration.sql.as_str().lines());
    let made =
        lines.filter_map(|line| ["CREATE TABLE ", "CREATE INDEX ", "CREATE SEQUENCE "].iter().find_map(|what| line.strip_prefix(what)));
    made.filter_map(|rest| rest.split([' ', ';']).next()).map(str::to_owned).collect()
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
        let versions: Vec<_> = migrator().iter().map(|migration| migration.version).collect();
        assert_eq!(versions, (1..=13).collect::<Vec<_>>());
    }

    #[test]
    fn every_name_is_known() {
        let names = names();
        let made = migrator().iter().map(|migration| migration.sql.as_str().matches("CREATE ").count()).sum::<usize>();
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
