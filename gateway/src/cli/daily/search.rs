//! `mosaic search`

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use clap::builder::PossibleValuesParser;
use mosaic_core::search::SEARCH_HITS;
use mosaic_core::{Hit, Kind, Result};
use serde_json::Value;

use super::{Common, View, done, names};
use crate::cli::output;
use crate::cli::target::given;
use crate::cli::terminal::{Screen, Style, visible};
use crate::cli::when::day;
use crate::client::Client;
use crate::search::Found;

const EXAMPLES: &str = "\
Examples:
  mosaic search glaze order
  mosaic search in-place updates --kind note,task --team kiln
  mosaic search kiln --json | jq -r '.items[].id'

Found is what holds every word, in any case, with or without accents, and, where the gateway has an embedding
model, what means the like; the best comes first. --by words leaves the model out.
A running gateway is needed: give its url with --url or MOSAIC_URL.";

/// Find tasks, notes and messages by their words, and by what they mean
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Search {
    /// What to look for
    #[arg(required = true)]
    words: Vec<String>,
    /// Only these kinds
    #[arg(
        long, value_name = "KIND,…", value_delimiter = ',',
        value_parser = PossibleValuesParser::new(Kind::searched().map(Kind::singular)),
    )]
    kind: Vec<String>,
    /// Go by this alone
    #[arg(long, value_name = "WHAT", value_parser = PossibleValuesParser::new(["words"]))]
    by: Option<String>,
    /// Only in this team's space: slug or id
    #[arg(long)]
    team: Option<String>,
    /// Show so many, 1 to 100
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u16).range(1..=SEARCH_HITS as i64))]
    limit: u16,
    #[command(flatten)]
    view: View,
    #[command(flatten)]
    common: Common,
}

impl Search {
    pub(in crate::cli) fn check(&self, config: Option<&Path>) -> Result<(), String> {
        self.common.gateway.check(config)
    }

    pub(in crate::cli) async fn run(self) -> Result<ExitCode> {
        let client = self.view.of(self.common.gateway.client()?);
        done(self.find(client)).await
    }

    async fn find(self, client: Client) -> Result<()> {
        let team = names::team_field(&client, self.team.as_deref()).await?;
        let mut wanted = given([("q", Some(self.words.join(" "))), ("space_id", team), ("by", self.by)]);
        wanted.insert("limit".into(), self.limit.into());
        if !self.kind.is_empty() {
            wanted.insert("kind".into(), self.kind.into());
        }
        if self.common.json {
            return output::json(&client.search::<Value>(&wanted).await?);
        }
        let Found { items, .. } = client.search(&wanted).await?;
        if items.is_empty() {
            output::note("nothing that you may see holds all of these words");
            return Ok(());
        }
        let screen = Screen::of_stdout();
        output::write(&items.iter().map(|hit| shown(hit, screen)).collect::<Vec<_>>().join("\n\n"))?;
        if items.len() >= usize::from(self.limit) {
            let best = if items.len() == 1 { "this is the best one".into() } else { format!("these are the {} best", items.len()) };
            output::note(&format!("{best}; there may be more: add a word, or --limit N up to {SEARCH_HITS}"));
        }
        Ok(())
    }
}

/// A hit: what it is, what of it was found, and how to get at it.
fn shown(hit: &Hit, screen: Screen) -> String {
    let mut lines =
        vec![format!("{}  {}", screen.paint(hit.kind.singular(), Style::Active), screen.paint(&visible(&hit.title), Style::Strong))];
    let excerpt: String = hit
        .excerpt
        .iter()
        .map(|piece| screen.paint(&visible(&piece.text), if piece.found { Style::Found } else { Style::Plain }))
        .collect();
    if !excerpt.trim().is_empty() {
        lines.push(format!("  {}", excerpt.trim()));
    }
    let session = hit.session_id.map(|id| format!("  session {id}")).unwrap_or_default();
    lines.push(format!("  {}", screen.paint(&format!("{}{session}  {}", hit.id, day(hit.updated_at)), Style::Faint)));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hit_shows_what_was_found_and_where() {
        let hit: Hit = serde_json::from_value(serde_json::json!({
            "kind": "message", "id": "0198c5a2-7b1e-7c3d-9f00-1a2b3c4d5e6f", "space_id": "0198c5a2-7b1e-7c3d-9f00-1a2b3c4d5e6f",
            "session_id": "0298c5a2-7b1e-7c3d-9f00-1a2b3c4d5e6f", "title": "A\u{1b}talk", "excerpt": [{ "text": "the " }, { "text": "kiln", "found": true }],
            "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-02T00:00:00Z", "of_a_later_version": true,
        }))
        .unwrap();
        let id = "0198c5a2-7b1e-7c3d-9f00-1a2b3c4d5e6f";
        assert_eq!(
            shown(&hit, Screen::default()),
            format!("message  A\u{fffd}talk\n  the kiln\n  {id}  session 02{}  2026-01-02", &id[2..])
        );
        assert!(shown(&hit, Screen { width: None, colours: true }).contains("the \u{1b}[1;33mkiln\u{1b}[0m"));
    }
}
