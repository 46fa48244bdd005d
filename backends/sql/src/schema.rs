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
    // Not `run`: its future cannot be sent to another thread, as far as the compiler sees.
    let outcome = migrator().run_direct(None, &mut *connection, false).await;
    if outcome.is_err() {
        // The migrator lets go of its lock only when all went well. Without a connection there is none to let go of.
        let _ = connection.unlock().await;
    }
    outcome.map_err(refusal)
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
        assert_eq!(versions, [1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn a_newer_schema_says_so_and_what_to_do() {
        let error = refusal(MigrateError::VersionMissing(8));
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert_eq!(error.to_string(), "the database was written by a newer version of Mosaic (migration=8)");
        assert_eq!(error.hint_text(), Some("use that version of Mosaic, or a later one"));
    }
}
