//! Runs worlds on a backend until enough calls were compared. A world in which a call is answered otherwise than by the oracle is made
//! as short as it goes and told. What must not come in: what is compared.

use std::fmt::Write as _;
use std::io::Write as _;

use mosaic_core::{Batch, Change, Error, ErrorKind, Kind, Loaded, Record, Result, Scope, Tokens};

use super::call::{Answer, Call};
use super::draw::Draw;
use super::tally::{Tally, Who};
use super::world::World;
use crate::behaviour::{Env, Open, RUNTIME};

/// How many calls are compared unless `MOSAIC_CASES` says otherwise. So many leave no verb, kind or scope out.
const CASES: u64 = 10_000;

/// How often somebody changes something in a world.
const STEPS: u64 = 30;

/// How many records an export reads at once.
const PAGE: usize = 1_000;

/// How often a world that fails is tried again with fewer steps.
const ATTEMPTS: usize = 200;

/// A call that was answered otherwise, and what led there.
struct Failure {
    /// The step in which it was, from 1; 0 before the first.
    step: u64,
    text: String,
}

/// Compares a backend with the oracle.
///
/// # Panics
/// When they disagree, the backend cannot be opened, or the calls left something out.
pub fn run(name: &str, open: Open) {
    let (cases, first) = (variable("MOSAIC_CASES", CASES), variable("MOSAIC_SEED", 1));
    // On a thread of the runtime, since a child process may be tied to the life of the thread that started it.
    let outcome = RUNTIME.block_on(RUNTIME.spawn(async move {
        let env = Env::open(open).await.map_err(|error| format!("the backend does not open: {error:?}"))?;
        compare(&env, cases, first).await.map(|tally| (tally, env.vectors.is_some()))
    }));
    let (tally, has_vectors) = match outcome.unwrap() {
        Ok(outcome) => outcome,
        Err(failure) => panic!("{name} and the visibility oracle disagree: {failure}"),
    };
    let Tally { cases, worlds, removals, .. } = tally;
    let nearest = if has_vectors { "" } else { "; nearest skipped (the backend keeps no vectors)" };
    let mut stderr = std::io::stderr();
    let seeds = format!("seeds {first} to {}", first + worlds - 1);
    writeln!(stderr, "visibility oracle on {name}: {cases} cases, {worlds} worlds, {removals} members removed, {seeds}{nearest}").unwrap();
    if cases >= CASES {
        let gaps = tally.gaps(has_vectors);
        assert!(gaps.is_empty(), "what was compared leaves gaps:\n{gaps}");
    }
}

fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} is a number, not {value:?}")))
}

/// Compares world after world, from the first seed on.
async fn compare(env: &Env, cases: u64, first: u64) -> std::result::Result<Tally, String> {
    let mut tally = Tally::default();
    while tally.cases < cases {
        let seed = first + tally.worlds;
        let steps: Vec<u64> = (1..=STEPS).collect();
        if let Err(failure) = Run::of(env, seed, &mut tally).steps(&steps).await {
            let text = shortened(env, seed, failure).await.text;
            return Err(format!("in world {seed}\n{text}tell it again: MOSAIC_SEED={seed} MOSAIC_CASES=1"));
        }
        tally.worlds += 1;
    }
    Ok(tally)
}

/// Leaves out the steps of a failing world that it fails without, a half, a quarter, … of them at once.
async fn shortened(env: &Env, seed: u64, mut failure: Failure) -> Failure {
    let mut steps: Vec<u64> = (1..=failure.step).collect();
    let (mut length, mut attempts) = (steps.len().div_ceil(2), 0);
    while length > 0 {
        let mut from = 0;
        while from < steps.len() && attempts < ATTEMPTS {
            attempts += 1;
            let mut fewer = steps.clone();
            fewer.drain(from..(from + length).min(steps.len()));
            match Run::of(env, seed, &mut Tally::default()).steps(&fewer).await {
                // The failure left behind what cannot be removed.
                Err(again) if again.step == 0 => return failure,
                Err(again) => {
                    fewer.retain(|step| *step <= again.step);
                    (steps, failure) = (fewer, again);
                }
                Ok(()) => from += length,
            }
        }
        length /= 2;
    }
    failure
}

/// One world on a backend.
struct Run<'r> {
    env: &'r Env,
    world: World,
    seed: u64,
    tally: &'r mut Tally,
    /// What was changed so far, a line each.
    told: Vec<String>,
}

impl<'r> Run<'r> {
    fn of(env: &'r Env, seed: u64, tally: &'r mut Tally) -> Self {
        Self { env, world: World::new(seed), seed, tally, told: Vec::new() }
    }

    /// Takes these steps, in a backend that holds nothing else.
    async fn steps(mut self, steps: &[u64]) -> std::result::Result<(), Failure> {
        self.begin().await.map_err(|text| Failure { step: 0, text })?;
        for step in steps {
            self.step(*step).await.map_err(|text| Failure { step: *step, text })?;
        }
        Ok(())
    }

