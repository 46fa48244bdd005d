//! What people call users and teams, and what records call them: names to ids, and back.

use std::collections::{BTreeSet, HashMap};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use mosaic_core::{ErrorKind, Id, Kind, Record, Result, Team, User};

use crate::cli::target::Target;
use crate::client::Client;

/// What stands for whoever the token acts for.
const ME: &str = "me";
/// How many names are asked for at a time.
const AT_ONCE: usize = 8;

/// The id of a user by login or id, or of oneself.
pub(super) async fn user(client: &Client, name: &str) -> Result<Id> {
    match name {
        ME => client.me().await,
        _ => Ok(Target::Gateway(client.clone()).find::<User>("login", name).await?.id),
    }
}

/// The id of a team by slug or id.
pub(super) async fn team(client: &Client, name: &str) -> Result<Id> {
    Ok(Target::Gateway(client.clone()).find::<Team>("slug", name).await?.id)
}

/// The id of a team by slug or id as a field has it; none where no team is named.
pub(in crate::cli) async fn team_field(client: &Client, name: Option<&str>) -> Result<Option<String>> {
    match name {
        Some(name) => Ok(Some(team(client, name).await?.to_string())),
        None => Ok(None),
    }
}

/// The names of users or teams by their ids. Whom one may not see has none.
pub(super) async fn of(client: &Client, kind: Kind, ids: impl IntoIterator<Item = Option<Id>>) -> Result<Names> {
    let ids: BTreeSet<Id> = ids.into_iter().flatten().collect();
    let found = stream::iter(ids).map(|id| async move {
        match client.get(kind, id).await {
            Ok(Record::User(user)) => Ok(Some((id, user.login))),
            Ok(Record::Team(team)) => Ok(Some((id, team.slug))),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    });
    let found: Vec<_> = found.buffered(AT_ONCE).try_collect().await?;
    Ok(Names(found.into_iter().flatten().collect()))
}

/// Names by id.
pub(super) struct Names(HashMap<Id, String>);

impl Names {
    /// The name, else the id; nothing for nobody.
    pub(super) fn get(&self, id: Option<Id>) -> String {
        id.map(|id| self.0.get(&id).cloned().unwrap_or_else(|| id.to_string())).unwrap_or_default()
    }
}
