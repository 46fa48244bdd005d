//! `mosaic migrate`

mod answer;
mod bars;
mod confirm;
mod undo;

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use indicatif::HumanCount;
use mosaic_core::{Error, Result};

use super::interrupt::interruptible;
use super::output;
use super::progress::waiting;
use crate::config::Config;
use crate::migration::{Migration, Moved, Outcome, Plan, Progress, Survey};
use crate::shell::quoted;
use answer::Answer;
use bars::Bars;

const EXAMPLES: &str = "\
Examples:
  mosaic migrate tier --to federated --dry-run
  mosaic migrate tier --to federated
  mosaic migrate tier --to federated --config team.json --yes
  mosaic migrate tier --to federated --abort

The target is the section of that tier in the config; its database is empty, or holds no more than a first start makes. The gateways on
both must be stopped. Every record is read back and compared before anything counts; a move that was interrupted, however it was, goes on
when it is run again. The source keeps its records, and the old config stays.

Exit codes: 0 done, or nothing to do; 1 failed, or blocked; 2 wrong usage.";

/// What to do about a move that broke off.
const GO_ON: &str = "run it again: it goes on where it stopped; a move is undone with --abort";

/// Move data
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub(super) struct Migrate {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Tier(Tier),
}

/// Move everything up to another tier
#[derive(Args)]
#[command(after_help = EXAMPLES)]
struct Tier {
    /// The tier to move to, which has its section in the config
    #[arg(long, value_name = "TIER")]
    to: String,
    /// Say what would be done, and what stands in the way; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Undo a move that has not come to its end: what it made in the target is removed, and the source is free again
    #[arg(long, conflicts_with = "dry_run")]
    abort: bool,
    /// Return to the source of a move, whatever became of the target, which stays as it is
    #[arg(long = "return", conflicts_with_all = ["dry_run", "abort"])]
    give_up: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Migrate {
    pub(super) async fn run(self, config: Option<&Path>) -> Result<ExitCode> {
        let Command::Tier(tier) = self.command;
        let migration = Migration::new(Config::load(config)?, &tier.to)?;
        let moves = !(tier.dry_run || tier.abort || tier.give_up);
        interruptible(tier.run(migration)).await.map_err(|error| match error.hint_text() {
            None if moves => error.hint(GO_ON),
            _ => error,
        })
    }
}

impl Tier {
    async fn run(&self, migration: Migration) -> Result<ExitCode> {
        if migration.is_there() && (self.abort || self.give_up) {
            return undo::from_there(&migration, self.json).await;
        }
        if self.abort {
            return undo::abort(migration, self.yes, self.json).await;
        }
        if self.give_up {
            return undo::give_up(migration, self.yes, self.json).await;
        }
        if migration.is_there() {
            return self.there(&migration).await;
        }
        let mut survey = waiting("looking at both sides", Survey::of(migration)).await?;
        let outcome = self.act(&mut survey).await;
        survey.close().await;
        outcome
    }

    /// What there is to say when the config names the target's tier already.
    async fn there(&self, migration: &Migration) -> Result<ExitCode> {
        match migration.arrived().await? {
            Some(moved) => self.say_moved(&moved, "this was moved already; nothing was changed"),
            None if self.json => output::json(&Answer::undone("nothing", None)).map(|()| ExitCode::SUCCESS),
            None => output::line(&format!("the tier is {} already: there is nothing to move", self.to)).map(|()| ExitCode::SUCCESS),
        }
    }

    async fn act(&self, survey: &mut Survey) -> Result<ExitCode> {
        if let Some(moved) = survey.over() {
            return self.say_moved(&moved, "this was moved already; nothing was changed");
        }
        if self.dry_run || !survey.plan().blockers.is_empty() {
            return self.say_plan(survey.plan());
        }
        if !self.json
            && let Err(error) = output::write(&answer::plan(survey.plan()))
            // A move is not given up because nobody reads about it.
            && !output::is_of_no_reader(&error)
        {
            return Err(error);
        }
        confirm::confirm(self.yes, &format!("move everything to {}", survey.plan().to.place), &survey.plan().to.place).await?;
        let bars = Bars::new(survey.plan());
        let outcome = survey.run(&Progress(&|step, subject, done| bars.show(step, subject, done))).await;
        bars.finish();
        match outcome {
            Ok(Outcome::Moved(moved)) => self.say_moved(&moved, "everything was moved, read back, and found to be the same"),
            Ok(Outcome::Different(differences)) => {
                if self.json {
                    output::json(&Answer::different(survey.plan(), &differences))?;
                }
                differences.iter().for_each(|difference| output::note(&difference.to_string()));
                Err(answer::different(&survey.command("--abort")))
            }
            Err(error) => {
                if survey.is_under_way() {
                    let (again, abort) = (survey.command(""), survey.command("--abort"));
                    output::note(&format!("the move has not come to its end: {again} goes on where it stopped, {abort} undoes it"));
                }
                Err(error)
            }
        }
    }

    fn say_plan(&self, plan: &Plan) -> Result<ExitCode> {
        if self.json { output::json(&Answer::plan(plan)) } else { output::write(&answer::plan(plan)) }?;
        let mut blockers = plan.blockers.iter().map(Error::repeated);
        let Some(last) = blockers.next_back() else { return Ok(ExitCode::SUCCESS) };
        blockers.for_each(|blocker| {
            output::failed(&blocker);
        });
        Err(last)
    }

    fn say_moved(&self, moved: &Moved, how: &str) -> Result<ExitCode> {
        if self.json {
            output::json(&Answer::moved(moved))?;
        } else {
            output::write(&answer::moved(moved))?;
            let total = moved.total();
            let took = moved.took.map(|took| format!(" in {}", output::span(took))).unwrap_or_default();
            if total.records == 0 {
                output::line(&format!("{how}: the source holds no records{took}"))?;
            } else {
                output::line(&format!("{how}: {}{took}", answer::counted(moved)))?;
            }
            if let Some(error) = &moved.without_index {
                output::note(&format!("what finds the nearest quickly is still to be made, by the gateway there: {error}"));
            }
            output::line(&format!("go on with: mosaic serve --config {}", quoted(&moved.new_config.to_string_lossy())))?;
            if std::env::var_os("MOSAIC_TIER").is_some_and(|tier| tier != moved.to.tier.as_str()) {
                output::note(&format!("MOSAIC_TIER is set, and counts before the config: set it to {}, or unset it", moved.to.tier));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn number(count: u64) -> String {
    HumanCount(count).to_string()
}
