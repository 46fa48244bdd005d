//! `mosaic task`

use std::path::Path;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use mosaic_core::{Clock as _, Kind, Result, SystemClock, TaskStatus};
use serde_json::Value;

use super::fields::{Change, Fields, New};
use super::list::Range;
use super::record::{Remove, Show};
use super::{Common, View, done, names, record};
use crate::cli::interrupt::interruptible;
use crate::cli::output;
use crate::cli::table::{Cell, Column};
use crate::cli::terminal::Style;
use crate::cli::when::{When, day, shown};
use crate::client::Client;

const EXAMPLES: &str = "\
Examples:
  mosaic task add Order new shelves --team kiln --priority high --due 2w --assignee me
  mosaic task list --assignee me --status open,in_progress
  mosaic task set 0198c5a2-7b1e-7c3d-9f00-1a2b3c4d5e6f --status done
  mosaic task show 0198c5a2-7b1e-7c3d-9f00-1a2b3c4d5e6f

Tasks are named by id, as `list` shows it, teams by slug or id, users by login or id, or me.
A running gateway is needed: give its url with --url or MOSAIC_URL.";

/// Keep tasks
#[derive(Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub(in crate::cli) struct Task {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List tasks, the last changed first
    List(List),
    /// Show a task in full
    Show(Show),
    /// Add a task
    Add(Add),
    /// Change a task: only what is given
    Set(Set),
    /// Remove a task
    Remove(Remove),
}

#[derive(Args)]
struct List {
    /// Only those with one of these statuses
    #[arg(long, value_name = "STATUS,…", value_delimiter = ',', value_parser = statuses())]
    status: Vec<String>,
    /// Only those assigned to this user: login, id or me
    #[arg(long, value_name = "USER")]
    assignee: Option<String>,
    /// Only those in this team's space: slug or id
    #[arg(long)]
    team: Option<String>,
    #[command(flatten)]
    range: Range,
    #[command(flatten)]
    view: View,
}

#[derive(Args)]
struct Add {
    #[command(flatten)]
    new: New,
    /// Who is to do it: login, id or me
    #[arg(long, value_name = "USER")]
    assignee: Option<String>,
    #[command(flatten)]
    own: Own,
}

#[derive(Args)]
#[command(override_usage = "mosaic task set [OPTIONS] <ID>", group = ArgGroup::new("change").required(true).multiple(true).args([
    "title", "body", "body_file", "edit", "team", "no_team", "tags", "no_tags", "status", "priority", "due", "no_due", "assignee", "no_assignee",
]))]
struct Set {
    #[command(flatten)]
    change: Change,
    /// Who is to do it: login, id or me
    #[arg(long, value_name = "USER")]
    assignee: Option<String>,
    /// Take it back from whoever it is assigned to
    #[arg(long, conflicts_with = "assignee")]
    no_assignee: bool,
    #[command(flatten)]
    own: Own,
    /// Remove the time when it is due
    #[arg(long, conflicts_with = "due")]
    no_due: bool,
}

/// What a task has and a note has not.
#[derive(Args)]
struct Own {
    /// How far it is
    #[arg(long, value_parser = statuses())]
    status: Option<String>,
    /// How urgent it is
    #[arg(long)]
    priority: Option<Priority>,
    /// When it is to be done: in 2w, 3d, 12h, on 2027-01-01, or at 2027-01-01T12:00:00Z
    #[arg(long, value_name = "WHEN")]
    due: Option<When>,
}

/// How urgent a task is, in the order of the API's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Priority {
    None,
    Urgent,
    High,
    Normal,
    Low,
}

fn statuses() -> PossibleValuesParser {
    PossibleValuesParser::new(TaskStatus::ALL.iter().map(|status| status.as_str()))
}

impl Own {
    fn fields(self) -> Fields {
        let mut fields = Fields::new();
        fields.extend(self.status.map(|status| ("status".into(), status.into())));
        fields.extend(self.priority.map(|priority| ("priority".into(), Value::from(priority as u8))));
        fields.extend(self.due.map(|due| ("due_at".into(), due.after(SystemClock.now()).to_string().into())));
        fields
    }
}

impl Task {
    pub(in crate::cli) fn check(&self, config: Option<&Path>) -> Result<(), String> {
        self.common.gateway.check(config)
    }

    pub(in crate::cli) async fn run(self) -> Result<ExitCode> {
        let (client, json) = (self.common.gateway.client()?, self.common.json);
        match self.command {
            Command::List(list) => done(list.run(client, json)).await,
            Command::Show(which) => done(show(which, client, json)).await,
            Command::Add(add) => done(add.run(&client, json)).await,
            Command::Set(set) => set.run(&client, json).await,
            Command::Remove(remove) => done(remove.run(&client, Kind::Task, json)).await,
        }
    }
}

