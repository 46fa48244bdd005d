//! The name of a database's own in a Valkey that others may use too. What one gateway caches is read by those on the same database, and
//! by nobody else: a token that another database knows must not sign anybody in here.

use mosaic_core::{Error, ErrorKind, IdSource as _, Opening, RandomIds, Result, StateWrite, Storage, Timestamp};
use serde_json::json;

/// The document that holds it.
const NAME: &str = "instance";

/// The name: what the first gateway on a database made up, and what the server calls the database.
pub(crate) async fn name(storage: &dyn Storage, now: Timestamp, identity: &str, opening: Opening) -> Result<String> {
    Ok(format!("{}:{identity}", made_up(storage, now, opening).await?))
}

async fn made_up(storage: &dyn Storage, now: Timestamp, opening: Opening) -> Result<String> {
    let read = async || -> Result<Option<String>> {
        let Some(state) = storage.state(NAME).await? else { return Ok(None) };
        Ok(state.value["id"].as_str().map(str::to_owned))
    };
    if let Some(name) = read().await? {
        return Ok(name);
    }
    let id = RandomIds.next(now);
    if opening == Opening::AsItIs {
        // Good for as long as this process lives: nobody shares what it caches.
        return Ok(id.to_string());
    }
    let written = storage.put_state(&StateWrite { name: NAME.to_owned(), expect: 0, value: Some(json!({ "id": id })) }).await;
    match written {
        Ok(_) => Ok(id.to_string()),
        // Another gateway was first.
        Err(error) if error.kind() == ErrorKind::Stale => {
            read().await?.ok_or_else(|| Error::new(ErrorKind::Corrupt, "the state `instance` has no id"))
        }
        Err(error) => Err(error),
    }
}
