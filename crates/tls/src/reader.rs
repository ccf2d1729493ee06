//! Options that hold a path or PEM text: which of the two, and what is in it.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use trilithon_model::FileOrContent;

type Read = dyn Fn(&Path) -> io::Result<Vec<u8>> + Send + Sync;

/// Reads files for TLS objects.
#[derive(Clone)]
pub struct Reader(Arc<Read>);

impl Default for Reader {
    /// The file system.
    fn default() -> Reader {
        Reader::new(|path| std::fs::read(path))
    }
}

impl Reader {
    /// Reads with `read`.
    pub fn new(read: impl Fn(&Path) -> io::Result<Vec<u8>> + Send + Sync + 'static) -> Reader {
        Reader(Arc::new(read))
    }
}

/// A reader that remembers which files were asked for, there or not.
pub struct Watching<'a> {
    reader: &'a Reader,
    seen: Mutex<BTreeSet<PathBuf>>,
}

/// The content of an option, and whether it came from a file.
pub struct Content {
    pub bytes: Vec<u8>,
    pub is_file: bool,
}

impl<'a> Watching<'a> {
    pub fn new(reader: &'a Reader) -> Watching<'a> {
        Watching {
            reader,
            seen: Mutex::default(),
        }
    }

    /// The file of that name, or the text itself if there is none.
    ///
    /// # Errors
    /// There is such a file and it cannot be read.
    pub fn read(&self, option: &FileOrContent) -> io::Result<Content> {
        let text = option.as_str();
        if option.is_content() || text.is_empty() {
            return Ok(Content {
                bytes: text.as_bytes().to_vec(),
                is_file: false,
            });
        }
        let path = PathBuf::from(text);
        let found = (self.reader.0)(&path);
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(path);
        match found {
            Ok(bytes) => Ok(Content { bytes, is_file: true }),
            Err(e) if is_no_file(&e) => Ok(Content {
                bytes: text.as_bytes().to_vec(),
                is_file: false,
            }),
            Err(e) => Err(e),
        }
    }

    /// Every file that was asked for.
    pub fn into_files(self) -> Vec<PathBuf> {
        self.seen
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .into_iter()
            .collect()
    }
}

fn is_no_file(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, InvalidInput, NotADirectory, NotFound};
    matches!(
        error.kind(),
        NotFound | InvalidInput | InvalidFilename | NotADirectory
    )
}
