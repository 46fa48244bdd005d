//! What a target holds before anything was moved there: nothing, what a first start makes, or somebody's data. What must not come in: what
//! the documents of a move say.

use std::sync::Arc;

use mosaic_core::{Batch, Change, Clock as _, Error, ErrorKind, Id, Kind, Query, Record, Result, Scope, SystemClock, Tally, User};
use tokio_util::task::TaskTracker;

use super::document::{Document, overtaken};
use super::side::Side;
use crate::auth::Authenticator;
use crate::first_admin;

/// What is there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Contents {
    /// Nothing.
    Nothing,
    /// One administrator and their token, as a first start makes them.
    FirstStart {
        /// The administrator's login.
        login: String,
        /// Their id.
        user_id: Id,
        /// What removes both.
        removal: Vec<Change>,
    },
    /// Something else: so many of each kind.
    Data(String),
}

impl Contents {
    /// Looks what is there.
    ///
    /// # Errors
    /// Those of the storage.
    pub(crate) async fn of(side: &Side) -> Result<Self> {
        let tallies = side.storage.tally().await?;
        let held: Vec<_> = tallies.iter().filter(|tally| tally.records > 0).collect();
        let is_one_of = |kinds: &[Kind]| held.iter().all(|tally| kinds.contains(&tally.kind) && tally.records == 1);
        if held.is_empty() {
            return Ok(Self::Nothing);
        }
        if is_one_of(&[Kind::User, Kind::Token])
            && let Some(first_start) = first_start(side).await?
        {
            return Ok(first_start);
        }
        Ok(Self::Data(described(&held)))
    }
}

/// The administrator and the token, if they are those that a first start made.
async fn first_start(side: &Side) -> Result<Option<Contents>> {
    let Some(token_id) = first_admin::token(&*side.storage).await? else { return Ok(None) };
    let list = async |kind| -> Result<Vec<Record>> { Ok(side.storage.list(Scope::System, &Query::new(kind)).await?.items) };
    let (users, tokens) = (list(Kind::User).await?, list(Kind::Token).await?);
    Ok(match (&users[..], &tokens[..]) {
        ([Record::User(user)], []) => Some(removal(user, [(Kind::User, user.id)])),
        ([Record::User(user)], [Record::Token(token)]) if token.id == token_id => {
            Some(removal(user, [(Kind::Token, token.id), (Kind::User, user.id)]))
        }
        _ => None,
    })
}

fn removal(user: &User, records: impl IntoIterator<Item = (Kind, Id)>) -> Contents {
    let remove = |(kind, id)| Change::Delete { kind, id, revision: None };
    Contents::FirstStart { login: user.login.clone(), user_id: user.id, removal: records.into_iter().map(remove).collect() }
}

fn described(held: &[&Tally]) -> String {
    let one = |tally: &&Tally| {
        let name = if tally.records == 1 { tally.kind.singular() } else { tally.kind.plural() };
        format!("{} {name}", tally.records)
    };
    held.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Removes what a first start made, in the same transaction that puts a document here.
///
/// # Errors
/// [`ErrorKind::Conflict`] when somebody else wrote the document meanwhile; those of the storage.
pub(crate) async fn remove_first_start(target: &mut Side, user_id: Id, removal: Vec<Change>, document: Document) -> Result<()> {
    let batch = Batch { at: SystemClock.now(), changes: removal, state: Some(target.slot.write_of(&document)) };
    let storage = Arc::clone(&target.storage);
    // Whom a gateway there has let in lately, it must not let in any more.
    let authenticator = Authenticator::new(Arc::clone(&storage), Arc::clone(&target.cache), Arc::new(SystemClock), TaskTracker::new());
    let change = async move { storage.apply(Scope::System, &batch).await };
    authenticator.changing(Kind::User, user_id, change).await.map_err(overtaken)?;
    target.slot.written(document);
    Ok(())
}

/// Why nothing is moved to where somebody's data is; unless another run of the same move has put it there since the target was opened.
pub(super) async fn refusal(target: &Side, held: &str) -> Error {
    if let Err(error) = target.slot.check().await {
        return error;
    }
    Error::new(ErrorKind::Conflict, "the target holds data already")
        .with("tier", &target.end.tier)
        .with("place", &target.end.place)
        .with("holds", held)
        .hint(format!("give it an empty database, in the section `{}` of the config: createdb …", target.end.tier))
}
