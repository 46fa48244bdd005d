//! A look at both sides before anything is done: how it stands, what there is to move, and everything that is in the way. Nothing is changed.
//! What must not come in: doing it.

use std::time::Duration;

use mosaic_core::{Error, ErrorKind, Opening, Place, Result, Status, Tally};

use super::Migration;
use super::contents::{self, Contents};
use super::document::{Document, End};
use super::report::{Expected, Moved, Plan, Subject};
use super::side::Side;
use super::standing::{Standing, standing};
use crate::config::{Config, Successor};
use crate::doctor;

/// So many small records a second are moved and verified, about: measured between two servers on two cores.
const RECORDS_A_SECOND: f64 = 12_000.0;
/// So many bytes a second of large ones.
const BYTES_A_SECOND: f64 = 15e6;
/// So many bytes a second of vectors, with their approximate index.
const VECTOR_BYTES_A_SECOND: f64 = 5e6;

/// What is there, with both sides open.
pub struct Survey {
    pub(super) migration: Migration,
    pub(super) source: Option<Side>,
    pub(super) target: Option<Side>,
    /// Whether there is no target yet, and the move makes it.
    is_to_be_made: bool,
    pub(super) standing: Option<Standing>,
    pub(super) successor: Successor,
    plan: Plan,
}

impl Survey {
    /// Looks at both sides.
    ///
    /// # Errors
    /// Only for a config that cannot be read once more; what else is wrong stands in the plan.
    pub async fn of(migration: Migration) -> Result<Self> {
        let successor = Successor::of(&migration.source, &migration.target.tier).await?;
        let end = |tier: &str| End { tier: tier.to_owned(), place: String::new() };
        let plan = Plan {
            from: end(&migration.source.tier),
            to: end(&migration.target.tier),
            reached: None,
            expected: Vec::new(),
            new_config: successor.path.clone(),
            replaces: None,
            blockers: Vec::new(),
        };
        let mut survey = Self { migration, source: None, target: None, is_to_be_made: false, standing: None, successor, plan };
        survey.open().await;
        survey.look().await;
        Ok(survey)
    }

    /// What was found.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The move as it was done by an earlier run, if it has come to its end.
    pub fn over(&self) -> Option<Moved> {
        let Some(Standing::Over(_, journal)) = &self.standing else { return None };
        Some(journal.moved(None))
    }

    /// Whether something was begun that is to be finished or undone, as far as this run knows.
    pub fn is_under_way(&self) -> bool {
        let at_target = self.target.as_ref().is_some_and(|target| target.slot.document().is_some());
        let at_source = self.source.as_ref().is_some_and(|source| source.slot.document().is_some());
        at_target || at_source
    }

    /// The command of this move, with another option behind it.
    pub fn command(&self, option: &str) -> String {
        self.migration.command(option)
    }

    /// Lets go of both sides.
    pub async fn close(self) {
        for side in self.source.iter().chain(&self.target) {
            side.close().await;
        }
    }

    async fn open(&mut self) {
        let (source, target) = tokio::join!(Side::source(&self.migration.source), Side::target(&self.migration.target, Opening::AsItIs));
        match source {
            Ok(source) => {
                self.plan.from = source.end.clone();
                self.source = Some(source);
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let tier = &self.migration.target.tier;
                self.plan.from.place = error.get("place").unwrap_or_default().to_owned();
                self.plan.blockers.push(error.hint(format!(
                    "correct the section `{}` of the config, or, if there is nothing to move, begin with \"tier\": \"{tier}\" and mosaic serve",
                    self.migration.source.tier
                )));
            }
            Err(error) => self.plan.blockers.extend(everything_wrong(&self.migration.source, error, "source").await),
        }
        match target {
            Ok(target) => {
                self.plan.to = target.end.clone();
                self.target = Some(target);
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.is_to_be_made = true;
                self.plan.to.place = error.get("place").unwrap_or_default().to_owned();
            }
            // A database of the source's tier is behind what the target's tier makes of it.
            Err(error) if self.is_of_the_source(&error) => {
                self.plan.to.place = error.get("place").unwrap_or_default().to_owned();
                self.plan.blockers.push(same_place(&self.plan.to));
            }
            Err(error) => self.plan.blockers.extend(everything_wrong(&self.migration.target, error, "target").await),
        }
    }

    /// Whether what keeps the target from opening is where the source is.
    fn is_of_the_source(&self, error: &Error) -> bool {
        let identity = self.source.as_ref().and_then(|source| source.place.identity.as_deref());
        identity.is_some() && identity == error.get("identity")
    }

