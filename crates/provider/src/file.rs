//! Routing configuration from a file, or from all files of a folder. The provider `file`.

use crate::watch::FileWatch;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc::Sender;
use trilithon_model::dynamic::Configuration;
use trilithon_model::install::FileProvider;
use trilithon_model::node::{Source, Span};
use trilithon_model::problem::{Problem, Problems, code};
use trilithon_model::routing_file;
use trilithon_model::spanned::Map;

/// Bytes of one routing file.
const MAX_FILE: u64 = 64 << 20;
/// Sub-folders below the folder.
const MAX_DEPTH: usize = 16;

/// Where the files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    File(PathBuf),
    Folder(PathBuf),
}

/// One reading of the files.
#[derive(Debug)]
pub struct Reading {
    /// `None` when a file is broken: the last good state stays.
    pub configuration: Option<Configuration>,
    /// With a broken file: what could be read all the same, for whoever looks for further faults.
    pub partial: Option<Configuration>,
    /// The texts that were read.
    pub sources: Vec<Arc<Source>>,
    pub problems: Problems,
}

/// The routing configuration in some texts, such as [`Place::read`] gives.
pub fn configuration(sources: &[Arc<Source>]) -> (Configuration, Problems) {
    let mut problems = Problems::new();
    let mut all = Configuration::default();
    for source in sources {
        let (configuration, found) = routing_file(source);
        problems.extend(found);
        merge(&mut all, configuration, &mut problems);
    }
    (all, problems)
}

/// The place that the install configuration names; `None` when it names none or both.
pub fn place(config: &FileProvider) -> Option<Place> {
    match (config.filename.as_str(), config.directory.as_str()) {
        (file, "") if !file.is_empty() => Some(Place::File(file.into())),
        ("", folder) if !folder.is_empty() => Some(Place::Folder(folder.into())),
        _ => None,
    }
}

impl Place {
    /// The path to watch.
    pub fn path(&self) -> &Path {
        match self {
            Place::File(path) | Place::Folder(path) => path,
        }
    }

    /// A number for what is written there now; equal numbers need no second reading.
    fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let files = match self {
            Place::File(path) => Ok(vec![path.clone()]),
            Place::Folder(path) => list(path, 0),
        };
        for path in files.unwrap_or_default() {
            let text = text(&path).map_err(|error| error.to_string());
            (path, text).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Reads everything there.
    pub fn read(&self) -> Reading {
        let mut problems = Problems::new();
        let files = match self {
            Place::File(path) => vec![path.clone()],
            Place::Folder(path) => match list(path, 0) {
                Ok(files) => files,
                Err(error) => {
                    problems.push(unreadable(path, &error));
                    return Reading {
                        configuration: None,
                        partial: None,
                        sources: Vec::new(),
                        problems,
                    };
                }
            },
        };
        let mut sources = Vec::new();
        let mut broken = false;
        for path in &files {
            match text(path) {
                Ok(text) if text.contains(TEMPLATE) => {
                    broken = true;
                    problems.push(template(path, &text));
                }
                Ok(text) => sources.push(Source::text(path.display().to_string(), text)),
                Err(error) => {
                    broken = true;
                    problems.push(unreadable(path, &error));
                }
            }
        }
        let (all, found) = configuration(&sources);
        broken |= found.void_file();
        problems.extend(found);
        let (configuration, partial) = if broken {
            (None, Some(all))
        } else {
            (Some(all), None)
        };
        Reading {
            configuration,
            partial,
            sources,
            problems,
        }
    }
}

/// What starts an action of a template. Read as it stands, a rule with one in it would match what nobody meant.
const TEMPLATE: &str = "{{";

fn template(path: &Path, text: &str) -> Problem {
    let source = Source::text(path.display().to_string(), text.to_owned());
    let before = text.split(TEMPLATE).next().unwrap_or_default();
    let line = before.matches('\n').count() as u32 + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() as u32 + 1;
    let span = Span::new(&source, line, column, line, column + 2);
    let message = "`{{` starts a template; templates in routing files are not built yet";
    Problem::error(code::NOT_BUILT, span, message)
        .help("write the file without them")
        .voiding()
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    Problem::error(
        code::NOT_FOUND,
        Span::none(),
        format!("cannot read `{}`: {error}", path.display()),
    )
    .voiding()
}

fn text(path: &Path) -> io::Result<String> {
    let length = std::fs::metadata(path)?.len();
    if length > MAX_FILE {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("the file has {length} bytes, more than {MAX_FILE}"),
        ));
    }
    std::fs::read_to_string(path)
}

/// The routing files below a folder, in order of name; files before what is in sub-folders does not matter to Traefik,
/// which takes entries as they come sorted.
fn list(folder: &Path, depth: usize) -> io::Result<Vec<PathBuf>> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|e| e.map(|e| e.path()))
        .collect::<io::Result<_>>()?;
    entries.sort();
    let mut files = Vec::new();
    for path in entries {
        // A ConfigMap's `..data` and its dated neighbours hold the same files once more.
        let hidden = path
            .file_name()
            .is_some_and(|n| n.to_string_lossy().starts_with(".."));
        if hidden {
            continue;
        }
        if path.is_dir() {
            if depth < MAX_DEPTH {
                files.extend(list(&path, depth + 1)?);
            }
        } else if is_routing_file(&path) {
            files.push(path);
        }
    }
    Ok(files)
}

