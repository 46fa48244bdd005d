//! What stands in the place of a backup's archive.

use std::io::Cursor;

use mosaic_core::ErrorKind;

use super::manifest::{Holdings, Manifest};
use super::read::{Item, pass_on};
use super::seal::{Identities, unsealed};
use crate::fuzzing::check_error;

/// A file is a whole backup, whose manifest says what was read of it, or it is refused.
pub(crate) fn archive(data: &[u8]) {
    let Ok(nobody) = Identities::of(&[] as &[&str]) else { return };
    let (mut found, mut manifest) = (Holdings::default(), None);
    let read = unsealed(Cursor::new(data.to_vec()), &nobody).and_then(|archive| {
        pass_on(archive, |entry| {
            assert!(manifest.is_none(), "the manifest is the last entry");
            match entry.item {
                Item::Embeddings(embeddings) => found.add_embeddings(&embeddings),
                Item::Documents(documents) => documents.iter().for_each(|document| found.add_document(&document.name, &document.value)),
                Item::Manifest(last) => manifest = Some(last),
                Item::Origin(_) | Item::Records(_) => {}
            }
            true
        })
    });
    match read {
        Ok(()) => {
            let said = manifest.map(|Manifest { holds, .. }| (holds.embeddings, holds.documents));
            assert_eq!(said, Some((found.embeddings, found.documents)));
        }
        Err(error) => {
            assert!(manifest.is_none(), "refused behind its end");
            assert!(matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Unsupported | ErrorKind::Unavailable), "{error:?}");
            check_error(&error, data.len());
        }
    }
}
