//! `mosaic user`

use std::path::Path;
use std::process::ExitCode;

use clap::{ArgGroup, Args, Subcommand};
use mosaic_core::{Record, Result};
use serde_json::{Value, json};

use super::connect::Connect;
use super::output;
use super::table::Column;
use super::target::{Common, Target, given};
use crate::migration::Purpose;

const EXAMPLES: &str = "\
Examples:
  mosaic user add ada --name 'Ada Lovelace' --email ada@example.org
  mosaic user set ada --role admin
  mosaic user list --url http://127.0.0.1:7420

Users are named by login or id. Without --url, the gateway of this data must be stopped.";

/// Manage users
#[derive(Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub(super) struct User {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List users, by login
    List,
    /// Add a user
    Add(Add),
    /// Change a user: only what is given
    Set(Set),
    /// Remove a user who owns no records, with their memberships and tokens
    Remove {
        /// Login or id
        user: String,
    },
}

#[derive(Args)]
struct Add {
    /// Unique short name: a-z, 0-9, '.', '_' and '-'
    login: String,
    /// The name people read [default: the login]
    #[arg(long)]
    name: Option<String>,
    /// Email address
    #[arg(long)]
    email: Option<String>,
    /// Whether they may manage accounts
    #[arg(long, value_parser = ["member", "admin"], default_value = "member")]
    role: String,
}

#[derive(Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true).args(["login", "name", "email", "no_email", "role"]))]
struct Set {
    /// Login or id
    user: String,
    /// New login
    #[arg(long)]
    login: Option<String>,
    /// New name
    #[arg(long)]
    name: Option<String>,
    /// New email address
    #[arg(long, conflicts_with = "no_email")]
    email: Option<String>,
    /// Remove the email address
    #[arg(long)]
    no_email: bool,
    /// New role
    #[arg(long, value_parser = ["member", "admin"])]
    role: Option<String>,
}

impl User {
    pub(super) fn connect(&self) -> &Connect {
        &self.common.connect
    }

    pub(super) async fn run(self, config: Option<&Path>) -> Result<ExitCode> {
        let Self { common, command } = self;
        let json = common.json;
        common.on_target(config, "user", command.purpose(), |target| command.run(target, json)).await?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Command {
    fn purpose(&self) -> Purpose {
        match self {
            Self::List => Purpose::Read,
            _ => Purpose::Write,
        }
    }

    async fn run(self, target: Target, json: bool) -> Result<()> {
        match self {
            Self::List => list(target.list(&[]).await?, json),
            Self::Add(add) => {
                let name = add.name.or_else(|| Some(add.login.clone()));
                let fields = given([("login", Some(add.login)), ("name", name), ("email", add.email), ("role", Some(add.role))]);
                done("added", target.create(fields).await?, json)
            }
            Self::Set(set) => {
                let user: mosaic_core::User = target.find("login", &set.user).await?;
                let mut patch = given([("login", set.login), ("name", set.name), ("email", set.email), ("role", set.role)]);
                if set.no_email {
                    patch.insert("email".into(), Value::Null);
                }
                done("changed", target.update(user.id, &patch).await?, json)
            }
            Self::Remove { user } => {
                let user: mosaic_core::User = target.find("login", &user).await?;
                target.remove::<mosaic_core::User>(user.id).await?;
                done("removed", user, json)
            }
        }
    }
}

fn list(mut users: Vec<mosaic_core::User>, json: bool) -> Result<()> {
    users.sort_by(|a, b| a.login.cmp(&b.login));
    if json {
        return output::json(&users.into_iter().map(Record::from).collect::<Vec<_>>());
    }
    let columns = ["LOGIN", "NAME", "ROLE", "EMAIL", "SINCE", "ID"].map(Column::Text);
    output::table(
        &columns,
        users.into_iter().map(|user| {
            let email = user.email.unwrap_or_else(|| "-".into());
            vec![user.login, user.name, user.role.as_str().into(), email, output::time(Some(user.created_at)), user.id.to_string()]
        }),
    )
}

fn done(what: &str, user: mosaic_core::User, json: bool) -> Result<()> {
    if json {
        return output::json(&json!({ what: Record::from(user) }));
    }
    output::line(&format!("{what} user {} ({})", user.login, user.id))
}
