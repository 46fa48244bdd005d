//! Who the token acts for. The API does not say it outright; what the token sees does.

use std::collections::BTreeSet;

use mosaic_core::{Clock as _, Error, ErrorKind, Id, Kind, Record, Result, SystemClock, Token, TokenScope, User, UserRole};

use crate::client::Client;

/// The id of the user whom the token acts for.
pub(super) async fn id(client: &Client) -> Result<Id> {
    let tokens = client.list(Kind::Token, &[]).await?.into_iter().map(Token::try_from).collect::<Result<Vec<_>>>()?;
    // Most see their own tokens and no others.
    if let Some(id) = only(tokens.iter().map(|token| token.user_id)) {
        return Ok(id);
    }
    // Whoever sees others' is an administrator, with a token that may manage accounts: as often as not there is one.
    let now = SystemClock.now();
    let alive = |token: &&Token| token.expires_at.is_none_or(|end| end > now);
    let holders: BTreeSet<_> =
        tokens.iter().filter(alive).filter(|token| token.scopes.contains(&TokenScope::Admin)).map(|token| token.user_id).collect();
    let mut admins = Vec::new();
    for id in holders {
        if matches!(client.get(Kind::User, id).await?, Record::User(User { role: UserRole::Admin, .. })) {
            admins.push(id);
        }
    }
    only(admins.into_iter()).ok_or_else(|| {
        Error::new(ErrorKind::Invalid, "the token sees the tokens of several administrators, and cannot tell which is its own")
            .hint("give your login in place of me, or use a token without scope admin")
    })
}

/// The one value that all of them are.
fn only(mut ids: impl Iterator<Item = Id>) -> Option<Id> {
    let first = ids.next()?;
    ids.all(|id| id == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_the_only_one_however_often_it_is_there() {
        let ids = [1, 1, 2].map(Id::from_u128);
        assert_eq!(only(ids[..2].iter().copied()), Some(ids[0]));
        assert_eq!(only(ids.into_iter()), None);
        assert_eq!(only([].into_iter()), None);
    }
}
