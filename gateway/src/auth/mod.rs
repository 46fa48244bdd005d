//! Who is asking, and what they may ask for: from a bearer token to a principal, and from there to the [`mosaic_core::Scope`]
//! that goes with every read and write. What must not come in: HTTP, and anything that a backend's scope decides already.

mod failures;
mod grants;
mod principal;
mod sign_in;

use failures::Failures;
pub use failures::WINDOW as FAILURE_WINDOW;
pub use grants::{check_grant, check_regrant};
pub use principal::Principal;
pub use sign_in::{Authenticator, Refusal};
