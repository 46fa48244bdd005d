//! What Postgres and sqlx report, as errors of ours: SQLSTATEs are named here, once. The report itself is the source,
//! for the log; it may hold values, so none of its text gets into the message.

use mosaic_core::{Error, ErrorKind, Retry};

/// An error of a statement. Where the connection was lost, nothing was done: whatever was begun is rolled back.
/// Where that is not known, see [`in_doubt`].
pub(crate) fn from_sqlx(error: sqlx::Error) -> Error {
    let ours = match &error {
        sqlx::Error::Database(report) => from_sqlstate(report.code().as_deref().unwrap_or_default(), report.constraint()),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
            Error::new(ErrorKind::Corrupt, "a stored record cannot be read")
                .hint("restore the database, or export it with the version of Mosaic that wrote it")
        }
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => lost(),
        _ => Error::new(ErrorKind::Internal, "the database could not be used"),
    };
    ours.source(error)
}

/// The same error, where the connection was lost during a commit, or during a write without a transaction: it may have taken effect.
pub(crate) fn in_doubt(error: Error) -> Error {
    if error.message() == LOST { error.retry(Retry::Unknown).hint("look whether the change was made, then try again") } else { error }
}

/// Nobody answered by the deadline of the work. What was under way may have taken effect.
pub(crate) fn given_up() -> Error {
    Error::new(ErrorKind::Timeout, "the work was given up at its deadline")
}

/// Whether the call may be made again at once, on another connection: the one it had was lost, and nothing was done. Who owns the
/// connection may have put it in other words; but what a server answers that is there is none of it.
pub(crate) fn is_lost(error: &Error) -> bool {
    error.kind() == ErrorKind::Unavailable && error.retry_class() == Retry::Safe && !ANSWERED.contains(&error.message())
}

/// Another write got in the way, and nothing was done.
pub(crate) fn in_the_way() -> Error {
    Error::new(ErrorKind::Unavailable, IN_THE_WAY).hint("try again")
}

/// Whether a transaction that failed like this, and was rolled back, is worth another run: it met the work of another, and
/// will see what came of that.
pub(crate) fn is_passing(error: &Error) -> bool {
    [IN_THE_WAY, GONE_MEANWHILE].contains(&error.message())
}

/// The schema is somebody else's.
pub(crate) fn foreign() -> Error {
    Error::new(ErrorKind::Corrupt, "the database holds tables that are not Mosaic's, under names that it needs")
        .hint("give Mosaic an empty database, or a user whose search_path leads to an empty schema")
}

const IN_THE_WAY: &str = "another write got in the way";

const TAKES_TOO_LONG: &str = "another write takes too long";

const READ_ONLY: &str = "the database takes no writes";

const SHORT: &str = "the database is short of resources";

/// What a server answers that may be asked again later.
const ANSWERED: [&str; 4] = [IN_THE_WAY, TAKES_TOO_LONG, READ_ONLY, SHORT];

const GONE_MEANWHILE: &str = "refers to a record that does not exist any more";

const LOST: &str = "the connection to the database was lost";

fn lost() -> Error {
    Error::new(ErrorKind::Unavailable, LOST).hint("try again; if it stays so, look whether the database runs")
}

