//! What cases check again and again.

use std::fmt::Debug;

use mosaic_core::{Change, Error, ErrorKind, Record, Result, Scope};

use super::Env;
use super::records::{list_around, with_id};

/// The error of a call that must be refused in this way.
#[track_caller]
pub(crate) fn refused<T: Debug>(outcome: Result<T>, kind: ErrorKind) -> Error {
    match outcome {
        Err(error) if error.kind() == kind => error,
        Err(error) => panic!("refused as {}, not as {}: {error:?}", error.kind().code(), kind.code()),
        Ok(value) => panic!("not refused as {}, but done: {value:?}", kind.code()),
    }
}

/// Checks that both errors say the same, ids aside.
#[track_caller]
pub(crate) fn same_answer(one: &Error, one_id: impl ToString, other: &Error, other_id: impl ToString) {
    let anonymous = |error: &Error, id: &str| format!("{error:?}").replace(id, "ID");
    assert_eq!(anonymous(one, &one_id.to_string()), anonymous(other, &other_id.to_string()), "the answers give away which one exists");
}

impl Env {
    /// Checks that each scope sees the record, alone and in a list.
    pub(crate) async fn assert_seen(&self, record: &Record, scopes: &[Scope]) {
        for scope in scopes {
            let found = self.get(*scope, record.kind(), record.id()).await;
            assert_eq!(found.as_ref(), Some(record), "{scope:?} gets the {}", record.kind());
            let listed = self.list(*scope, &list_around(record)).await;
            assert!(listed.contains(record), "{scope:?} finds the {} in a list", record.kind());
        }
    }

    /// Checks that the record does not exist for any of the scopes, whatever they try.
    pub(crate) async fn assert_unseen(&self, record: &Record, scopes: &[Scope]) {
        let (kind, id) = (record.kind(), record.id());
        let before = self.get(Scope::System, kind, id).await;
        for scope in scopes {
            assert_eq!(self.get(*scope, kind, id).await, None, "{scope:?} gets no {kind}");
            let listed = self.list(*scope, &list_around(record)).await;
            assert!(!listed.contains(record), "{scope:?} finds no {kind} in a list");

            let absent = self.id();
            let update = refused(self.update(*scope, record.clone()).await, ErrorKind::NotFound);
            let update_of_absent = refused(self.update(*scope, with_id(record, absent)).await, ErrorKind::NotFound);
            same_answer(&update, id, &update_of_absent, absent);
            for revision in [None, Some(record.revision()), Some(99)] {
                let delete = refused(self.change(*scope, Change::Delete { kind, id, revision }).await, ErrorKind::NotFound);
                let delete_of_absent =
                    refused(self.change(*scope, Change::Delete { kind, id: absent, revision }).await, ErrorKind::NotFound);
                same_answer(&delete, id, &delete_of_absent, absent);
            }
        }
        assert_eq!(self.get(Scope::System, kind, id).await, before, "the {kind} is as it was");
    }
}
