//! `mosaic migrate tier --abort` and `--return`

use std::process::ExitCode;

use mosaic_core::{Error, ErrorKind, Result};

use super::answer::Answer;
use super::confirm::confirm;
use crate::cli::output;
use crate::cli::progress::waiting;
use crate::migration::{Migration, Return, Undo};

/// What there is to say when the config leads to where data was moved: whoever undoes a move, or returns from it, does so where it came from.
pub(super) async fn from_there(migration: &Migration, json: bool) -> Result<ExitCode> {
    match migration.arrived().await? {
        Some(moved) => Err(Error::new(ErrorKind::Config, "this config leads to where the data was moved, and not to where it was")
            .with("from", &moved.from.tier)
            .with("place", &moved.from.place)
            .hint(format!("name the config of before, whose tier is {}: --config FILE", moved.from.tier))),
        None if json => output::json(&Answer::undone("nothing", None)).map(|()| ExitCode::SUCCESS),
        None => output::line("nothing was moved here: there is nothing to undo").map(|()| ExitCode::SUCCESS),
    }
}

/// Undoes a move that has not come to its end.
pub(super) async fn abort(migration: Migration, yes: bool, json: bool) -> Result<ExitCode> {
    let mut undo = waiting("looking at both sides", Undo::of(&migration)).await?;
    let outcome = undone(&mut undo, yes).await;
    let (nothing, target) = (undo.is_nothing(), undo.target().cloned());
    undo.close().await;
    outcome?;
    let said = match &target {
        _ if nothing => "no move is under way: there is nothing to undo".to_owned(),
        Some(target) => format!("the move was undone: nothing of it is left in {}, and gateways start on the source again", target.place),
        None => "the move was undone: gateways start on the source again".to_owned(),
    };
    let answer = Answer::undone(if nothing { "nothing" } else { "aborted" }, target.as_ref());
    if json { output::json(&answer) } else { output::line(&said) }?;
    Ok(ExitCode::SUCCESS)
}

async fn undone(undo: &mut Undo, yes: bool) -> Result<()> {
    if let Some(target) = undo.target() {
        confirm(yes, &format!("remove what was moved to {}", target.place), &target.place).await?;
    }
    undo.run().await
}

/// Returns to the source of a move.
pub(super) async fn give_up(migration: Migration, yes: bool, json: bool) -> Result<ExitCode> {
    let mut back = waiting("looking at the source", Return::of(&migration)).await?;
    let from = back.from().cloned();
    let outcome = match &from {
        None => Ok(()),
        Some(from) => match confirm(yes, &format!("return to the source and leave {}", from.place), &from.place).await {
            Ok(()) => back.run().await,
            Err(error) => Err(error),
        },
    };
    back.close().await;
    outcome?;
    let answer = Answer::undone(if from.is_none() { "nothing" } else { "returned" }, from.as_ref());
    let said = match &from {
        None => "this data was not moved: gateways start on it as they did".to_owned(),
        Some(from) => format!("gateways start on the source again; what is in {} stays there", from.place),
    };
    if json { output::json(&answer) } else { output::line(&said) }?;
    Ok(ExitCode::SUCCESS)
}