/// The classes and codes of the Postgres manual, appendix A, that mean something of their own to Mosaic.
mod sqlstate {
    pub(super) const CONNECTION_EXCEPTION: &str = "08";
    pub(super) const NOT_NULL_VIOLATION: &str = "23502";
    pub(super) const FOREIGN_KEY_VIOLATION: &str = "23503";
    pub(super) const UNIQUE_VIOLATION: &str = "23505";
    pub(super) const CHECK_VIOLATION: &str = "23514";
    pub(super) const CHARACTER_NOT_IN_REPERTOIRE: &str = "22021";
    pub(super) const NUMERIC_VALUE_OUT_OF_RANGE: &str = "22003";
    pub(super) const UNTRANSLATABLE_CHARACTER: &str = "22P05";
    pub(super) const READ_ONLY_SQL_TRANSACTION: &str = "25006";
    pub(super) const DEPENDENT_OBJECTS_STILL_EXIST: &str = "2BP01";
    pub(super) const SERIALIZATION_FAILURE: &str = "40001";
    pub(super) const DEADLOCK_DETECTED: &str = "40P01";
    pub(super) const INSUFFICIENT_PRIVILEGE: &str = "42501";
    pub(super) const UNDEFINED_COLUMN: &str = "42703";
    pub(super) const DUPLICATE_TABLE: &str = "42P07";
    pub(super) const UNDEFINED_TABLE: &str = "42P01";
    pub(super) const DISK_FULL: &str = "53100";
    pub(super) const INSUFFICIENT_RESOURCES: &str = "53";
    pub(super) const LOCK_NOT_AVAILABLE: &str = "55P03";
    pub(super) const QUERY_CANCELED: &str = "57014";
    pub(super) const OPERATOR_INTERVENTION: &str = "57";
    pub(super) const UNDEFINED_FILE: &str = "58P01";
    pub(super) const IO_ERROR: &str = "58030";
    pub(super) const CORRUPTED: &str = "XX00";
}

fn from_sqlstate(code: &str, constraint: Option<&str>) -> Error {
    use sqlstate::*;
    match code {
        UNIQUE_VIOLATION => {
            of_constraint(ErrorKind::Conflict, "another record has the same value where each must have its own", constraint)
        }
        // Statements check references themselves; this one was there then, and was removed before the lock on it was granted.
        FOREIGN_KEY_VIOLATION => of_constraint(ErrorKind::Invalid, GONE_MEANWHILE, constraint),
        CHECK_VIOLATION | NOT_NULL_VIOLATION => of_constraint(ErrorKind::Invalid, "a value is missing or out of bounds", constraint),
        NUMERIC_VALUE_OUT_OF_RANGE => Error::invalid("a number is out of bounds"),
        CHARACTER_NOT_IN_REPERTOIRE | UNTRANSLATABLE_CHARACTER => Error::invalid("a text cannot hold the NUL character (U+0000)"),
        SERIALIZATION_FAILURE | DEADLOCK_DETECTED => in_the_way(),
        LOCK_NOT_AVAILABLE => Error::new(ErrorKind::Unavailable, TAKES_TOO_LONG).hint("try again"),
        QUERY_CANCELED => {
            Error::new(ErrorKind::Timeout, "the database ended the work at its deadline").retry(Retry::Safe).hint("ask for less at once")
        }
        DISK_FULL => Error::new(ErrorKind::Full, "no space is left where the database keeps its data")
            .hint("free some space on that disk, then try again"),
        READ_ONLY_SQL_TRANSACTION => Error::new(ErrorKind::Unavailable, READ_ONLY).hint("connect to the primary server, not to a standby"),
        INSUFFICIENT_PRIVILEGE => Error::new(ErrorKind::Config, "the database user may not do this")
            .hint("make the database user the owner of the database's schema"),
        DUPLICATE_TABLE => foreign(),
        DEPENDENT_OBJECTS_STILL_EXIST => Error::new(ErrorKind::Conflict, "somebody has made what depends on Mosaic's tables")
            .hint("remove it first, as a view or a foreign key: the database's log names it"),
        UNDEFINED_TABLE | UNDEFINED_COLUMN => {
            Error::new(ErrorKind::Corrupt, "the database does not have Mosaic's schema any more").hint("restore the database from a backup")
        }
        IO_ERROR | UNDEFINED_FILE => {
            Error::new(ErrorKind::Corrupt, "the database cannot read or write its files").hint("look at the disk and at the database's log")
        }
        _ if code.starts_with(CORRUPTED) && code != "XX000" => {
            Error::new(ErrorKind::Corrupt, "the database's files are damaged").hint("restore the database from a backup")
        }
        _ if code.starts_with(CONNECTION_EXCEPTION) || code.starts_with(OPERATOR_INTERVENTION) => lost(),
        _ if code.starts_with(INSUFFICIENT_RESOURCES) => {
            Error::new(ErrorKind::Unavailable, SHORT).hint("try again; if it stays so, give the database more memory or connections")
        }
        _ => Error::new(ErrorKind::Internal, "the database refused a statement").with("sqlstate", code),
    }
}