/// By extension, in any case.
fn is_routing_file(path: &Path) -> bool {
    let extension = path
        .extension()
        .and_then(|e| e.to_str())
        .map(str::to_ascii_lowercase);
    matches!(extension.as_deref(), Some("toml" | "yaml" | "yml"))
}

/// Adds a file's objects; of two with one name the first stays.
fn merge(all: &mut Configuration, more: Configuration, problems: &mut Problems) {
    let (http, tcp, udp, tls) = (more.http, more.tcp, more.udp, more.tls);
    add(&mut all.http.routers, http.routers, "http.routers", problems);
    add(&mut all.http.services, http.services, "http.services", problems);
    add(
        &mut all.http.middlewares,
        http.middlewares,
        "http.middlewares",
        problems,
    );
    add(
        &mut all.http.servers_transports,
        http.servers_transports,
        "http.serversTransports",
        problems,
    );
    add(&mut all.tcp.routers, tcp.routers, "tcp.routers", problems);
    add(&mut all.tcp.services, tcp.services, "tcp.services", problems);
    add(
        &mut all.tcp.middlewares,
        tcp.middlewares,
        "tcp.middlewares",
        problems,
    );
    add(
        &mut all.tcp.servers_transports,
        tcp.servers_transports,
        "tcp.serversTransports",
        problems,
    );
    add(&mut all.udp.routers, udp.routers, "udp.routers", problems);
    add(&mut all.udp.services, udp.services, "udp.services", problems);
    add(&mut all.tls.options, tls.options, "tls.options", problems);
    add(&mut all.tls.stores, tls.stores, "tls.stores", problems);
    for certificate in tls.certificates {
        if !all.tls.certificates.contains(&certificate) {
            all.tls.certificates.push(certificate);
        }
    }
}

fn add<T>(all: &mut Map<T>, more: Map<T>, kind: &str, problems: &mut Problems) {
    for (name, object) in more {
        match all.get(&name) {
            None => {
                all.insert(name, object);
            }
            Some(first) => problems.push(
                Problem::warning(
                    code::DUPLICATE_KEY,
                    object.span.clone(),
                    format!("`{kind}.{name}` is defined twice; the first one counts"),
                )
                .related(first.span.clone(), "first defined here")
                .help("give one of the two another name, or remove it"),
            ),
        }
    }
}

/// Follows the place: sends each reading that differs from the one before, until nobody listens. Without `watch_files` it
/// looks only when [`FileWatch::tell`] says so.
pub async fn follow(
    place: Place,
    watch_files: bool,
    watch: Arc<FileWatch>,
    first: Option<Configuration>,
    out: Sender<Reading>,
) {
    let mut last = first;
    let mut seen = None;
    let mut complained = None;
    loop {
        if watch_files {
            watch.set([place.path()]);
            watch.changed().await;
        } else {
            watch.told().await;
        }
        let there = place.clone();
        let look = move || {
            let digest = there.digest();
            (seen != Some(digest)).then(|| (digest, there.read()))
        };
        let Ok(Some((digest, reading))) = tokio::task::spawn_blocking(look).await else {
            continue;
        };
        seen = Some(digest);
        // A file that is away for a moment, or broken for long, is told once.
        let complaint: String = reading.problems.to_string();
        let news = match &reading.configuration {
            Some(configuration) => last.as_ref() != Some(configuration),
            None => complained.as_ref() != Some(&complaint),
        };
        complained = Some(complaint);
        if !news {
            continue;
        }
        if let Some(configuration) = &reading.configuration {
            last = Some(configuration.clone());
        }
        if out.send(reading).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("trilithon-file-{name}-{}", std::process::id()));
            // Left over from a run that was stopped.
            let _ = std::fs::remove_dir_all(&path);
            std::fs::create_dir_all(&path).expect("a temporary folder");
            Folder(path)
        }
        fn write(&self, name: &str, text: &str) {
            let path = self.0.join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("written");
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn router(name: &str) -> String {
        format!("http: {{routers: {{{name}: {{rule: \"Path(`/{name}`)\", service: s}}}}}}\n")
    }

    #[test]
    fn a_folder_is_read_with_its_sub_folders_and_the_first_of_two_counts() {
        let folder = Folder::new("folder");
        folder.write("b.yml", &router("same"));
        folder.write("a.yaml", &router("one").replace("one: ", "same: "));
        folder.write(
            "sub/c.toml",
            "[http.routers.deep]\nrule = \"Path(`/deep`)\"\nservice = \"s\"\n",
        );
        folder.write("notes.txt", "not configuration");
        let reading = Place::Folder(folder.0.clone()).read();
        let configuration = reading.configuration.expect("it reads");
        assert_eq!(
            configuration.http.routers.keys().collect::<Vec<_>>(),
            ["deep", "same"]
        );
        assert_eq!(configuration.http.routers["same"].rule, "Path(`/one`)");
        assert_eq!(reading.problems.len(), 1, "{}", reading.problems);
    }

    #[test]
    fn a_broken_file_keeps_the_last_good_state() {
        let folder = Folder::new("broken");
        folder.write("a.yml", &router("good"));
        folder.write("b.yml", "http: {routers: [\n");
        let reading = Place::Folder(folder.0.clone()).read();
        assert!(reading.configuration.is_none());
        assert!(reading.problems.has_errors());
    }
}
