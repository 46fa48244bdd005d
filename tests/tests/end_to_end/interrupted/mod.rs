//! That a move to another tier may be interrupted at any moment: by `kill -9` of the command, by services that fail, by others who work on
//! either side at the same time. Whatever came in between, it ends as if nothing had, or is taken back without a trace.
//!
//! In it: `sources` (data to move, made once), `world` (one operator's move), `running` (a command that may be killed), `gate` (holding a
//! command at a state of the move), and a file for each sort of interruption.
//! What must not come in: what a move is when nothing interrupts it.

mod aborts;
mod faults;
mod full;
mod gate;
mod kills;
mod races;
mod running;
mod sources;
mod states;
mod tampering;
mod world;
