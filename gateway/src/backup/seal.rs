//! What is around an archive in a file: zstd (RFC 8878), and age (age-encryption.org/v1) where it is for somebody, so that `zstd` and any age tool open
//! it. Files are written and read on threads of their own. What must not come in: what is in an archive.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use age::stream::StreamWriter;
use age::x25519;
use mosaic_core::{Error, ErrorKind, Result};

use super::manifest::{damaged, no_backup};

/// How hard zstd tries: its own default, as fast as records are read.
const LEVEL: i32 = 3;
/// What a file that is encrypted begins with (C2SP, age).
const AGE: &[u8] = b"age-encryption.org/";
/// What is compressed begins with (RFC 8878, 3.1.1).
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Where a tar file says that it is one, and what.
const USTAR: (usize, &[u8]) = (257, b"ustar");
/// How much is looked at of a file that is not opened yet, and read of it at a time, in bytes.
const BUFFER: usize = 256 << 10;
/// More than any file of recipients or identities takes, in bytes.
const KEYS_BYTES: u64 = 1 << 20;

/// Whom a backup is for.
#[derive(Default)]
pub struct Recipients(Vec<x25519::Recipient>);

impl Recipients {
    /// Those that were given, and those in a file: one a line, `#` before a comment. None of either: the backup is not encrypted.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for what is no recipient, and for a file that cannot be read or has none.
    pub fn of(given: &[String], file: Option<&Path>) -> Result<Self> {
        let mut all = given.iter().map(|text| recipient(text)).collect::<Result<Vec<_>>>()?;
        if let Some(file) = file {
            let text = keys(file, "the file of recipients cannot be read")?;
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
            let found =
                lines.map(|line| recipient(line).map_err(|error| error.with("file", file.display()))).collect::<Result<Vec<_>>>()?;
            if found.is_empty() {
                // Whoever names a file wants it encrypted.
                return Err(Error::new(ErrorKind::Config, "the file of recipients has none").with("file", file.display()).hint(GIVE_ONE));
            }
            all.extend(found);
        }
        Ok(Self(all))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

const GIVE_ONE: &str = "give a public key, age1…, as `age-keygen -y FILE` prints it";

fn recipient(text: &str) -> Result<x25519::Recipient> {
    // What was given is not repeated: it may be the secret one.
    text.trim().parse().map_err(|_| Error::new(ErrorKind::Config, "this is no recipient").hint(GIVE_ONE))
}

fn keys(file: &Path, what: &'static str) -> Result<String> {
    let unreadable =
        |error: io::Error| Error::new(ErrorKind::Config, what).with("file", file.display()).with("reason", &error).source(error);
    let mut text = String::new();
    File::open(file).and_then(|file| file.take(KEYS_BYTES).read_to_string(&mut text)).map_err(unreadable)?;
    Ok(text)
}

/// Who opens a backup.
#[derive(Default)]
pub struct Identities(Vec<Box<dyn age::Identity + Send + Sync>>);

impl Identities {
    /// Those in files, as `age-keygen` makes them.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a file that cannot be read, or holds no identity.
    pub fn of(files: &[impl AsRef<Path>]) -> Result<Self> {
        let mut all = Vec::new();
        for file in files {
            let file = file.as_ref();
            let none = || {
                Error::new(ErrorKind::Config, "the file holds no identity")
                    .with("file", file.display())
                    .hint("give a file that `age-keygen` made, whose line begins with AGE-SECRET-KEY-")
            };
            let text = keys(file, "the file of identities cannot be read")?;
            let read = age::IdentityFile::from_buffer(text.as_bytes()).map_err(|_| none())?;
            let found = read.into_identities().map_err(|_| none())?;
            if found.is_empty() {
                return Err(none());
            }
            all.extend(found);
        }
        Ok(Self(all))
    }
}

/// Where an archive is written to.
pub struct Sink(Inner);

enum Inner {
    Open(zstd::Encoder<'static, File>),
    Sealed(zstd::Encoder<'static, StreamWriter<File>>),
}

impl Sink {
    /// Begins to write a file.
    ///
    /// # Errors
    /// Those of the file.
    pub fn new(file: File, recipients: &Recipients) -> io::Result<Self> {
        if recipients.is_empty() {
            return encoder(file).map(|encoder| Self(Inner::Open(encoder)));
        }
        let all = recipients.0.iter().map(|recipient| recipient as &dyn age::Recipient);
        let sealed = age::Encryptor::with_recipients(all).map_err(io::Error::other)?.wrap_output(file)?;
        encoder(sealed).map(|encoder| Self(Inner::Sealed(encoder)))
    }

    /// Ends what is around the archive; answers the file.
    ///
    /// # Errors
    /// Those of the file.
    pub fn finish(self) -> io::Result<File> {
        match self.0 {
            Inner::Open(encoder) => encoder.finish(),
            Inner::Sealed(encoder) => encoder.finish()?.finish(),
        }
    }
}

fn encoder<W: Write>(output: W) -> io::Result<zstd::Encoder<'static, W>> {
    let mut encoder = zstd::Encoder::new(output, LEVEL)?;
    encoder.include_checksum(true)?;
    Ok(encoder)
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::Open(encoder) => encoder.write(bytes),
            Inner::Sealed(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Inner::Open(encoder) => encoder.flush(),
            Inner::Sealed(encoder) => encoder.flush(),
        }
    }
}

/// The archive in a file, whatever is around it.
///
/// # Errors
/// [`ErrorKind::Invalid`] for what is no backup, or damaged in its beginning, and for one that none of the identities opens;
/// [`ErrorKind::Unavailable`] when the file cannot be read.
pub(super) fn unsealed(file: impl Read + Send + 'static, identities: &Identities) -> Result<Box<dyn Read + Send>> {
    let mut outer = BufReader::with_capacity(BUFFER, file);
    if !begins(&mut outer, AGE)? {
        return unpacked(outer);
    }
    let decryptor = age::Decryptor::new_buffered(outer).map_err(refused)?;
    if identities.0.is_empty() {
        return Err(Error::invalid("the backup is encrypted").hint("give the file with its identity: --identity FILE"));
    }
    let inner = decryptor.decrypt(identities.0.iter().map(|identity| &**identity as &dyn age::Identity)).map_err(refused)?;
    unpacked(BufReader::with_capacity(BUFFER, inner))
}

fn unpacked(mut packed: impl BufRead + Send + 'static) -> Result<Box<dyn Read + Send>> {
    if begins(&mut packed, ZSTD)? {
        return Ok(Box::new(zstd::Decoder::with_buffer(packed).map_err(unreadable)?));
    }
    let beginning = packed.fill_buf().map_err(unreadable)?;
    let (at, magic) = USTAR;
    if beginning.get(at..at + magic.len()) == Some(magic) { Ok(Box::new(packed)) } else { Err(no_backup()) }
}

/// Whether a file begins like this. A buffer that was just made is filled with more than that, unless there is no more.
fn begins(input: &mut impl BufRead, magic: &[u8]) -> Result<bool> {
    Ok(input.fill_buf().map_err(unreadable)?.starts_with(magic))
}

fn refused(error: age::DecryptError) -> Error {
    match error {
        age::DecryptError::NoMatchingKeys | age::DecryptError::DecryptionFailed | age::DecryptError::KeyDecryptionFailed => {
            Error::invalid("none of the identities opens the backup").hint("give the identity of one whom it was made for: --identity FILE")
        }
        age::DecryptError::Io(error) => unreadable(error),
        other => damaged().with("reason", &other).source(other),
    }
}

/// Why an archive cannot be read on: the system says so with a number of its own, and what does not fit together is damaged.
pub(super) fn unreadable(error: io::Error) -> Error {
    let by_the_system = error.raw_os_error().is_some();
    let error_of = if by_the_system { Error::new(ErrorKind::Unavailable, "the backup cannot be read") } else { damaged() };
    let reason = if error.kind() == io::ErrorKind::UnexpectedEof { "it ends early".to_owned() } else { error.to_string() };
    error_of.with("reason", reason).source(error)
}
