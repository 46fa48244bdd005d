//! `mosaic token`

use std::path::Path;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use mosaic_core::{Clock as _, Error, ErrorKind, Id, Record, Result, SystemClock, TokenScope, User, UserRole};
use serde_json::{Value, json};

use super::connect::Connect;
use super::output;
use super::table::Column;
use super::target::{Common, Target, given};
use super::when::{When, to_come};
use crate::migration::Purpose;

const EXAMPLES: &str = "\
Examples:
  mosaic token create --user ada --name laptop
  (umask 077; mosaic token create --user ada --name backup --scope operator --expires 90d > backup.token)
  mosaic token list --user ada
  mosaic token revoke 0198c5a2-7b1e-7c3d-9f00-1a2b3c4d5e6f

Without --url, the gateway of this data must be stopped.";

/// Manage the tokens that clients sign in with
#[derive(Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub(super) struct Token {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List tokens, the newest first; never their secrets
    List {
        /// Only those of this user: login or id
        #[arg(long)]
        user: Option<String>,
    },
    /// Make a token, and write its secret to standard output: this once and never again
    Create(Create),
    /// Revoke a token: it ceases to work at once
    Revoke {
        /// The token's id, as in the list
        id: Id,
    },
}

#[derive(Args)]
struct Create {
    /// The user it acts for: login or id
    #[arg(long)]
    user: String,
    /// What it is for
    #[arg(long)]
    name: String,
    /// What it may be used for; admin (accounts) and operator (import, export) take a user who is an admin
    #[arg(
        long = "scope",
        value_name = "SCOPE,…",
        value_delimiter = ',',
        default_value = "read,write",
        value_parser = PossibleValuesParser::new(TokenScope::ALL.iter().map(|scope| scope.as_str())),
    )]
    scopes: Vec<String>,
    /// When it ceases to work: in 90d, 12h, 30m, on 2027-01-01, or at 2027-01-01T12:00:00Z [default: never]
    #[arg(long, value_name = "WHEN", value_parser = to_come)]
    expires: Option<When>,
}

impl Token {
    pub(super) fn connect(&self) -> &Connect {
        &self.common.connect
    }

    pub(super) async fn run(self, config: Option<&Path>) -> Result<ExitCode> {
        let Self { common, command } = self;
        let json = common.json;
        common.on_target(config, "token", command.purpose(), |target| command.run(target, json)).await?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Command {
    fn purpose(&self) -> Purpose {
        match self {
            Self::List { .. } => Purpose::Read,
            _ => Purpose::Write,
        }
    }

    async fn run(self, target: Target, json: bool) -> Result<()> {
        match self {
            Self::List { user } => list(&target, user.as_deref(), json).await,
            Self::Create(create) => create.run(&target, json).await,
            Self::Revoke { id } => {
                let token: mosaic_core::Token = target
                    .get(id)
                    .await
                    .map_err(|error| if error.kind() == ErrorKind::NotFound { error.hint("mosaic token list") } else { error })?;
                target.remove::<mosaic_core::Token>(id).await?;
                if json {
                    return output::json(&json!({ "revoked": Record::from(token) }));
                }
                output::line(&format!("revoked token {} ({id})", token.name))
            }
        }
    }
}

impl Create {
    async fn run(self, target: &Target, json: bool) -> Result<()> {
        let user: User = target.find("login", &self.user).await?;
        for_admins_only(&user, &self.scopes)?;
        let expires_at = self.expires.map(|when| when.after(SystemClock.now()));
        let mut fields = given([
            ("user_id", Some(user.id.to_string())),
            ("name", Some(self.name)),
            ("expires_at", expires_at.map(|time| time.to_string())),
        ]);
        fields.insert("scopes".into(), self.scopes.into());
        let (token, secret) = target.create_token(fields).await?;
        if json {
            let mut shown = serde_json::to_value(&token)
                .map_err(|error| Error::new(ErrorKind::Internal, "the token cannot be written as JSON").source(error))?;
            shown["secret"] = Value::from(secret.expose());
            return output::json(&shown);
        }
        output::note(&format!(
            "token {} for {}{}; this is its secret, shown this once:",
            token.id(),
            user.login,
            expires_at.map(|time| format!(", until {}", output::time(Some(time)))).unwrap_or_default()
        ));
        output::line(secret.expose())
    }
}

/// The scopes for administrators are of no use to others, so they are not given to them.
fn for_admins_only(user: &User, scopes: &[String]) -> Result<()> {
    let for_admins = [TokenScope::Admin, TokenScope::Operator].map(TokenScope::as_str);
    match scopes.iter().find(|scope| for_admins.contains(&scope.as_str())) {
        Some(scope) if user.role != UserRole::Admin => Err(Error::invalid("this scope takes a user whose role is admin")
            .with("scope", scope)
            .with("user", &user.login)
            .hint(format!("leave the scope out, or: mosaic user set {} --role admin", user.login))),
        _ => Ok(()),
    }
}

async fn list(target: &Target, user: Option<&str>, json: bool) -> Result<()> {
    let mut tokens: Vec<mosaic_core::Token> = match user {
        Some(user) => {
            let user: User = target.find("login", user).await?;
            target.list(&[("user_id", &user.id.to_string())]).await?
        }
        None => target.list(&[]).await?,
    };
    tokens.sort_by_key(|token| std::cmp::Reverse((token.created_at, token.id)));
    if json {
        return output::json(&tokens.into_iter().map(Record::from).collect::<Vec<_>>());
    }
    let users = target.users().await?;
    output::table(
        &["ID", "USER", "NAME", "SCOPES", "EXPIRES", "LAST USED"].map(Column::Text),
        tokens.into_iter().map(|token| {
            let login = users.get(&token.user_id).map_or_else(|| token.user_id.to_string(), |user| user.login.clone());
            let scopes = token.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(",");
            let expires = token.expires_at.map_or_else(|| "never".to_owned(), |time| output::time(Some(time)));
            vec![token.id.to_string(), login, token.name, scopes, expires, output::time(token.last_used_at)]
        }),
    )
}
