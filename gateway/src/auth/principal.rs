//! A principal: a token and its user, and the scope that each request of theirs gets.

use mosaic_core::{Error, ErrorKind, Id, Kind, Result, Scope, Timestamp, Token, TokenScope, User, UserRole};
use serde::{Deserialize, Serialize};

/// A token and its user, as of the moment they were read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// The token's id.
    pub token_id: Id,
    /// The user it acts for.
    pub user_id: Id,
    /// What the user may do.
    pub role: UserRole,
    /// What the token may be used for.
    pub scopes: Vec<TokenScope>,
    /// When the token ceases to work.
    pub expires_at: Option<Timestamp>,
}

impl Principal {
    /// The principal of a token and its user.
    pub fn new(token: Token, user: &User) -> Self {
        Self { token_id: token.id, user_id: user.id, role: user.role, scopes: token.scopes, expires_at: token.expires_at }
    }

    /// Whether the token may be used for this. `admin` and `operator` take a user whose role is admin, at this moment.
    pub fn may(&self, scope: TokenScope) -> bool {
        let takes_admin = matches!(scope, TokenScope::Admin | TokenScope::Operator);
        self.scopes.contains(&scope) && (!takes_admin || self.role == UserRole::Admin)
    }

    /// The scope to read records of a kind with.
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], naming the token scope that is missing.
    pub fn reading(&self, kind: Kind) -> Result<Scope> {
        self.accessing(kind, TokenScope::Read)
    }

    /// The scope to write records of a kind with.
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], naming the token scope that is missing.
    pub fn writing(&self, kind: Kind) -> Result<Scope> {
        self.accessing(kind, TokenScope::Write)
    }

    /// The scope to read everything with. The caller logs its use.
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`] without token scope `operator` and role admin.
    pub fn reading_all(&self) -> Result<Scope> {
        self.require(TokenScope::Operator)?;
        Ok(Scope::System)
    }

    /// Checks that the token may be used for this.
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`], naming the token scope that is missing.
    pub fn require(&self, scope: TokenScope) -> Result<()> {
        if self.may(scope) {
            return Ok(());
        }
        let error = Error::new(ErrorKind::Forbidden, "the token may not be used for this").with("scope", scope);
        Err(if self.scopes.contains(&scope) {
            error.hint("this scope takes a user whose role is admin: ask an administrator")
        } else {
            error.hint(format!("use a token that has the scope {scope}"))
        })
    }

    /// Managing accounts is what `admin` is for, and driving sessions what `agent` is for, so that a token with this scope alone can do it.
    fn accessing(&self, kind: Kind, needed: TokenScope) -> Result<Scope> {
        if matches!(kind, Kind::Session | Kind::Message) && self.may(TokenScope::Agent) {
            return Ok(Scope::User(self.user_id));
        }
        if !kind.is_content() && self.may(TokenScope::Admin) {
            return Ok(Scope::Admin(self.user_id));
        }
        self.require(needed)?;
        Ok(Scope::User(self.user_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(role: UserRole, scopes: &[TokenScope]) -> Principal {
        Principal { token_id: Id::from_u128(1), user_id: Id::from_u128(2), role, scopes: scopes.to_vec(), expires_at: None }
    }

    #[test]
    fn a_scope_takes_the_token_and_the_role() {
        let me = Id::from_u128(2);
        let plain = principal(UserRole::Member, TokenScope::ALL);
        assert_eq!(plain.reading(Kind::Task).unwrap(), Scope::User(me));
        assert_eq!(plain.writing(Kind::User).unwrap(), Scope::User(me), "without the role, admin counts for nothing");
        assert!(plain.reading_all().unwrap_err().hint_text().unwrap().contains("role is admin"));

        let admin = principal(UserRole::Admin, &[TokenScope::Admin]);
        assert_eq!(admin.writing(Kind::Token).unwrap(), Scope::Admin(me));
        assert!(admin.reading(Kind::Note).unwrap_err().to_string().contains("scope=read"));
        assert!(admin.reading_all().is_err());

        let reader = principal(UserRole::Admin, &[TokenScope::Read]);
        assert_eq!(reader.reading(Kind::Team).unwrap(), Scope::User(me), "the role alone is not enough");
        assert!(reader.writing(Kind::Task).unwrap_err().hint_text().unwrap().contains("scope write"));
        assert_eq!(principal(UserRole::Admin, &[TokenScope::Operator]).reading_all().unwrap(), Scope::System);

        let agent = principal(UserRole::Member, &[TokenScope::Agent]);
        assert_eq!(agent.writing(Kind::Session).unwrap(), Scope::User(me));
        assert_eq!(agent.reading(Kind::Message).unwrap(), Scope::User(me));
        assert!(agent.reading(Kind::Note).is_err() && agent.writing(Kind::Task).is_err());
    }
}
