//! `mosaic note`

use std::path::Path;
use std::process::ExitCode;

use clap::{ArgGroup, Args, Subcommand};
use mosaic_core::{Kind, Result};

use super::fields::{Change, Fields, New};
use super::list::Range;
use super::record::{Remove, Show};
use super::{Common, View, done, names, record};
use crate::cli::output;
use crate::cli::table::{Cell, Column};
use crate::cli::terminal::Style;
use crate::cli::when::day;
use crate::client::Client;

const EXAMPLES: &str = "\
Examples:
  mosaic note add How the kiln is lit --team kiln --body-file lighting.md
  mosaic note list --team kiln
  mosaic note set 0198c5a2-7b1e-7c3d-9f00-1a2b3c4d5e6f --edit

Notes are named by id, as `list` shows it, teams by slug or id.
A running gateway is needed: give its url with --url or MOSAIC_URL.";

/// Keep notes
#[derive(Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub(in crate::cli) struct Note {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List notes, the last changed first
    List(List),
    /// Show a note in full
    Show(Show),
    /// Add a note
    Add(New),
    /// Change a note: only what is given
    Set(Set),
    /// Remove a note
    Remove(Remove),
}

#[derive(Args)]
struct List {
    /// Only those in this team's space: slug or id
    #[arg(long)]
    team: Option<String>,
    #[command(flatten)]
    range: Range,
    #[command(flatten)]
    view: View,
}

#[derive(Args)]
#[command(override_usage = "mosaic note set [OPTIONS] <ID>", group = ArgGroup::new("change").required(true).multiple(true)
    .args(["title", "body", "body_file", "edit", "team", "no_team", "tags", "no_tags"]))]
struct Set {
    #[command(flatten)]
    change: Change,
}

impl Note {
    pub(in crate::cli) fn check(&self, config: Option<&Path>) -> Result<(), String> {
        self.common.gateway.check(config)
    }

    pub(in crate::cli) async fn run(self) -> Result<ExitCode> {
        let (client, json) = (self.common.gateway.client()?, self.common.json);
        match self.command {
            Command::List(list) => done(list.run(client, json)).await,
            Command::Show(which) => done(show(which, client, json)).await,
            Command::Add(new) => {
                done(async {
                    let fields = new.fields(&client).await?;
                    record::done("added", &client.create(Kind::Note, fields).await?, json)
                })
                .await
            }
            Command::Set(set) => set.change.apply(&client, Kind::Note, Fields::new(), json).await,
            Command::Remove(remove) => done(remove.run(&client, Kind::Note, json)).await,
        }
    }
}

impl List {
    async fn run(self, client: Client, json: bool) -> Result<()> {
        let client = self.view.of(client);
        let team = names::team_field(&client, self.team.as_deref()).await?;
        let filters = team.iter().map(|team| ("space_id", team.as_str())).collect();
        let found = self.range.read(&client, Kind::Note, &[filters]).await?;
        if json {
            output::json(&found.records)?;
        } else if !found.records.is_empty() {
            let notes = found.records.iter().cloned().map(mosaic_core::Note::try_from).collect::<Result<Vec<_>>>()?;
            let logins = names::of(&client, Kind::User, notes.iter().map(|note| Some(note.owner_id))).await?;
            let rows = notes.into_iter().map(|note| {
                let owner = logins.get(Some(note.owner_id));
                vec![day(note.updated_at).into(), owner.into(), note.title.into(), Cell::new(note.id.to_string(), Style::Faint)]
            });
            output::table(&[Column::Text("UPDATED"), Column::Text("OWNER"), Column::Cut("TITLE"), Column::Key("ID")], rows)?;
        }
        self.range.say_more(Kind::Note, &found, &self.view);
        Ok(())
    }
}

async fn show(which: Show, client: Client, json: bool) -> Result<()> {
    let (client, record) = which.read(client, Kind::Note).await?;
    if json {
        return output::json(&record);
    }
    let note = mosaic_core::Note::try_from(record.clone())?;
    record::show(&client, &record, Vec::new(), note.owner_id, note.team_id).await
}
