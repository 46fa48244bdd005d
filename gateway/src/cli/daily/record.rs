//! One task or note: reading, changing, removing and showing it, in the same words for both.

use std::path::Path;

use clap::Args;
use mosaic_core::{Error, ErrorKind, Id, Kind, Record, Result};
use serde_json::json;

use super::fields::{At, Fields};
use super::{View, names};
use crate::cli::output;
use crate::cli::terminal::{Screen, Style, visible, visible_lines, width};
use crate::cli::when::shown;
use crate::client::Client;

/// Which one to show.
#[derive(Args)]
pub(super) struct Show {
    /// The id, in full
    #[arg(value_parser = id)]
    id: Id,
    #[command(flatten)]
    view: View,
}

/// Which one to remove.
#[derive(Args)]
pub(super) struct Remove {
    /// The id, in full
    #[arg(value_parser = id)]
    id: Id,
    #[command(flatten)]
    at: At,
}

impl Show {
    /// Reads it, and answers with what it was read by. Who sees no such record may be an operator.
    pub(super) async fn read(self, client: Client, kind: Kind) -> Result<(Client, Record)> {
        let elsewhere = self.view.elsewhere();
        let client = self.view.of(client);
        let record = read(&client, kind, self.id).await.map_err(|error| match error.hint_text() {
            Some(hint) if error.kind() == ErrorKind::NotFound => {
                let hint = format!("{hint}{elsewhere}");
                error.hint(hint)
            }
            _ => error,
        })?;
        Ok((client, record))
    }
}

impl Remove {
    /// Removes it, and says what it was.
    pub(super) async fn run(self, client: &Client, kind: Kind, json: bool) -> Result<()> {
        let record = read(client, kind, self.id).await?;
        let revision = self.at.revision.unwrap_or(record.revision());
        client.delete(kind, self.id, Some(revision)).await.map_err(|error| explained(error, kind, self.id))?;
        done("removed", &record, json)
    }
}

/// Reads an id. The API finds no record by a part of one, and a guess might change another.
pub(in crate::cli) fn id(text: &str) -> Result<Id> {
    text.parse().map_err(|_| Error::invalid("give the id in full, 36 characters, as `list` and `search` show it"))
}

/// Reads one.
pub(super) async fn read(client: &Client, kind: Kind, id: Id) -> Result<Record> {
    client.get(kind, id).await.map_err(|error| explained(error, kind, id))
}

/// Changes one that is at this revision.
pub(super) async fn change(client: &Client, kind: Kind, id: Id, patch: &Fields, revision: u64) -> Result<Record> {
    client.update(kind, id, patch, Some(revision)).await.map_err(|error| explained(error, kind, id))
}

/// Refuses one that is at another revision.
pub(super) fn check(record: &Record, revision: u64) -> Result<()> {
    let (kind, id) = (record.kind(), record.id());
    if record.revision() == revision { Ok(()) } else { Err(explained(Error::stale(kind, id, record.revision()), kind, id)) }
}

/// Says what to do about it in commands.
fn explained(error: Error, kind: Kind, id: Id) -> Error {
    match error.kind() {
        ErrorKind::NotFound => error.hint(format!("look for it: mosaic {kind} list --all")),
        ErrorKind::Stale => error.hint(format!("nothing was changed; see what is new, then do it again: mosaic {kind} show {id}")),
        _ => error,
    }
}

/// Says of a change that was not made where its body is, and how it is made once more.
pub(super) fn kept(error: Error, kind: Kind, id: Id, body: Option<&Path>) -> Error {
    let Some(body) = body else { return error };
    let again = format!("mosaic {kind} set {id} --body-file {}", body.display());
    match (error.kind(), error.hint_text()) {
        (ErrorKind::Stale, _) => error
            .hint(format!("nothing was changed, and what you wrote is kept: see what is new with mosaic {kind} show {id}, then {again}")),
        (_, None) => error.hint(format!("what you wrote is kept: {again}")),
        (_, Some(hint)) => {
            let hint = format!("{hint}; what you wrote is kept: {again}");
            error.hint(hint)
        }
    }
}

/// Says what was done.
pub(super) fn done(what: &str, record: &Record, json: bool) -> Result<()> {
    if json {
        return output::json(&json!({ what: record }));
    }
    let title = match record {
        Record::Session(session) => &session.title,
        record => record.passages().title,
    };
    output::line(&format!("{what} {} {title} ({})", record.kind(), record.id()))
}

/// Shows one: its title, what else it says of itself (what is empty is left out), and its body as it is.
pub(super) async fn show(client: &Client, record: &Record, own: Vec<(&str, String)>, owner: Id, team: Option<Id>) -> Result<()> {
    let owner = names::of(client, Kind::User, [Some(owner)]).await?.get(Some(owner));
    let team = names::of(client, Kind::Team, [team]).await?.get(team);
    let passages = record.passages();
    let mut facts = own;
    facts.extend([
        ("owner", owner),
        ("team", team),
        ("tags", passages.tags.join(", ")),
        ("created", shown(record.created_at())),
        ("updated", shown(record.updated_at())),
        ("revision", record.revision().to_string()),
        ("id", record.id().to_string()),
    ]);
    facts.retain(|(_, value)| !value.is_empty());
    output::write(&sheet(passages.title, &facts, passages.body, Screen::of_stdout()))
}

fn sheet(title: &str, facts: &[(&str, String)], body: &str, screen: Screen) -> String {
    let room = facts.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    let mut text = screen.paint(&visible(title), Style::Strong);
    for (name, value) in facts {
        let padding = " ".repeat(room - width(name));
        text.extend(["\n", &screen.paint(name, Style::Faint), &padding, "  ", &visible(value)]);
    }
    if !body.is_empty() {
        text.extend(["\n\n", visible_lines(body).trim_end_matches('\n')]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_has_the_facts_below_the_title_and_the_body_below_them() {
        let facts = [("status", "open".to_owned()), ("id", "7\u{1b}".to_owned())];
        assert_eq!(
            sheet("A\ntitle", &facts, "# Body\n\n  as\tit is\n\n", Screen::default()),
            "A title\nstatus  open\nid      7\u{fffd}\n\n# Body\n\n  as\tit is"
        );
        assert_eq!(sheet("A", &facts[..1], "", Screen::default()), "A\nstatus  open");
    }
}
