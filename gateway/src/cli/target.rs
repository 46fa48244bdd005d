//! What the commands for accounts work on: the configured tier's data, opened for the command, or a running gateway. Both
//! take and give the same records.

use std::collections::HashMap;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use clap::Args;
use mosaic_core::{Entity, Error, ErrorKind, Id, Query, RandomIds, Record, Result, Scope, SystemClock, User};
use serde_json::{Map, Value};

use super::COMMON;
use super::connect::Connect;
use super::interrupt::interruptible;
use super::offline::with_storage;
use crate::client::Client;
use crate::migration::Purpose;
use crate::records::Records;
use crate::secret::TokenSecret;

/// What every command for accounts takes.
#[derive(Args)]
pub(super) struct Common {
    /// Write JSON
    #[arg(long, global = true, display_order = COMMON)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) connect: Connect,
}

impl Common {
    /// Does the work on the gateway that was given, else on the data itself.
    pub(super) async fn on_target<T, F>(
        &self,
        config: Option<&Path>,
        command: &'static str,
        purpose: Purpose,
        work: impl FnOnce(Target) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        match self.connect.client()? {
            Some(client) => interruptible(work(Target::Gateway(client))).await,
            None => {
                with_storage(config, command, purpose, |storage| {
                    work(Target::Data(Records { storage, clock: Arc::new(SystemClock), ids: Arc::new(RandomIds) }))
                })
                .await
            }
        }
    }
}

/// Where the accounts are.
pub(super) enum Target {
    /// In a storage that this process has opened; the operator of its files may do everything.
    Data(Records),
    /// Behind a running gateway, which decides what the token's user may do.
    Gateway(Client),
}

/// A kind that the commands work on.
pub(super) trait Account: Entity + TryFrom<Record, Error = Error> {}
impl<T: Entity + TryFrom<Record, Error = Error>> Account for T {}

impl Target {
    /// All records of a kind whose fields have these values.
    pub(super) async fn list<T: Account>(&self, filters: &[(&str, &str)]) -> Result<Vec<T>> {
        let records = match self {
            Self::Gateway(client) => client.list(T::KIND, filters).await?,
            Self::Data(records) => {
                let mut query = Query::new(T::KIND).limit(mosaic_core::PAGE_ITEMS)?;
                for (field, value) in filters {
                    query = query.filter(field, value)?;
                }
                let mut found = Vec::new();
                loop {
                    let page = records.storage.list(Scope::System, &query).await?;
                    found.extend(page.items);
                    if page.next.is_none() {
                        break found;
                    }
                    query = query.after(page.next);
                }
            }
        };
        records.into_iter().map(T::try_from).collect()
    }

    /// One record by its id.
    pub(super) async fn get<T: Account>(&self, id: Id) -> Result<T> {
        match self {
            Self::Gateway(client) => client.get(T::KIND, id).await,
            Self::Data(records) => records.get(Scope::System, T::KIND, id).await,
        }?
        .try_into()
    }

    /// One record by its id, or by the value of the field that names it: a login, a slug.
    pub(super) async fn find<T: Account>(&self, field: &'static str, name: &str) -> Result<T> {
        if let Ok(id) = name.parse() {
            match self.get(id).await {
                // A name may look like an id.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                found => return found,
            }
        }
        self.list(&[(field, name)]).await?.pop().ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("no {} with this {field} or id", T::KIND))
                .with(field, name)
                .hint(format!("mosaic {} list", T::KIND))
        })
    }

    /// Makes a record.
    pub(super) async fn create<T: Account>(&self, fields: Map<String, Value>) -> Result<T> {
        match self {
            Self::Gateway(client) => client.create(T::KIND, fields).await,
            Self::Data(records) => records
                .create(Scope::System, T::KIND, fields)
                .await?
                .record()
                .ok_or_else(|| Error::new(ErrorKind::Internal, "the storage made a record and answers none")),
        }?
        .try_into()
    }

    /// Makes a token; its secret is never to be had again.
    pub(super) async fn create_token(&self, fields: Map<String, Value>) -> Result<(Record, TokenSecret)> {
        match self {
            Self::Gateway(client) => client.create_token(&fields).await,
            Self::Data(records) => records.create_token(Scope::System, fields).await,
        }
    }

    /// Changes fields of a record; null removes one.
    pub(super) async fn update<T: Account>(&self, id: Id, patch: &Map<String, Value>) -> Result<T> {
        match self {
            Self::Gateway(client) => client.update(T::KIND, id, patch, None).await,
            Self::Data(records) => records.update(Scope::System, T::KIND, id, patch, None).await,
        }?
        .try_into()
    }

    /// Removes a record.
    pub(super) async fn remove<T: Account>(&self, id: Id) -> Result<()> {
        match self {
            Self::Gateway(client) => client.delete(T::KIND, id, None).await,
            Self::Data(records) => records.delete(Scope::System, T::KIND, id, None).await,
        }
    }

    /// All users by id, to show who others refer to.
    pub(super) async fn users(&self) -> Result<HashMap<Id, User>> {
        Ok(self.list::<User>(&[]).await?.into_iter().map(|user| (user.id, user)).collect())
    }
}

/// The fields of a record that are given.
pub(super) fn given<'a>(fields: impl IntoIterator<Item = (&'a str, Option<String>)>) -> Map<String, Value> {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?)))).collect()
}

#[cfg(test)]
mod tests {
    use mosaic_core::memory;

    use super::*;

    fn target() -> Target {
        Target::Data(Records { storage: memory::open().storage, clock: Arc::new(SystemClock), ids: Arc::new(RandomIds) })
    }

    async fn add(target: &Target, login: &str) -> User {
        target.create(given([("login", Some(login.to_owned())), ("name", Some("Somebody".to_owned()))])).await.unwrap()
    }

    #[tokio::test]
    async fn a_record_is_found_by_id_or_name_and_a_name_may_look_like_an_id() {
        let target = target();
        let ada = add(&target, "ada").await;
        let odd = add(&target, "dd8dbad8-669b-5583-b369-e505df0ed3da").await;
        assert_eq!(target.find::<User>("login", "ada").await.unwrap(), ada);
        assert_eq!(target.find::<User>("login", &ada.id.to_string()).await.unwrap(), ada);
        assert_eq!(target.find::<User>("login", &odd.login).await.unwrap(), odd);
        let error = target.find::<User>("login", "eve").await.unwrap_err();
        assert_eq!((error.kind(), error.hint_text()), (ErrorKind::NotFound, Some("mosaic user list")));
    }

    #[tokio::test]
    async fn a_list_has_all_pages() {
        let target = target();
        for n in 0..=mosaic_core::PAGE_ITEMS {
            add(&target, &format!("user-{n}")).await;
        }
        assert_eq!(target.list::<User>(&[]).await.unwrap().len(), mosaic_core::PAGE_ITEMS + 1);
        assert_eq!(target.list::<User>(&[("login", "user-7")]).await.unwrap().len(), 1);
    }
}
