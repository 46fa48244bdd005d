//! The daily commands: what people do with tasks and notes, and how they find them. They always work through a running gateway, which
//! knows who is asking. What must not come in: accounts, and what opens the data itself.

mod body;
mod editor;
mod fields;
mod list;
pub(super) mod names;
mod note;
mod record;
mod search;
mod session;
mod task;

use std::future::Future;
use std::process::ExitCode;

use clap::Args;
use mosaic_core::Result;

use super::COMMON;
use super::connect::Gateway;
use super::interrupt::interruptible;
use crate::client::Client;

pub(super) use note::Note;
pub(super) use record::id;
pub(super) use search::Search;
pub(super) use session::Session;
pub(super) use task::Task;

/// What every daily command takes.
#[derive(Args)]
struct Common {
    /// Write JSON, in the shape of the API
    #[arg(long, global = true, display_order = COMMON)]
    json: bool,
    #[command(flatten)]
    gateway: Gateway,
}

/// Whose records are read.
#[derive(Args)]
struct View {
    /// See everyone's, as an operator (a token of scope operator); the gateway logs it
    #[arg(long)]
    view_all: bool,
}

impl View {
    fn of(&self, client: Client) -> Client {
        if self.view_all { client.viewing_all() } else { client }
    }

    /// Who sees more than this, to be said where nothing is seen.
    fn elsewhere(&self) -> &'static str {
        if self.view_all { "" } else { "; an operator sees everyone's with --view-all" }
    }
}

/// Does what a command does, unless the user ends it before.
async fn done(work: impl Future<Output = Result<()>>) -> Result<ExitCode> {
    interruptible(work).await?;
    Ok(ExitCode::SUCCESS)
}
