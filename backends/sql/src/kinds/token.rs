//! The table of tokens, and how one is found by its hash.

use mosaic_core::refusal::{fixed, forbidden, missing};
use mosaic_core::{Error, Id, Kind, Result, Timestamp, Token, TokenHash, User};
use sqlx::PgConnection;

use crate::columns::columns;
use crate::error;
use crate::statement::{Statement, timestamptz};
use crate::table::{Rule, Table, Unique};

impl Table for Token {
    columns! {
        "tokens",
        fixed { user_id: "uuid", hash: "text", last_used_at: "timestamptz" },
        given { name: "text", scopes: "text[]", expires_at: "timestamptz" },
    }

    const SPACE: &'static str = "user_id";
    const SPACES: &'static str = "SELECT $1::uuid AS space_id";
    const SEES: &'static str = "kept.user_id = $1";

    const MAY_CREATE: &'static [Rule<Self>] = &[Rule {
        holds: "given.user_id = $1",
        otherwise: |token| forbidden("only an admin makes tokens for others", Kind::Token, token.id),
    }];

    const NEW: &'static [Rule<Self>] = &[Rule {
        holds: "given.hash IS NOT NULL",
        otherwise: |_| Error::invalid("the token comes without its hash").with("field", "hash"),
    }];
    const FIXED: &'static [Rule<Self>] = &[Rule { holds: "given.user_id = kept.user_id", otherwise: |token| fixed("user_id", token.id) }];
    const RULES: &'static [Rule<Self>] = &[Rule {
        holds: "EXISTS (SELECT FROM users WHERE users.id = given.user_id)",
        otherwise: |token| missing("user_id", Kind::User, token.user_id),
    }];
    const UNIQUE: Option<Unique<Self>> = Some(Unique { same: "other.hash = given.hash", fixed: true, field: "hash", value: |_| None });

    /// When a token was last used is no part of what it is.
    fn is_same(&self, given: &Self) -> bool {
        *self == Self { last_used_at: self.last_used_at, ..given.clone() }
    }
}

/// Finds a token by its hash, and its user.
pub(crate) async fn authenticate(connection: &mut PgConnection, hash: &TokenHash) -> Result<Option<(Token, User)>> {
    let mut statement = Statement::new("SELECT ");
    statement.sql(Token::QUALIFIED).sql(", ").sql(User::QUALIFIED);
    statement.sql(" FROM tokens JOIN users ON users.id = tokens.user_id WHERE tokens.hash = ").bind(hash.to_hex());
    let Some(row) = statement.row(connection).await? else { return Ok(None) };
    let token_columns = Token::QUALIFIED.split(',').count();
    let token = Token::decode(&row, 0).map_err(error::from_sqlx)?;
    let user = User::decode(&row, token_columns).map_err(error::from_sqlx)?;
    Ok(Some((token, user)))
}

/// Notes when a token was last used.
pub(crate) async fn touch(connection: &mut PgConnection, id: Id, at: Timestamp) -> Result<()> {
    let mut statement = Statement::new("UPDATE tokens SET last_used_at = ");
    statement.bind(timestamptz(at)).sql(" WHERE id = ").bind(id);
    statement.run(connection).await.map(|_| ())
}
