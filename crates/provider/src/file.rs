//! Routing configuration from a file, or from all files of a folder. The provider `file`.

use crate::template;
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
pub struct Place {
    path: PathBuf,
    is_folder: bool,
    /// Whether what templates become is logged.
    logs_templates: bool,
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
        problems.extend(template::hint(source, found));
        merge(&mut all, configuration, &mut problems);
    }
    (all, problems)
}

/// The place that the install configuration names; `None` when it names none or both.
pub fn place(config: &FileProvider) -> Option<Place> {
    let (path, is_folder) = match (config.filename.as_str(), config.directory.as_str()) {
        (file, "") if !file.is_empty() => (file, false),
        ("", folder) if !folder.is_empty() => (folder, true),
        _ => return None,
    };
    Some(Place {
        path: path.into(),
        is_folder,
        logs_templates: config.debug_log_generated_template,
    })
}

impl Place {
    /// The path to watch.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The routing files, in order.
    fn files(&self) -> io::Result<Vec<PathBuf>> {
        if self.is_folder {
            list(&self.path, 0)
        } else {
            Ok(vec![self.path.clone()])
        }
    }

    /// A number for what is written there now; equal numbers need no second reading.
    fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for path in self.files().unwrap_or_default() {
            let text = text(&path).map_err(|error| error.to_string());
            (path, text).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Reads everything there.
    pub fn read(&self) -> Reading {
        let mut problems = Problems::new();
        let files = match self.files() {
            Ok(files) => files,
            Err(error) => {
                problems.push(unreadable(&self.path, &error));
                return Reading {
                    configuration: None,
                    partial: None,
                    sources: Vec::new(),
                    problems,
                };
            }
        };
        let mut sources = Vec::new();
        let mut broken = false;
        for path in &files {
            match self.source(path) {
                Ok(source) => sources.push(source),
                Err(problem) => {
                    broken = true;
                    problems.push(problem);
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

    /// One file's text, rendered where it is a template.
    fn source(&self, path: &Path) -> Result<Arc<Source>, Problem> {
        let text = text(path).map_err(|error| unreadable(path, &error))?;
        template::source(path, text, self.logs_templates)
    }
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
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("trilithon-file-{name}-{}", std::process::id()));
            // Left over from a run that was stopped.
            let _ = std::fs::remove_dir_all(&path);
            std::fs::create_dir_all(&path).expect("a temporary folder");
            Folder(path)
        }
        fn place(&self) -> Place {
            Place {
                path: self.0.clone(),
                is_folder: true,
                logs_templates: false,
            }
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
        let reading = folder.place().read();
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
        let reading = folder.place().read();
        assert!(reading.configuration.is_none());
        assert!(reading.problems.has_errors());
    }

    /// One file of this text: what its routers are called, or the problems.
    fn check(file: &str, text: &str, want: Result<&[&str], &str>) {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let folder = Folder::new(&COUNT.fetch_add(1, Ordering::Relaxed).to_string());
        folder.write(file, text);
        let reading = folder.place().read();
        match (reading.configuration, want) {
            (Some(configuration), Ok(want)) => {
                let routers: Vec<&String> = configuration.http.routers.keys().collect();
                assert_eq!(routers, want, "{text}");
                assert!(!reading.problems.has_errors(), "{}", reading.problems);
            }
            (None, Err(want)) => {
                let problems = reading.problems.to_string();
                let folder = format!("{}/", folder.0.display());
                assert_eq!(problems.replace(&folder, ""), want, "{text}");
            }
            (configuration, _) => panic!("{text}: {configuration:?} {}", reading.problems),
        }
    }

    #[test]
    fn a_template_is_rendered_before_it_is_read() {
        check(
            "a.yml",
            "http:\n  routers:\n{{- range list \"a\" \"b\" }}\n    r{{ . }}: {rule: 'Host(`{{ . }}`)', service: s}{{ end }}\n",
            Ok(&["ra", "rb"]),
        );
        check(
            "a.toml",
            "{{ range until 2 }}[http.routers.r{{ . }}]\nrule = \"Path(`/{{ . }}`)\"\nservice = \"s\"\n{{ end }}",
            Ok(&["r0", "r1"]),
        );
        // The data is `false`, as Traefik's is.
        check(
            "a.yml",
            "http: {routers: {r{{ . }}: {rule: 'Path(`/`)', service: s}}}\n",
            Ok(&["rfalse"]),
        );
        // One brace starts nothing.
        check(
            "a.yml",
            "http: {routers: {r: {rule: 'HostRegexp(`{a:[a-z]+}`)', service: s, ruleSyntax: v2}}} # { {\n",
            Ok(&["r"]),
        );
    }

    #[test]
    fn a_fault_of_a_template_is_told_where_it_stands() {
        check(
            "a.yml",
            "http:\n  routers: {{ nop }}\n",
            Err(
                "a.yml:2:15: error[TRI0008]: template: function \"nop\" not defined\n  help: did you mean `not`?",
            ),
        );
        check(
            "a.yml",
            "# {{ fail \"not today\" }}\n",
            Err(
                "a.yml:1:6: error[TRI0008]: template: error calling fail: not today\n  help: `{{` starts a template; \
                 to have it in the text write `{{ \"{{\" }}`",
            ),
        );
    }

    #[test]
    fn a_fault_of_what_a_template_became_is_told_in_the_template() {
        check(
            "a.yml",
            "{{ range until 3 }}# {{ . }}\n{{ end }}http:\n  routers: [\n",
            Err(
                "a.yml:3:12: error[TRI0001]: not YAML: unclosed bracket '['\n  help: the file is a template: \
                 `providers.file.debugLogGeneratedTemplate` logs what it becomes",
            ),
        );
        check(
            "a.toml",
            "{{ range list \"a\" \"b\" }}\n[http.services.{{ . }}.loadBalancer]\npassHostHeader = \"maybe\"\n{{ end }}",
            Err(
                "a.toml:3:18: error[TRI0105]: `http.services.a.loadBalancer.passHostHeader` expects a truth value, \
                 found `maybe`\n  help: write `true` or `false`\na.toml:3:18: error[TRI0105]: \
                 `http.services.b.loadBalancer.passHostHeader` expects a truth value, found `maybe`\n  help: write \
                 `true` or `false`",
            ),
        );
    }
}
