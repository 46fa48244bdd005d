//! What a token may hand on: the rules for giving scopes to a token, which hold for making and for changing one.

use mosaic_core::{Error, ErrorKind, Id, Kind, Record, Result, Scope, TokenScope, UserRole};
use serde_json::{Map, Value};

use super::Principal;
use crate::records::Records;

/// Checks the scopes that `fields` give to a token of `user`: each is one that the caller's own token has, and those
/// for administrators go to administrators only. What is no list of scopes is left to the model to refuse.
///
/// # Errors
/// [`ErrorKind::Forbidden`] for a scope that the caller lacks, [`ErrorKind::Invalid`] for one that the user cannot have.
pub async fn check_grant(caller: &Principal, records: &Records, scope: Scope, user: Id, fields: &Map<String, Value>) -> Result<()> {
    let given: Vec<TokenScope> =
        fields.get("scopes").and_then(Value::as_array).into_iter().flatten().filter_map(|name| name.as_str()?.parse().ok()).collect();
    if let Some(lacking) = given.iter().find(|scope| !caller.scopes.contains(scope)) {
        return Err(Error::new(ErrorKind::Forbidden, "a token gives only scopes that it has itself")
            .with("scope", lacking)
            .hint(format!("use a token that has the scope {lacking}, or leave it out")));
    }
    let for_admins = given.into_iter().find(|scope| matches!(scope, TokenScope::Admin | TokenScope::Operator));
    match for_admins {
        Some(given) if role_of(caller, records, scope, user).await? != Some(UserRole::Admin) => {
            Err(Error::invalid("this scope takes a user whose role is admin")
                .with("field", "scopes")
                .with("scope", given)
                .hint("leave the scope out, or make the user an admin first"))
        }
        _ => Ok(()),
    }
}

async fn role_of(caller: &Principal, records: &Records, scope: Scope, user: Id) -> Result<Option<UserRole>> {
    if user == caller.user_id {
        return Ok(Some(caller.role));
    }
    match records.storage.get(scope, Kind::User, user).await? {
        Some(Record::User(user)) => Ok(Some(user.role)),
        _ => Ok(None),
    }
}
