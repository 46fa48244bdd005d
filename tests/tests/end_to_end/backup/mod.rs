//! Backups, `mosaic backup`, of real tiers: what is in them, what is restored from them, and what is refused. What must not come in: moves between
//! tiers, and the format's insides, which are tested beside the code.

mod damage;
mod kills;
mod refusals;
mod tiers;
mod world;
mod writers;

use world::{Tier, answer, made};
