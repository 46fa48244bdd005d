//! What a token may hand on: the rules for giving scopes and time to a token, which hold for making and for changing one.

use mosaic_core::{Error, ErrorKind, Id, Kind, Record, Result, Scope, Timestamp, Token, TokenScope, UserRole};
use serde_json::{Map, Value};

use super::Principal;
use crate::records::Records;

/// Checks what the fields of a new token of `user` give to it: scopes that the caller's own token has, those for
/// administrators to administrators only, and no longer a life than that token's. What is no list of scopes, or no time,
/// is left to the model to refuse.
///
/// # Errors
/// [`ErrorKind::Forbidden`] for a scope or a time that the caller lacks, [`ErrorKind::Invalid`] for a scope that the user cannot have.
pub async fn check_grant(caller: &Principal, records: &Records, scope: Scope, user: Id, fields: &Map<String, Value>) -> Result<()> {
    check_scopes(caller, records, scope, user, fields).await?;
    check_end(caller, end_of(fields.get("expires_at")))
}

/// Checks what a patch gives to a token, as [`check_grant`] does. A token that outlives the caller's may be changed, and
/// gains nothing by it. A longer life is given to each scope that the token has.
///
/// # Errors
/// As [`check_grant`].
pub async fn check_regrant(caller: &Principal, records: &Records, scope: Scope, token: &Token, patch: &Map<String, Value>) -> Result<()> {
    check_scopes(caller, records, scope, token.user_id, patch).await?;
    let gains = scopes(patch).any(|scope| !token.scopes.contains(&scope));
    match patch.get("expires_at") {
        None if gains => check_end(caller, End::of(token.expires_at)),
        None => Ok(()),
        given => {
            let end = end_of(given);
            if end.is_later_than(token.expires_at) && !patch.contains_key("scopes") {
                // Else one that has expired would work again, for somebody who never had its scopes.
                check_held(caller, token.scopes.iter().copied())?;
            }
            check_end(caller, end)
        }
    }
}

async fn check_scopes(caller: &Principal, records: &Records, scope: Scope, user: Id, fields: &Map<String, Value>) -> Result<()> {
    check_held(caller, scopes(fields))?;
    let for_admins = scopes(fields).find(|scope| matches!(scope, TokenScope::Admin | TokenScope::Operator));
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

/// Checks that the caller's token has all of these scopes.
fn check_held(caller: &Principal, mut given: impl Iterator<Item = TokenScope>) -> Result<()> {
    let Some(lacking) = given.find(|scope| !caller.scopes.contains(scope)) else { return Ok(()) };
    Err(Error::new(ErrorKind::Forbidden, "a token gives only scopes that it has itself")
        .with("scope", lacking)
        .hint(format!("use a token that has the scope {lacking}, or leave it out")))
}

fn scopes(fields: &Map<String, Value>) -> impl Iterator<Item = TokenScope> {
    fields.get("scopes").and_then(Value::as_array).into_iter().flatten().filter_map(|name| name.as_str()?.parse().ok())
}

/// When a token is to cease to work.
enum End {
    Never,
    At(Timestamp),
    /// It cannot be read.
    Unknown,
}

impl End {
    fn of(time: Option<Timestamp>) -> Self {
        time.map_or(Self::Never, Self::At)
    }

    /// Whether it comes later than a token's present end. What cannot be read is refused elsewhere.
    fn is_later_than(&self, present: Option<Timestamp>) -> bool {
        present.is_some_and(|present| match self {
            Self::Never => true,
            Self::At(time) => *time > present,
            Self::Unknown => false,
        })
    }
}

fn end_of(field: Option<&Value>) -> End {
    match field {
        None | Some(Value::Null) => End::Never,
        Some(given) => given.as_str().and_then(|time| time.parse().ok()).map_or(End::Unknown, End::At),
    }
}

/// A token that expires would not, if it could make another that does not. Whoever manages accounts may give any time.
fn check_end(caller: &Principal, given: End) -> Result<()> {
    let Some(end) = caller.expires_at.filter(|_| !caller.may(TokenScope::Admin)) else { return Ok(()) };
    match given {
        End::Unknown => Ok(()),
        End::At(time) if time <= end => Ok(()),
        End::At(_) | End::Never => Err(Error::new(ErrorKind::Forbidden, "a token that expires gives nothing that outlives it")
            .with("field", "expires_at")
            .with("latest", end)
            .hint(format!("set expires_at to {end} or earlier, or use a token that lives longer"))),
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