impl Add {
    async fn run(self, client: &Client, json: bool) -> Result<()> {
        let mut fields = self.new.fields(client).await?;
        fields.extend(self.own.fields());
        if let Some(user) = &self.assignee {
            fields.insert("assignee_id".into(), names::user(client, user).await?.to_string().into());
        }
        record::done("added", &client.create(Kind::Task, fields).await?, json)
    }
}

impl Set {
    async fn run(self, client: &Client, json: bool) -> Result<ExitCode> {
        let mut fields = self.own.fields();
        if let Some(user) = &self.assignee {
            fields.insert("assignee_id".into(), interruptible(names::user(client, user)).await?.to_string().into());
        }
        for (name, removed) in [("assignee_id", self.no_assignee), ("due_at", self.no_due)] {
            if removed {
                fields.insert(name.into(), Value::Null);
            }
        }
        self.change.apply(client, Kind::Task, fields, json).await
    }
}

impl List {
    async fn run(self, client: Client, json: bool) -> Result<()> {
        let client = self.view.of(client);
        let mut filters = Vec::new();
        if let Some(team) = &self.team {
            filters.push(("space_id", names::team(&client, team).await?.to_string()));
        }
        if let Some(user) = &self.assignee {
            filters.push(("assignee_id", names::user(&client, user).await?.to_string()));
        }
        let filters: Vec<_> = filters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        // The API's list has one status, or all.
        let mut lists: Vec<_> = self.status.iter().map(|status| [filters.as_slice(), &[("status", status.as_str())]].concat()).collect();
        lists.sort_unstable();
        lists.dedup();
        if lists.is_empty() {
            lists.push(filters);
        }
        let found = self.range.read(&client, Kind::Task, &lists).await?;
        if json {
            output::json(&found.records)?;
        } else if !found.records.is_empty() {
            table(&client, found.records.iter().cloned().map(mosaic_core::Task::try_from).collect::<Result<Vec<_>>>()?).await?;
        }
        self.range.say_more(Kind::Task, &found, &self.view);
        Ok(())
    }
}

async fn table(client: &Client, tasks: Vec<mosaic_core::Task>) -> Result<()> {
    let logins = names::of(client, Kind::User, tasks.iter().map(|task| task.assignee_id)).await?;
    let now = SystemClock.now();
    let columns = [
        Column::Text("STATUS"),
        Column::Spare("PRIORITY"),
        Column::Spare("DUE"),
        Column::Spare("ASSIGNEE"),
        Column::Cut("TITLE"),
        Column::Key("ID"),
    ];
    let rows = tasks.into_iter().map(|task| {
        let closed = matches!(task.status, TaskStatus::Done | TaskStatus::Cancelled);
        let late = !closed && task.due_at.is_some_and(|due| due < now);
        let pressing = if task.priority == Priority::Urgent as u8 && !closed { Style::Bad } else { Style::Plain };
        vec![
            Cell::new(task.status.as_str(), style(task.status)),
            Cell::new(priority(task.priority), pressing),
            Cell::new(task.due_at.map(day).unwrap_or_default(), if late { Style::Bad } else { Style::Plain }),
            logins.get(task.assignee_id).into(),
            Cell::new(task.title, if closed { Style::Faint } else { Style::Plain }),
            Cell::new(task.id.to_string(), Style::Faint),
        ]
    });
    output::table(&columns, rows)
}

fn style(status: TaskStatus) -> Style {
    match status {
        TaskStatus::Open => Style::Plain,
        TaskStatus::InProgress => Style::Active,
        TaskStatus::Blocked => Style::Bad,
        TaskStatus::Done => Style::Good,
        TaskStatus::Cancelled => Style::Faint,
    }
}

/// The name of a priority by its number; nothing for none.
fn priority(number: u8) -> String {
    let named = Priority::value_variants().iter().find(|priority| **priority as u8 == number && **priority != Priority::None);
    named.and_then(ValueEnum::to_possible_value).map(|value| value.get_name().to_owned()).unwrap_or_default()
}

async fn show(which: Show, client: Client, json: bool) -> Result<()> {
    let (client, record) = which.read(client, Kind::Task).await?;
    if json {
        return output::json(&record);
    }
    let task = mosaic_core::Task::try_from(record.clone())?;
    let assignee = names::of(&client, Kind::User, [task.assignee_id]).await?.get(task.assignee_id);
    let own = vec![
        ("status", task.status.as_str().to_owned()),
        ("priority", priority(task.priority)),
        ("due", task.due_at.map(shown).unwrap_or_default()),
        ("assignee", assignee),
    ];
    record::show(&client, &record, own, task.owner_id, task.team_id).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_have_the_numbers_of_the_model() {
        assert_eq!([0, 1, 2, 3, 4, 5].map(priority), ["", "urgent", "high", "normal", "low", ""]);
    }
}
