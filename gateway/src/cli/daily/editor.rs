//! Writing a text in the editor of one's choice. What was written is never lost: until it is stored, it is in a file.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};

use mosaic_core::{Error, ErrorKind, Result};
use tempfile::NamedTempFile;

use super::body;

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

/// Has a text edited: by `$VISUAL`, `$EDITOR`, or vi. Whoever interrupts means the editor.
pub(super) async fn edit(text: &str) -> Result<Edited> {
    let variable = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
    let editor = variable("VISUAL").or_else(|| variable("EDITOR")).unwrap_or_else(|| "vi".into());
    let text = text.to_owned();
    let edited = tokio::task::spawn_blocking(move || run(&editor, &text)).await;
    edited.map_err(|error| Error::new(ErrorKind::Internal, "the editor was not waited for").source(error))?
}

fn run(editor: &OsString, text: &str) -> Result<Edited> {
    let failed =
        |error: std::io::Error| Error::new(ErrorKind::Unavailable, "the text cannot be edited").with("reason", &error).source(error);
    let mut file = tempfile::Builder::new().prefix("mosaic-").suffix(".md").tempfile().map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.flush()).map_err(failed)?;
    // The shell splits what may hold arguments, such as `code --wait`.
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"eval "$0 \"\$1\"""#]).arg(editor).arg(file.path());
    let status: ExitStatus = shell.status().map_err(failed)?;
    // An editor may have put another file in its place.
    let written = std::fs::read(file.path()).map_err(failed)?;
    if !status.success() {
        let error = Error::new(ErrorKind::Unavailable, "the editor failed").with("editor", editor.display()).hint(CHOOSE);
        let edited = Edited { text: String::new(), file };
        return Err(if written == text.as_bytes() { error } else { edited.refused(error) });
    }
    match body::text(written) {
        Ok(text) => Ok(Edited { text, file }),
        Err(error) => Err(Edited { text: String::new(), file }.refused(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_editor_leaves_is_the_text() {
        let edited = run(&"sed -i -e 's/a/b c/'".into(), "a\n").unwrap();
        assert_eq!(edited.text, "b c\n");
        let path = edited.file.path().to_owned();
        drop(edited);
        assert!(!path.exists(), "nothing is left behind");
    }

    #[test]
    fn what_was_written_is_kept_when_it_is_not_taken() {
        for editor in ["f() { echo new > \"$1\"; false; }; f", "printf '\\377' >"] {
            let error = run(&editor.into(), "old").map(|_| ()).unwrap_err();
            let path = error.get("what you wrote").unwrap_or_default().to_owned();
            assert_ne!(std::fs::read(&path).unwrap(), b"old", "{editor}");
            std::fs::remove_file(path).unwrap();
        }
        let error = run(&"false".into(), "old").map(|_| ()).unwrap_err();
        assert_eq!(error.get("what you wrote"), None, "nothing was written");
    }
}
