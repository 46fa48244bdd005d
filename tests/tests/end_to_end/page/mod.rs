//! The page at `/`, in a real browser: that it shows what there is, works by keys alone, does nothing that a text tells it to, and asks nobody else
//! for anything. All tests share one driver; each has a browser of its own, which starts without anything of another's.

mod browser;
mod chat;
mod files;
mod hostile;
mod keyboard;
mod looks;
mod sign_in;
mod views;

pub(crate) use browser::Browser;
