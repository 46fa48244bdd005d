//! The kinds' tables, a file each. To add a kind: write its file here, name it below, and add a migration that makes its table.
//! What must not come in: statements that are the same for every kind.

mod content;
mod membership;
mod note;
mod task;
mod team;
mod token;
mod user;

#[cfg(test)]
mod tests;