fn of_constraint(kind: ErrorKind, message: &'static str, constraint: Option<&str>) -> Error {
    let error = Error::new(kind, message);
    match constraint {
        Some(name) => error.with("constraint", name),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &str, kind: ErrorKind, retry: Retry) {
        let error = from_sqlstate(code, Some("users_login"));
        assert_eq!((error.kind(), error.retry_class()), (kind, retry), "{code}: {error}");
        assert!(!error.to_string().ends_with('.') && !error.to_string().contains('\n'), "{code}: {error}");
    }

    #[test]
    fn codes_mean_what_they_mean() {
        check("23505", ErrorKind::Conflict, Retry::Never);
        check("23503", ErrorKind::Invalid, Retry::Never);
        check("23514", ErrorKind::Invalid, Retry::Never);
        check("22021", ErrorKind::Invalid, Retry::Never);
        check("22P05", ErrorKind::Invalid, Retry::Never);
        check("40001", ErrorKind::Unavailable, Retry::Safe);
        check("40P01", ErrorKind::Unavailable, Retry::Safe);
        check("57014", ErrorKind::Timeout, Retry::Safe);
        check("57P01", ErrorKind::Unavailable, Retry::Safe);
        check("57P03", ErrorKind::Unavailable, Retry::Safe);
        check("08006", ErrorKind::Unavailable, Retry::Safe);
        check("53100", ErrorKind::Full, Retry::Never);
        check("53300", ErrorKind::Unavailable, Retry::Safe);
        check("25006", ErrorKind::Unavailable, Retry::Safe);
        check("42501", ErrorKind::Config, Retry::Never);
        check("42P01", ErrorKind::Corrupt, Retry::Never);
        check("42P07", ErrorKind::Corrupt, Retry::Never);
        check("58030", ErrorKind::Corrupt, Retry::Never);
        check("XX001", ErrorKind::Corrupt, Retry::Never);
        check("XX000", ErrorKind::Internal, Retry::Never);
        check("", ErrorKind::Internal, Retry::Never);
    }

    #[test]
    fn what_met_the_work_of_another_is_worth_another_run() {
        for code in ["40001", "40P01", "23503"] {
            assert!(is_passing(&from_sqlstate(code, Some("tasks_owner_id_fkey")).with("change", 3)), "{code}");
        }
        for code in ["23505", "55P03", "57014", "57P01", "08006", "53100"] {
            assert!(!is_passing(&from_sqlstate(code, None)), "{code}");
        }
    }

    #[test]
    fn what_a_server_answers_was_not_lost() {
        for code in ["40001", "40P01", "55P03", "25006", "53200", "53300"] {
            assert!(!is_lost(&from_sqlstate(code, None)), "{code}");
        }
        for code in ["57P01", "08006"] {
            assert!(is_lost(&from_sqlstate(code, None)), "{code}");
        }
    }

    #[test]
    fn a_lost_connection_leaves_only_a_commit_in_doubt() {
        let cut = || sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        let error = from_sqlx(cut());
        assert!(is_lost(&error), "{error:?}");
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("reset"));
        let error = in_doubt(from_sqlx(cut()));
        assert_eq!((error.kind(), error.retry_class()), (ErrorKind::Unavailable, Retry::Unknown));
        assert_eq!(in_doubt(from_sqlstate("40001", None)).retry_class(), Retry::Safe, "the server undid it");
    }
}
