//! `mosaic team`

use std::path::Path;
use std::process::ExitCode;

use clap::{ArgGroup, Args, Subcommand};
use mosaic_core::{Error, ErrorKind, Membership, Record, Result, User};
use serde_json::json;

use super::connect::Connect;
use super::output;
use super::table::Column;
use super::target::{Common, Target, given};
use crate::migration::Purpose;

const EXAMPLES: &str = "\
Examples:
  mosaic team add kiln --name 'Kiln crew'
  mosaic team member add kiln ada --role owner
  mosaic team members kiln

Teams are named by slug or id, users by login or id. Without --url, the gateway of this data must be stopped.";

/// Manage teams and who is in them
#[derive(Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub(super) struct Team {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List teams, by slug
    List,
    /// Add a team
    Add {
        /// Unique short name: a-z, 0-9, '.', '_' and '-'
        slug: String,
        /// The name people read [default: the slug]
        #[arg(long)]
        name: Option<String>,
    },
    /// Change a team: only what is given
    #[command(group = ArgGroup::new("change").required(true).multiple(true).args(["slug", "name"]))]
    Set {
        /// Slug or id
        team: String,
        /// New slug
        #[arg(long)]
        slug: Option<String>,
        /// New name
        #[arg(long)]
        name: Option<String>,
    },
    /// Remove a team that has no records, with its memberships
    Remove {
        /// Slug or id
        team: String,
    },
    /// List a team's members, by login
    Members {
        /// Slug or id
        team: String,
    },
    /// Add, change or remove a member
    #[command(subcommand, arg_required_else_help = true)]
    Member(Member),
}

#[derive(Subcommand)]
enum Member {
    /// Add a user to a team
    Add {
        /// The team's slug or id
        team: String,
        /// The user's login or id
        user: String,
        /// What they may do there: owners manage the team and its members
        #[arg(long, value_parser = ["member", "owner"], default_value = "member")]
        role: String,
    },
    /// Change a member's role
    Set {
        /// The team's slug or id
        team: String,
        /// The user's login or id
        user: String,
        /// What they may do there: owners manage the team and its members
        #[arg(long, value_parser = ["member", "owner"])]
        role: String,
    },
    /// Remove a user from a team; takes back what the user was assigned there
    Remove {
        /// The team's slug or id
        team: String,
        /// The user's login or id
        user: String,
    },
}

impl Team {
    pub(super) fn connect(&self) -> &Connect {
        &self.common.connect
    }

