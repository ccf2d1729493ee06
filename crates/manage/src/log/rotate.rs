//! A log file that begins anew when it is large. Former files carry the time of the change in their name, are compressed,
//! and go when they are too many or too old.

use jiff::Timestamp;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use trilithon_flow::niceness::yield_to_workers;
use trilithon_model::install;

/// Size of a file where `maxSize` is 0.
const DEFAULT_MEGABYTES: u64 = 100;

/// The file that is written to.
pub struct Rotating {
    file: File,
    size: u64,
    max_size: u64,
    former: Former,
}

/// The former files, and how many of them stay.
#[derive(Clone)]
struct Former {
    path: PathBuf,
    max_age: Option<Duration>,
    max_count: Option<usize>,
}

impl Rotating {
    /// Opens the file, appending; its folder is made.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path, config: &install::Log) -> io::Result<Rotating> {
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let days = u64::try_from(config.max_age).unwrap_or(0);
        let megabytes = u64::try_from(config.max_size)
            .ok()
            .filter(|n| *n > 0)
            .unwrap_or(DEFAULT_MEGABYTES);
        Ok(Rotating {
            size: file.metadata()?.len(),
            file,
            max_size: megabytes.saturating_mul(1024 * 1024),
            former: Former {
                path: path.to_owned(),
                max_age: (days > 0).then(|| Duration::from_secs(days.saturating_mul(24 * 3600))),
                max_count: usize::try_from(config.max_backups).ok().filter(|n| *n > 0),
            },
        })
    }

    /// Writes a line, into a new file if it would not fit.
    pub fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.size > 0 && self.size + line.len() as u64 > self.max_size {
            // Where that fails, the old file goes on.
            let _ = self.rotate();
        }
        self.file.write_all(line)?;
        self.size += line.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let old = self.former.name(SystemTime::now());
        fs::rename(&self.former.path, &old)?;
        self.file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.former.path)?;
        self.size = 0;
        let former = self.former.clone();
        // Compressing takes a while; whoever logs does not wait for it.
        std::thread::Builder::new()
            .name("log-rotation".into())
            .spawn(move || {
                yield_to_workers();
                former.tidy(&old);
            })?;
        Ok(())
    }
}

impl Former {
    /// `traefik-2006-01-02T15-04-05.000.log` for `traefik.log`.
    fn name(&self, now: SystemTime) -> PathBuf {
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let stamp = i64::try_from(since.as_secs())
            .ok()
            .and_then(|s| Timestamp::from_second(s).ok())
            .unwrap_or_default();
        let (start, end) = self.parts();
        let name = format!(
            "{start}{}.{:03}{end}",
            stamp.strftime("%Y-%m-%dT%H-%M-%S"),
            since.subsec_millis()
        );
        self.path.with_file_name(name)
    }

    /// What comes before and after the time.
    fn parts(&self) -> (String, String) {
        let text = |part: Option<&OsStr>| part.map(|p| p.to_string_lossy().into_owned()).unwrap_or_default();
        let end = self
            .path
            .extension()
            .map(|e| format!(".{}", e.to_string_lossy()))
            .unwrap_or_default();
        (text(self.path.file_stem()) + "-", end)
    }

    fn tidy(&self, newest: &Path) {
        if let Err(error) = compress(newest) {
            tracing::warn!(%error, file = %newest.display(), "cannot compress a former log file");
        }
        self.prune(SystemTime::now());
    }

    /// Removes what is too much or too old. A file that cannot be removed is tried again next time.
    fn prune(&self, now: SystemTime) {
        let Some(folder) = self.path.parent() else { return };
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        let (start, end) = self.parts();
        let is_former = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let stamp = name
                .strip_prefix(&start)
                .map(|n| n.strip_suffix(".gz").unwrap_or(n));
            stamp
                .and_then(|n| n.strip_suffix(&end))
                .is_some_and(|stamp| stamp.len() == "2006-01-02T15-04-05.000".len())
        };
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut all: Vec<PathBuf> = entries.map(|e| e.path()).filter(is_former).collect();
        // The newest first: their names hold the time.
        all.sort_by(|a, b| b.cmp(a));
        for (i, path) in all.iter().enumerate() {
            let too_many = self.max_count.is_some_and(|max| i >= max);
            let age = fs::metadata(path)
                .and_then(|m| m.modified())
                .ok()
                .and_then(|m| now.duration_since(m).ok());
            let too_old = self.max_age.is_some_and(|max| age.is_some_and(|age| age > max));
            if too_many || too_old {
                let _ = fs::remove_file(path);
            }
        }
    }
}

fn compress(path: &Path) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".gz");
    let mut gzip = flate2::write::GzEncoder::new(File::create(&name)?, flate2::Compression::default());
    io::copy(&mut File::open(path)?, &mut gzip)?;
    gzip.finish()?.sync_all()?;
    fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut all: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        all.sort();
        all
    }

    #[test]
    fn a_full_file_makes_room_and_former_ones_go() {
        let folder = std::env::temp_dir().join(format!("trilithon-log-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let path = folder.join("deep/t.log");
        let config = install::Log {
            max_backups: 2,
            ..install::Log::default()
        };
        let mut log = Rotating::open(&path, &config).unwrap();
        log.max_size = 10;
        log.write(b"12345678\n").unwrap();
        log.write(b"second\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "second\n");
        let mut again = Rotating::open(&path, &config).unwrap();
        again.write(b"third\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "second\nthird\n");

        let folder = folder.join("other");
        let former = Former {
            path: folder.join("t.log"),
            ..log.former
        };
        fs::create_dir_all(&folder).unwrap();
        for second in 1..=4 {
            let name = former.name(SystemTime::UNIX_EPOCH + Duration::from_millis(1_000 * second + 7));
            fs::write(&name, "x").unwrap();
            compress(&name).unwrap();
        }
        fs::write(folder.join("t-notes.log"), "mine").unwrap();
        former.prune(SystemTime::now());
        assert_eq!(
            names(&folder),
            [
                "t-1970-01-01T00-00-03.007.log.gz",
                "t-1970-01-01T00-00-04.007.log.gz",
                "t-notes.log"
            ]
        );
        let aged = Former {
            max_age: Some(Duration::from_secs(1)),
            ..former
        };
        aged.prune(SystemTime::now() + Duration::from_secs(60));
        assert_eq!(names(&folder), ["t-notes.log"]);
    }
}
