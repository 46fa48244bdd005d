//! The extension itself: whether it is there, whether it can be made, and whether its version will do.

use mosaic_core::{Error, ErrorKind, Finding, Result};
use sqlx::PgConnection;

use crate::error::from_sqlx;

/// The first version with iterative scans, without which a filtered search finds too little.
const LEAST: [u32; 3] = [0, 8, 0];
/// The first version whose indexes neither overflow while they are built nor break in a vacuum (its changelog, 0.8.2 to 0.8.4).
const SOUND: [u32; 3] = [0, 8, 4];

/// Held by who makes the extension: to make it at once fails, with IF NOT EXISTS too. The letters "mosaicpv" as a number.
const LOCK: i64 = 0x6d6f_7361_6963_7076;

/// A trusted extension may be created by whoever may create in the database (the manual, CREATE EXTENSION).
const LOOK: &str = "SELECT (SELECT extversion FROM pg_extension WHERE extname = 'vector'), \
    (SELECT default_version FROM pg_available_extensions WHERE name = 'vector'), \
    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) OR (has_database_privilege(current_database(), 'CREATE') \
        AND coalesce((SELECT bool_or(trusted) FROM pg_available_extension_versions WHERE name = 'vector'), false)), \
    (SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'vector' AND to_regtype('halfvec') IS NULL)";

/// What a server says of the extension.
#[derive(Debug, Clone)]
pub(crate) struct Extension {
    /// The version that is in the database.
    installed: Option<String>,
    /// The version that the server could put into it.
    available: Option<String>,
    /// Whether this user may do so.
    may_create: bool,
    /// The schema that it is in, when the user's search_path does not lead there.
    out_of_sight: Option<String>,
}

impl Extension {
    pub(crate) async fn look(connection: &mut PgConnection) -> Result<Self> {
        let (installed, available, may_create, out_of_sight) = sqlx::query_as(LOOK).fetch_one(connection).await.map_err(from_sqlx)?;
        Ok(Self { installed, available, may_create, out_of_sight })
    }

    /// Whether it will do.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when it is absent and cannot be made, or too old.
    pub(crate) fn check(&self) -> Result<Finding> {
        if let Some(schema) = &self.out_of_sight {
            let message = format!("pgvector is in the schema {schema}, where the user's search_path does not lead");
            return Err(Error::new(ErrorKind::Config, message)
                .hint(format!("add it, behind the user's own: ALTER ROLE … SET search_path = …, {schema}")));
        }
        match (&self.installed, &self.available) {
            (Some(version), _) => good_enough(version, "the database has"),
            (None, None) => Err(absent()),
            (None, Some(_)) if !self.may_create => Err(not_creatable()),
            (None, Some(version)) => good_enough(version, "the first start makes"),
        }
    }
}

fn good_enough(version: &str, whose: &str) -> Result<Finding> {
    let found = parsed(version);
    if found < LEAST {
        let hint = "install pgvector 0.8.4 or later, then, as a superuser: ALTER EXTENSION vector UPDATE";
        return Err(refusal(format!("pgvector {version} is too old: it takes 0.8.0 or later"), hint));
    }
    let message = format!("{whose} pgvector {version}");
    Ok(if found < SOUND {
        Finding::but(
            format!("{message}, whose indexes may break"),
            "install pgvector 0.8.4 or later, then, as a superuser: ALTER EXTENSION vector UPDATE, and REINDEX its indexes",
        )
    } else {
        Finding::well(message)
    })
}

/// A version as numbers; what is no number counts as 0.
fn parsed(version: &str) -> [u32; 3] {
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| numbers.next().unwrap_or(0))
}

fn refusal(message: impl Into<std::borrow::Cow<'static, str>>, hint: &'static str) -> Error {
    Error::new(ErrorKind::Config, message).hint(hint)
}

fn absent() -> Error {
    refusal("the server does not have pgvector", "install it there, as the image pgvector/pgvector:pg16 has it")
}

fn not_creatable() -> Error {
    refusal(
        "the database does not have pgvector, and its user may not make it",
        "make it once, as a superuser in that database: CREATE EXTENSION vector",
    )
}

/// Makes the extension if it is absent. It is never upgraded: that is the operator's to decide.
pub(crate) async fn create(connection: &mut PgConnection) -> Result<()> {
    const IS_THERE: &str = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'vector')";
    if sqlx::query_scalar(IS_THERE).fetch_one(&mut *connection).await.map_err(from_sqlx)? {
        return try_out(connection).await;
    }
    let mut transaction = sqlx::Connection::begin(&mut *connection).await.map_err(from_sqlx)?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await.map_err(from_sqlx)?;
    let made = sqlx::query("CREATE EXTENSION IF NOT EXISTS vector").execute(&mut *transaction).await;
    made.map_err(|error| match error.as_database_error().and_then(|report| report.code()).as_deref() {
        Some("42501") => not_creatable().source(error),
        Some("0A000" | "58P01") => absent().source(error),
        _ => from_sqlx(error),
    })?;
    transaction.commit().await.map_err(from_sqlx)?;
    try_out(connection).await
}

/// Makes sure that the library can be loaded, and that its types are in sight.
async fn try_out(connection: &mut PgConnection) -> Result<()> {
    sqlx::query("SELECT '[1]'::vector").execute(connection).await.map_err(from_sqlx).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(installed: Option<&str>, available: Option<&str>, may_create: bool) -> Result<Finding> {
        Extension { installed: installed.map(Into::into), available: available.map(Into::into), may_create, out_of_sight: None }.check()
    }

    #[test]
    fn versions_are_red_yellow_or_green() {
        for (version, well) in [("0.8.0", false), ("0.8.3", false), ("0.8.4", true), ("0.8.10", true), ("0.9", true), ("1.0.0", true)] {
            assert_eq!(check(Some(version), None, false).unwrap().remediation.is_none(), well, "{version}");
        }
        for version in ["0.7.4", "0.5", ""] {
            let error = check(Some(version), Some("0.8.5"), true).unwrap_err();
            assert!(error.to_string().contains("is too old"), "{error}");
            assert_eq!(error.kind(), ErrorKind::Config);
        }
    }

    #[test]
    fn what_is_absent_is_made_or_refused() {
        assert_eq!(check(None, Some("0.8.5"), true).unwrap(), Finding::well("the first start makes pgvector 0.8.5"));
        assert!(check(None, Some("0.7.0"), true).unwrap_err().to_string().contains("too old"));
        let error = check(None, Some("0.8.5"), false).unwrap_err();
        assert_eq!(error.hint_text(), Some("make it once, as a superuser in that database: CREATE EXTENSION vector"));
        assert_eq!(check(None, None, true).unwrap_err().to_string(), "the server does not have pgvector");
    }
}