    /// Loads the world into the backend, in place of what it holds.
    async fn begin(&self) -> std::result::Result<(), String> {
        let oracle = &self.world.oracle;
        clear(self.env).await.map_err(|error| format!("what was there is not removed: {error:?}\n"))?;
        let loaded = self.env.storage.load(&oracle.records, None).await.map_err(|error| format!("{error:?}\n"))?;
        if let Some(other) = loaded.iter().find(|loaded| !matches!(loaded, Loaded::Added)) {
            return Err(format!("the world is not loaded: {other:?}\n"));
        }
        match &self.env.vectors {
            Some(vectors) => vectors.load(&oracle.embeddings, None).await.map_err(|error| format!("{error:?}\n")),
            None => Ok(()),
        }
    }

    async fn step(&mut self, step: u64) -> std::result::Result<(), String> {
        let mut draw = Draw::new(self.seed, step);
        let has_vectors = self.env.vectors.is_some();
        let before = self.world.oracle.clone();
        let (scope, call) = draw.write(&self.world, has_vectors);
        self.call(scope, &call).await?;
        let aftermath = draw.aftermath(&before, &self.world, has_vectors);
        self.tally.removals += aftermath.removals;
        for (scope, call) in &aftermath.calls {
            self.call(*scope, call).await?;
        }
        let (scope, call) = draw.look(&self.world, has_vectors);
        self.call(scope, &call).await
    }

    /// Compares one call.
    async fn call(&mut self, scope: Scope, call: &Call) -> std::result::Result<(), String> {
        let (at, before) = (self.world.now(), self.world.oracle.clone());
        let who = self.who(scope);
        let hidden = self.world.oracle.read(Scope::System, call);
        let expected = self.world.foresee(scope, call);
        let got = call.ask(self.env, scope, at).await;
        let is_write = matches!(expected, Answer::Applied(_) | Answer::Refused(_));
        let mut wrong = (!call.is_answered(&expected, &got)).then(|| format!("expected: {expected:?}\ngot:      {got:?}"));
        if is_write && wrong.is_none() {
            wrong = self.difference().await;
        }
        if let Some(wrong) = wrong {
            let told: String = self.told.iter().map(|line| format!("  {line}\n")).collect();
            let text = format!("what was done before:\n{told}then, as {scope:?}: {call:?}\n{wrong}\n");
            return Err(self.world.named(&format!("the world at that moment:\n{}{text}", before.describe())));
        }
        let granted = match &expected {
            Answer::Got(record) => record.is_some(),
            Answer::Listed(records) => !records.is_empty(),
            Answer::Found(found) => !found.is_empty(),
            Answer::Near(near) => !near.is_empty(),
            Answer::Embedded(stored) => *stored,
            Answer::Applied(_) => true,
            Answer::Refused(_) => false,
        };
        let denied = hidden.map_or(!granted, |all| all != expected);
        self.tally.add(call.verb(), &call.kinds(), who, granted, denied);
        if let Answer::Applied(_) | Answer::Embedded(true) = expected {
            self.told.push(format!("{scope:?}: {call:?}"));
        }
        Ok(())
    }

    fn who(&self, scope: Scope) -> Who {
        match scope {
            Scope::System => Who::System,
            Scope::User(id) | Scope::Admin(id) if self.world.oracle.find(Kind::User, id).is_none() => Who::Nobody,
            Scope::Admin(_) => Who::Admin,
            Scope::User(_) => Who::User,
        }
    }

    /// How what is stored differs from what should be.
    async fn difference(&self) -> Option<String> {
        let stored = everything(self.env).await.unwrap();
        let mut expected = self.world.oracle.records.clone();
        expected.sort_by_key(|record| (record.kind(), record.id()));
        let only = |these: &[Record], those: &[Record]| {
            let mut lines = String::new();
            for record in these.iter().filter(|record| !those.contains(record)) {
                write!(lines, "\n  {record:?}").unwrap();
            }
            lines
        };
        (stored != expected).then(|| format!("should be stored:{}\nis stored:{}", only(&expected, &stored), only(&stored, &expected)))
    }
}

async fn everything(env: &Env) -> Result<Vec<Record>> {
    let mut records: Vec<Record> = Vec::new();
    loop {
        let after = records.last().map(|last| (last.kind(), last.id()));
        let page = env.storage.export(after, PAGE, Tokens::WithHashes).await?;
        if page.is_empty() {
            return Ok(records);
        }
        records.extend(page);
    }
}

/// Removes all that a backend holds.
async fn clear(env: &Env) -> Result<()> {
    let mut left = everything(env).await?;
    // Content, and then whom it belongs to; what belongs to these goes with them.
    left.retain(|record| !matches!(record.kind(), Kind::Membership | Kind::Token | Kind::Message));
    let changes = left.iter().rev().map(|record| Change::Delete { kind: record.kind(), id: record.id(), revision: None }).collect();
    env.storage.apply(Scope::System, &Batch { at: env.now(), changes, state: None }).await?;
    match everything(env).await?.first() {
        Some(left) => Err(Error::new(ErrorKind::Internal, format!("still there: {left:?}"))),
        None => Ok(()),
    }
}
