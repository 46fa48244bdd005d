//! `mosaic session`

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use mosaic_core::{Id, Kind, Message, Record, Result, SessionStatus};
use serde_json::json;

use super::fields::Fields;
use super::list::Range;
use super::record::{Remove, Show, id};
use super::{Common, View, done, names, record};
use crate::cli::output;
use crate::cli::table::{Cell, Column};
use crate::cli::terminal::{Screen, Style, visible, visible_lines};
use crate::cli::when::{day, shown};
use crate::client::Client;

const EXAMPLES: &str = "\
Examples:
  mosaic session list --status open
  mosaic session show 0198c5a2-7b1e-7c3d-9f00-1a2b3c4d5e6f
  mosaic session close 0198c5a2-7b1e-7c3d-9f00-1a2b3c4d5e6f

`mosaic chat` begins sessions and talks in them. Sessions are named by id, as `list` shows it.
A running gateway is needed: give its url with --url or MOSAIC_URL.";

/// Look after conversations with the agent
#[derive(Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub(in crate::cli) struct Session {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List sessions, the last changed first
    List(List),
    /// Show what was said in a session
    Show(Show),
    /// Stop the turn that is running in a session
    Stop(Which),
    /// Close a session: it takes no messages until it is opened again
    Close(Which),
    /// Open a session again
    Reopen(Which),
    /// Remove a session with all that was said in it
    Remove(Remove),
}

#[derive(Args)]
struct List {
    /// Only those in this team's space: slug or id
    #[arg(long)]
    team: Option<String>,
    /// Only those that are open, or closed
    #[arg(long)]
    status: Option<Status>,
    #[command(flatten)]
    range: Range,
    #[command(flatten)]
    view: View,
}

#[derive(Clone, Copy, ValueEnum)]
enum Status {
    Open,
    Closed,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Open => SessionStatus::Open.as_str(),
            Self::Closed => SessionStatus::Closed.as_str(),
        }
    }
}

#[derive(Args)]
struct Which {
    /// The id, in full
    #[arg(value_parser = id)]
    id: Id,
}

impl Session {
    pub(in crate::cli) fn check(&self, config: Option<&Path>) -> Result<(), String> {
        self.common.gateway.check(config)
    }

    pub(in crate::cli) async fn run(self) -> Result<ExitCode> {
        let (client, json) = (self.common.gateway.client()?, self.common.json);
        match self.command {
            Command::List(list) => done(list.run(client, json)).await,
            Command::Show(which) => done(show(which, client, json)).await,
            Command::Stop(which) => done(stop(which, client, json)).await,
            Command::Close(which) => done(turn(which, client, "closed", Status::Closed, json)).await,
            Command::Reopen(which) => done(turn(which, client, "reopened", Status::Open, json)).await,
            Command::Remove(remove) => done(remove.run(&client, Kind::Session, json)).await,
        }
    }
}

impl List {
    async fn run(self, client: Client, json: bool) -> Result<()> {
        let client = self.view.of(client);
        let team = names::team_field(&client, self.team.as_deref()).await?;
        let mut filters: Vec<_> = team.iter().map(|team| ("space_id", team.as_str())).collect();
        filters.extend(self.status.map(|status| ("status", status.as_str())));
        let found = self.range.read(&client, Kind::Session, &[filters]).await?;
        if json {
            output::json(&found.records)?;
        } else if !found.records.is_empty() {
            let sessions = found.records.iter().cloned().map(mosaic_core::Session::try_from).collect::<Result<Vec<_>>>()?;
            let logins = names::of(&client, Kind::User, sessions.iter().map(|session| Some(session.owner_id))).await?;
            let rows = sessions.into_iter().map(|session| {
                let style = if session.status == SessionStatus::Open { Style::Active } else { Style::Faint };
                let status = Cell::new(session.status.as_str(), style);
                let owner = logins.get(Some(session.owner_id));
                let id = Cell::new(session.id.to_string(), Style::Faint);
                vec![day(session.created_at).into(), status, owner.into(), session.title.into(), id]
            });
            let columns = [Column::Text("BEGUN"), Column::Text("STATUS"), Column::Text("OWNER"), Column::Cut("TITLE"), Column::Key("ID")];
            output::table(&columns, rows)?;
        }
        self.range.say_more(Kind::Session, &found, &self.view);
        Ok(())
    }
}

async fn show(which: Show, client: Client, json: bool) -> Result<()> {
    let (client, record) = which.read(client, Kind::Session).await?;
    let (said, _) = client.last_said(record.id(), usize::MAX).await?;
    if json {
        return output::json(&json!({ "session": record, "messages": said.into_iter().map(Record::from).collect::<Vec<_>>() }));
    }
    let session = mosaic_core::Session::try_from(record)?;
    let screen = Screen::of_stdout();
    output::write(&screen.paint(&visible(&session.title), Style::Strong))?;
    let about = format!("{}, begun {}, {}", session.status.as_str(), shown(session.created_at), session.id);
    output::write(&screen.paint(&about, Style::Faint))?;
    said.iter().try_for_each(|message| output::write(&sheet(message, screen)))
}

/// A message: who said it and when, and what.
fn sheet(message: &Message, screen: Screen) -> String {
    let mut head = format!("{} · {}", message.role.as_str(), shown(message.created_at));
    if let Some(finish) = message.finish.filter(|finish| *finish != mosaic_core::Finish::Answered) {
        head.extend([" · ", finish.as_str()]);
    }
    let mut text = format!("\n{}", screen.paint(&head, Style::Faint));
    for part in [&message.content, message.error.as_ref().unwrap_or(&String::new())] {
        if !part.is_empty() {
            text.extend(["\n", visible_lines(part).trim_end_matches('\n')]);
        }
    }
    for call in &message.tool_calls {
        text.extend(["\n", &screen.paint(&visible(&format!("· {} {}", call.name, call.arguments)), Style::Faint)]);
    }
    text
}

async fn stop(which: Which, client: Client, json: bool) -> Result<()> {
    client.stop(which.id).await?;
    record::done("stopped", &record::read(&client, Kind::Session, which.id).await?, json)
}

async fn turn(which: Which, client: Client, what: &str, status: Status, json: bool) -> Result<()> {
    let present = record::read(&client, Kind::Session, which.id).await?;
    let patch = Fields::from_iter([("status".to_owned(), status.as_str().into())]);
    record::done(what, &record::change(&client, Kind::Session, which.id, &patch, present.revision()).await?, json)
}