    /// Looks at everything, whatever else is wrong, so that nobody learns of it one by one.
    async fn look(&mut self) {
        let mut blockers = Vec::new();
        if let Some(source) = &self.source {
            match expected(source).await {
                Ok(expected) => self.plan.expected = expected,
                Err(error) => blockers.push(error.with("side", "source")),
            }
        }
        if let (Some(source), Some(target)) = (&self.source, &self.target)
            && is_same(&source.place, &target.place)
        {
            self.plan.blockers.push(same_place(&target.end));
            return;
        }
        let standing = self.stand().await;
        let is_refused = standing.is_err();
        match standing {
            Ok(Some(Standing::Over(fence, journal))) => {
                self.standing = Some(Standing::Over(fence, journal));
                return;
            }
            Ok(standing) => self.standing = standing,
            Err(error) => blockers.push(error),
        }
        self.plan.reached = self.standing.as_ref().and_then(Standing::reached);
        for side in self.source.iter().chain(&self.target) {
            match side.somebody().await {
                Ok(gateway) => blockers.extend(gateway.map(|gateway| side.in_use(&gateway))),
                Err(error) => blockers.push(error.with("place", &side.end.place)),
            }
        }
        if let Some(target) = self.target.as_ref().filter(|target| !target.is_filled()) {
            match Contents::of(target).await {
                Ok(Contents::Nothing) => {}
                Ok(Contents::FirstStart { login, .. }) => self.plan.replaces = Some(login),
                Ok(Contents::Data(held)) => blockers.push(contents::refusal(target, &held).await),
                Err(error) => blockers.push(error.with("side", "target")),
            }
        }
        if !is_refused {
            blockers.extend(self.successor.obstacle().await);
        }
        self.plan.blockers.extend(blockers);
    }

    /// How it stands, as far as both sides can be asked.
    async fn stand(&mut self) -> Result<Option<Standing>> {
        let Some(source) = &mut self.source else { return Ok(None) };
        // After the target: a run that is at it raises the fence before it goes on there.
        source.slot.refresh().await?;
        match (&self.target, source.slot.document()) {
            (None, Some(Document::Source(fence))) if fence.to.tier != self.plan.to.tier => Err(fence.refusal()),
            (None, _) if !self.is_to_be_made => Ok(None),
            (target, fence) => {
                let journal = target.as_ref().and_then(|target| target.slot.document());
                standing(fence, journal, &source.end, &self.plan.to).map(Some)
            }
        }
    }
}

/// What keeps a side from opening, and whatever else is wrong with it, as the doctor finds it.
async fn everything_wrong(config: &Config, error: Error, side: &'static str) -> Vec<Error> {
    let checks = doctor::of_tier(config, "migrate").await.unwrap_or_default();
    let others = checks.into_iter().filter(|check| check.status == Status::Red && !check.message.starts_with(error.message()));
    let others = others.map(|check| {
        let (service, target) = (check.service.clone(), check.target.clone());
        doctor::refusal(check).with("service", service).with("target", target).with("side", side)
    });
    let others: Vec<_> = others.collect();
    std::iter::once(error.with("side", side)).chain(others).collect()
}

/// What there is to move.
async fn expected(source: &Side) -> Result<Vec<Expected>> {
    let mut expected: Vec<_> = source.storage.tally().await?.into_iter().map(of_kind).collect();
    let models = match &source.vectors {
        Some(vectors) => vectors.describe().await?,
        None => Vec::new(),
    };
    let records = models.iter().map(|model| model.count).sum();
    let bytes = models.iter().map(|model| model.count * (model.dimensions * size_of::<f32>()) as u64).sum();
    let time = Duration::from_secs_f64(bytes as f64 / VECTOR_BYTES_A_SECOND);
    expected.push(Expected { subject: Subject::Embeddings, records, bytes, time });
    Ok(expected)
}

fn of_kind(tally: Tally) -> Expected {
    let Tally { kind, records, bytes } = tally;
    let seconds = (records as f64 / RECORDS_A_SECOND).max(bytes as f64 / BYTES_A_SECOND);
    Expected { subject: Subject::Records(kind), records, bytes, time: Duration::from_secs_f64(seconds) }
}

/// Whether two places are one; by their names, where more cannot be known.
fn is_same(one: &Place, other: &Place) -> bool {
    match (&one.identity, &other.identity) {
        (Some(one), Some(other)) => one == other,
        _ => one.name == other.name,
    }
}

fn same_place(end: &End) -> Error {
    Error::new(ErrorKind::Conflict, "source and target are the same database").with("place", &end.place).hint(format!(
        "nothing has to be moved: set \"tier\": \"{}\" in the config, and mosaic serve; or give the target a database of its own",
        end.tier
    ))
}
