//! Moving up a tier, `mosaic migrate tier`, between real tiers: what is there afterwards, what keeps a move from beginning, and how it is
//! said. What must not come in: moves that are interrupted.

mod asking;
mod cut_over;
mod differences;
mod moves;
mod rehearsals;
mod sources;
mod targets;
mod world;

use world::{Summary, World};