    pub(super) async fn run(self, config: Option<&Path>) -> Result<ExitCode> {
        let Self { common, command } = self;
        let json = common.json;
        common.on_target(config, "team", command.purpose(), |target| command.run(target, json)).await?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Command {
    fn purpose(&self) -> Purpose {
        match self {
            Self::List | Self::Members { .. } => Purpose::Read,
            _ => Purpose::Write,
        }
    }

    async fn run(self, target: Target, json: bool) -> Result<()> {
        match self {
            Self::List => list(target.list(&[]).await?, json),
            Self::Add { slug, name } => {
                let name = name.or_else(|| Some(slug.clone()));
                done("added", target.create(given([("slug", Some(slug)), ("name", name)])).await?, json)
            }
            Self::Set { team, slug, name } => {
                let team = find(&target, &team).await?;
                done("changed", target.update(team.id, &given([("slug", slug), ("name", name)])).await?, json)
            }
            Self::Remove { team } => {
                let team = find(&target, &team).await?;
                target.remove::<mosaic_core::Team>(team.id).await?;
                done("removed", team, json)
            }
            Self::Members { team } => members(&target, &find(&target, &team).await?, json).await,
            Self::Member(member) => member.run(&target, json).await,
        }
    }
}

impl Member {
    async fn run(self, target: &Target, json: bool) -> Result<()> {
        match self {
            Self::Add { team, user, role } => {
                let (team, user) = both(target, &team, &user).await?;
                let fields = given([("team_id", Some(team.id.to_string())), ("user_id", Some(user.id.to_string())), ("role", Some(role))]);
                let membership = target.create(fields).await.map_err(|error| member_already(error, &team, &user))?;
                placed("added", "to", &team, &user, membership, json)
            }
            Self::Set { team, user, role } => {
                let (team, user) = both(target, &team, &user).await?;
                let membership = membership(target, &team, &user).await?;
                let patch = given([("role", Some(role))]);
                placed("changed", "in", &team, &user, target.update(membership.id, &patch).await?, json)
            }
            Self::Remove { team, user } => {
                let (team, user) = both(target, &team, &user).await?;
                let membership = membership(target, &team, &user).await?;
                target.remove::<Membership>(membership.id).await?;
                placed("removed", "from", &team, &user, membership, json)
            }
        }
    }
}

async fn find(target: &Target, team: &str) -> Result<mosaic_core::Team> {
    target.find("slug", team).await
}

async fn both(target: &Target, team: &str, user: &str) -> Result<(mosaic_core::Team, User)> {
    Ok((find(target, team).await?, target.find("login", user).await?))
}

async fn membership(target: &Target, team: &mosaic_core::Team, user: &User) -> Result<Membership> {
    let filters: [(&str, &str); 2] = [("team_id", &team.id.to_string()), ("user_id", &user.id.to_string())];
    target.list(&filters).await?.pop().ok_or_else(|| {
        Error::new(ErrorKind::NotFound, "the user is not in the team")
            .with("user", &user.login)
            .with("team", &team.slug)
            .hint(format!("mosaic team member add {} {}", team.slug, user.login))
    })
}

fn list(mut teams: Vec<mosaic_core::Team>, json: bool) -> Result<()> {
    teams.sort_by(|a, b| a.slug.cmp(&b.slug));
    if json {
        return output::json(&teams.into_iter().map(Record::from).collect::<Vec<_>>());
    }
    output::table(
        &["SLUG", "NAME", "SINCE", "ID"].map(Column::Text),
        teams.into_iter().map(|team| vec![team.slug, team.name, output::time(Some(team.created_at)), team.id.to_string()]),
    )
}

async fn members(target: &Target, team: &mosaic_core::Team, json: bool) -> Result<()> {
    let mut memberships: Vec<Membership> = target.list(&[("team_id", &team.id.to_string())]).await?;
    let users = target.users().await?;
    memberships.sort_by_key(|membership| users.get(&membership.user_id).map(|user| user.login.clone()));
    if json {
        return output::json(&memberships.into_iter().map(Record::from).collect::<Vec<_>>());
    }
    output::table(
        &["LOGIN", "NAME", "ROLE", "SINCE"].map(Column::Text),
        memberships.into_iter().map(|membership| {
            let (login, name) = match users.get(&membership.user_id) {
                Some(user) => (user.login.clone(), user.name.clone()),
                None => (membership.user_id.to_string(), "-".to_owned()),
            };
            vec![login, name, membership.role.as_str().into(), output::time(Some(membership.created_at))]
        }),
    )
}

fn done(what: &str, team: mosaic_core::Team, json: bool) -> Result<()> {
    if json {
        return output::json(&json!({ what: Record::from(team) }));
    }
    output::line(&format!("{what} team {} ({})", team.slug, team.id))
}

fn placed(what: &str, place: &str, team: &mosaic_core::Team, user: &User, membership: Membership, json: bool) -> Result<()> {
    if json {
        return output::json(&json!({ what: Record::from(membership) }));
    }
    output::line(&format!("{what} {} {} {place} team {}", membership.role.as_str(), user.login, team.slug))
}

fn member_already(error: Error, team: &mosaic_core::Team, user: &User) -> Error {
    if error.kind() != ErrorKind::Conflict {
        return error;
    }
    Error::new(ErrorKind::Conflict, "the user has a membership in this team already")
        .with("user", &user.login)
        .with("team", &team.slug)
        .hint(format!("change the role: mosaic team member set {} {} --role ROLE", team.slug, user.login))
        .source(error)
}
