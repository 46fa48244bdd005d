//! Writing a text in the editor of one's choice. What was written is never lost: until it is stored, it is in a file.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use mosaic_core::{Error, ErrorKind, Result};
use tempfile::NamedTempFile;

use super::body;
use crate::cli::interrupt::terminable;

/// What to do without an editor.
const CHOOSE: &str = "set EDITOR to one that is there, or give the text with --body-file FILE";

/// A text as it came out of the editor. Dropped, its file is removed.
pub(super) struct Edited {
    /// The text.
    pub(super) text: String,
    file: NamedTempFile,
}

impl Edited {
    /// Keeps the file for its writer, and says where it is.
    pub(super) fn keep(self) -> Option<PathBuf> {
        self.file.keep().ok().map(|(_, path)| path)
    }

    /// Keeps the file, and says so in the error of why its text is not one.
    fn refused(self, error: Error) -> Error {
        match self.keep() {
            Some(path) => error.with("what you wrote", path.display()),
            None => error,
        }
    }
}

/// Has a text edited: by `$VISUAL`, `$EDITOR`, or vi. Whoever interrupts means the editor; whoever terminates means this command, and the
/// file that the editor may still write stays.
pub(super) async fn edit(text: &str) -> Result<Edited> {
    let variable = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
    edit_by(variable("VISUAL").or_else(|| variable("EDITOR")).unwrap_or_else(|| "vi".into()), text).await
}

async fn edit_by(editor: OsString, text: &str) -> Result<Edited> {
    let mut file = tempfile::Builder::new().prefix("mosaic-").suffix(".md").tempfile().map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.flush()).map_err(failed)?;
    let (by, path) = (editor.clone(), file.path().to_owned());
    let done = tokio::task::spawn_blocking(move || run(&by, &path));
    let done = async { done.await.map_err(|error| Error::new(ErrorKind::Internal, "the editor was not waited for").source(error))? };
    let mut edited = Edited { text: String::new(), file };
    let status = match terminable(done).await {
        Ok(status) => status,
        Err(error) => return Err(edited.refused(error)),
    };
    // An editor may have put another file in its place.
    let written = std::fs::read(edited.file.path()).map_err(failed)?;
    if !status.success() {
        let error = Error::new(ErrorKind::Unavailable, "the editor failed").with("editor", editor.display()).hint(CHOOSE);
        return Err(if written == text.as_bytes() { error } else { edited.refused(error) });
    }
    match body::text(written) {
        Ok(text) => {
            edited.text = text;
            Ok(edited)
        }
        Err(error) => Err(edited.refused(error)),
    }
}

fn run(editor: &OsString, file: &Path) -> Result<ExitStatus> {
    // The shell splits what may hold arguments, such as `code --wait`.
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"eval "$0 \"\$1\"""#]).arg(editor).arg(file);
    shell.status().map_err(failed)
}

fn failed(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "the text cannot be edited").with("reason", &error).source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_the_editor_leaves_is_the_text() {
        let edited = edit_by("sed -i -e 's/a/b c/'".into(), "a\n").await.unwrap();
        assert_eq!(edited.text, "b c\n");
        let path = edited.file.path().to_owned();
        drop(edited);
        assert!(!path.exists(), "nothing is left behind");
    }

    #[tokio::test]
    async fn what_was_written_is_kept_when_it_is_not_taken() {
        for editor in ["f() { echo new > \"$1\"; false; }; f", "printf '\\377' >"] {
            let error = edit_by(editor.into(), "old").await.map(|_| ()).unwrap_err();
            let path = error.get("what you wrote").unwrap_or_default().to_owned();
            assert_ne!(std::fs::read(&path).unwrap(), b"old", "{editor}");
            std::fs::remove_file(path).unwrap();
        }
        let error = edit_by("false".into(), "old").await.map(|_| ()).unwrap_err();
        assert_eq!(error.get("what you wrote"), None, "nothing was written");
    }
}
