//! What tasks and notes have in common, as options: for a new one, and for a change.

use std::process::ExitCode;

use clap::Args;
use mosaic_core::{Id, Kind, Result};
use serde_json::{Map, Value};

use super::body::Body;
use super::{editor, names, record};
use crate::cli::interrupt::interruptible;
use crate::cli::target::given;
use crate::client::Client;

/// The fields of a record, for a request.
pub(super) type Fields = Map<String, Value>;

/// What a new task or note is made from.
#[derive(Args)]
pub(super) struct New {
    /// The title; several words are one
    #[arg(required = true)]
    title: Vec<String>,
    #[command(flatten)]
    body: Body,
    /// The team whose space it lives in: slug or id [default: none; it is one's own]
    #[arg(long)]
    team: Option<String>,
    /// Give it a tag; once for each
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
}

impl New {
    /// The fields of the new record.
    pub(super) async fn fields(self, client: &Client) -> Result<Fields> {
        let team = names::team_field(client, self.team.as_deref()).await?;
        let mut fields = given([("title", Some(self.title.join(" "))), ("team_id", team), ("body", self.body.read().await?)]);
        fields.insert("tags".into(), self.tags.into());
        Ok(fields)
    }
}

/// What is changed of a task or note.
#[derive(Args)]
pub(super) struct Change {
    /// The id, in full
    #[arg(value_parser = record::id)]
    id: Id,
    /// New title
    #[arg(long)]
    title: Option<String>,
    #[command(flatten)]
    body: Body,
    /// Write the body in $VISUAL, $EDITOR or vi
    #[arg(long, conflicts_with_all = ["body", "body_file"])]
    edit: bool,
    /// Move it to this team's space: slug or id
    #[arg(long)]
    team: Option<String>,
    /// Move it to its owner's own space
    #[arg(long, conflicts_with = "team")]
    no_team: bool,
    /// New tags, in place of those that it has; once for each
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Remove its tags
    #[arg(long, conflicts_with = "tags")]
    no_tags: bool,
    #[command(flatten)]
    at: At,
}

/// Which state of a record is meant.
#[derive(Args)]
pub(super) struct At {
    /// Do it only at this revision, as `show` says it [default: the one that it is at now]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) revision: Option<u64>,
}

impl Change {
    /// Changes the record: these fields, and those of `more`; says what was done. What somebody else changed since it was read stays.
    pub(super) async fn apply(self, client: &Client, kind: Kind, more: Fields, json: bool) -> Result<ExitCode> {
        let Self { id, title, body, edit, team, no_team, tags, no_tags, at } = self;
        let read = async {
            let team = names::team_field(client, team.as_deref()).await?;
            Ok((record::read(client, kind, id).await?, given([("title", title), ("team_id", team), ("body", body.read().await?)])))
        };
        let (before, mut patch) = interruptible(read).await?;
        if no_team {
            patch.insert("team_id".into(), Value::Null);
        }
        if no_tags || !tags.is_empty() {
            patch.insert("tags".into(), tags.into());
        }
        patch.extend(more);
        let revision = at.revision.unwrap_or(before.revision());
        let after = if edit {
            record::check(&before, revision)?;
            let edited = editor::edit(before.passages().body).await?;
            patch.insert("body".into(), edited.text.as_str().into());
            match interruptible(record::change(client, kind, id, &patch, revision)).await {
                Ok(after) => after,
                Err(error) => return Err(record::kept(error, kind, id, edited.keep().as_deref())),
            }
        } else {
            interruptible(record::change(client, kind, id, &patch, revision)).await?
        };
        let what = if after.revision() == revision && !json { "nothing to change in" } else { "changed" };
        record::done(what, &after, json)?;
        Ok(ExitCode::SUCCESS)
    }
}
