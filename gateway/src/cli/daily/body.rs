//! The body of a task or note, as it is given to a command.

use std::path::{Path, PathBuf};

use clap::Args;
use mosaic_core::model::BODY_BYTES;
use mosaic_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// A body, or where it is.
#[derive(Args)]
pub(super) struct Body {
    /// The body, as Markdown
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,
    /// The file that holds the body, or - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "body")]
    body_file: Option<PathBuf>,
}

impl Body {
    /// The text; `None` where none is given.
    pub(super) async fn read(self) -> Result<Option<String>> {
        let Some(file) = self.body_file else { return Ok(self.body) };
        let unreadable = |error: std::io::Error| {
            Error::new(ErrorKind::Unavailable, "the body cannot be read").with("file", file.display()).with("reason", &error).source(error)
        };
        let input: Box<dyn AsyncRead + Send + Unpin> = if file == Path::new("-") {
            Box::new(tokio::io::stdin())
        } else {
            Box::new(tokio::fs::File::open(&file).await.map_err(unreadable)?)
        };
        let mut bytes = Vec::new();
        // One byte more than fits, to know that it does not.
        input.take(BODY_BYTES as u64 + 1).read_to_end(&mut bytes).await.map_err(unreadable)?;
        text(bytes).map(Some).map_err(|error| error.with("file", file.display()))
    }
}

/// What a body may be; the gateway would refuse anything else.
pub(super) fn text(bytes: Vec<u8>) -> Result<String> {
    if bytes.len() > BODY_BYTES {
        return Err(Error::invalid(format!("the body is too long: {BODY_BYTES} bytes at most")));
    }
    String::from_utf8(bytes).map_err(|error| Error::invalid("the body is not UTF-8").with("byte", error.utf8_error().valid_up_to() + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_text_within_its_bound() {
        assert_eq!(text("é\n".into()).unwrap(), "é\n");
        assert_eq!(text(vec![b'x'; BODY_BYTES]).unwrap().len(), BODY_BYTES);
        assert!(text(vec![b'x'; BODY_BYTES + 1]).is_err());
        assert_eq!(text(b"a\xff".to_vec()).unwrap_err().get("byte"), Some("2"));
    }
}
