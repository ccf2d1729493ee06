//! `definitions`: what a server says that its tools, prompts and resources are, held against what is trusted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use trilithon_flow::mcp_call::Asked;
use trilithon_flow::model_call::name as cut;
use trilithon_flow::{Build, BuildError, Decision, McpCall, Mode, metrics};
use trilithon_ledger::Definitions as Book;
use trilithon_mcp::forms::{self, Forms};
use trilithon_mcp::pins::{Sight, Trust};
use trilithon_mcp::{Definition, List, Pins};
use trilithon_model::FileOrContent;
use trilithon_model::dynamic::http::{Mcp as Config, OnDefinition};
use trilithon_upstream::tls::read;
use trilithon_wire::json::Value;

/// What is trusted of one server, and what becomes of the rest.
pub struct Definitions {
    /// The middleware's name, which stands for the server's.
    name: Arc<str>,
    trusted: Trusted,
    trust: Trust,
    hides_changed: bool,
    hides_new: bool,
    /// What arguments are held against, where they are.
    forms: Option<Arc<Mutex<Forms>>>,
}

/// Where it is known what is trusted.
enum Trusted {
    /// What was seen first, or approved since.
    Seen(Arc<Book>),
    /// `lock`, and what is seen beside it.
    Declared(Arc<Mutex<Pins>>),
}

impl Definitions {
    /// # Errors
    /// A lock that cannot be read.
    pub fn build(config: &Config, cx: &mut Build<'_>) -> Result<Option<Arc<Definitions>>, BuildError> {
        let Some(config) = &config.definitions else {
            return Ok(None);
        };
        let hides_new = config.on_new == OnDefinition::Hide;
        let is_declared = !config.lock.is_empty();
        let trusted = match is_declared {
            true => Trusted::Declared(declared(config.lock.as_str(), &read_lock(&config.lock)?, cx)?),
            false => Trusted::Seen(Book::of(cx.keep)),
        };
        Ok(Some(Arc::new(Definitions {
            name: cx.name.into(),
            trusted,
            trust: Trust {
                first: !is_declared,
                later: !is_declared && !hides_new,
            },
            hides_changed: config.on_change == OnDefinition::Hide,
            hides_new,
            forms: config
                .check_arguments
                .then(|| cx.keep.get(cx.name, &(), Mutex::default)),
        })))
    }

    /// Whether anything is hidden and refused.
    pub fn hides_any(&self) -> bool {
        self.hides_changed || self.hides_new
    }

    /// Whether anything is refused.
    pub fn refuses_any(&self) -> bool {
        self.hides_any() || self.forms.is_some()
    }

    /// Looks at an item of a list, and takes note of what is noticed; whether it is hidden.
    pub fn hides(&self, list: List, item: &Value<'_>, call: &mut McpCall) -> bool {
        let Some(definition) = Definition::read(list, item) else {
            call.notice(cut(""), "unreadable");
            return self.hides_any();
        };
        let (sight, is_news) = self.with(|pins| {
            let seen = pins.see(&definition, self.trust);
            let is_news = seen.1;
            (seen, is_news)
        });
        let hidden = definition.hides_text.then_some("hidden_text");
        let other = (sight != Sight::Same).then(|| sight.as_str());
        for what in hidden.into_iter().chain(other) {
            call.notice(cut(&definition.name), what);
            if is_news {
                self.tell(&definition, what);
            }
        }
        if list == List::Tools && self.is_trusted(&sight) {
            self.learn(&definition.name, item, call);
        }
        self.is_hidden(&sight)
    }

    /// A list was seen to its end.
    pub fn end(&self, list: List) {
        self.with(|pins| ((), pins.end(list)));
    }

    /// The decision on a message that asks for something; `None` where nothing is against it.
    pub fn decide(&self, asked: &Asked, mode: Mode) -> Option<Decision> {
        let (list, naming) = match &*asked.method {
            "tools/call" => (List::Tools, "name"),
            "prompts/get" => (List::Prompts, "name"),
            "resources/read" | "resources/subscribe" => (List::Resources, "uri"),
            _ => return None,
        };
        let name = asked.text(naming).filter(|_| self.hides_any())?;
        let against = self.with(|pins| (pins.against(list, name, self.trust), false))?;
        self.is_hidden(&against).then(|| Decision {
            policy: self.name.clone(),
            rule: "definitions".into(),
            allowed: false,
            mode,
            facts: vec![("mcp.definition".into(), against.as_str().to_owned())],
        })
    }

    /// The decision on a call whose arguments are not what the trusted schema of its tool asks for, and what does not fit.
    pub fn misfit(&self, asked: &Asked, mode: Mode) -> Option<(Decision, String)> {
        let forms = self.forms.as_ref().filter(|_| &*asked.method == "tools/call")?;
        let schema = locked(forms).of(asked.tool()?)?;
        let why = forms::check(&schema, asked.params().get("arguments")).err()?;
        let decision = Decision {
            policy: self.name.clone(),
            rule: "arguments".into(),
            allowed: false,
            mode,
            facts: vec![("mcp.misfit".into(), cut(&why).to_string())],
        };
        Some((decision, why))
    }

    /// Takes in what calls of a trusted tool look like.
    fn learn(&self, tool: &str, item: &Value<'_>, call: &mut McpCall) {
        let Some(forms) = &self.forms else { return };
        let unchecked = locked(forms).learn(tool, item.get("inputSchema").as_ref());
        if let Some((why, is_news)) = unchecked {
            call.notice(cut(tool), "unchecked_schema");
            if is_news {
                let server = &*self.name;
                tracing::warn!(server, tool, %why, "arguments of a tool are not held against all of its schema");
            }
        }
    }

    /// Whether a definition is trusted now.
    fn is_trusted(&self, sight: &Sight) -> bool {
        match sight {
            Sight::Same => true,
            Sight::Changed => false,
            Sight::New | Sight::Renamed => self.trust.later,
        }
    }

    fn is_hidden(&self, sight: &Sight) -> bool {
        match sight {
            Sight::Same => false,
            Sight::Changed => self.hides_changed,
            Sight::New | Sight::Renamed => self.hides_new,
        }
    }

    fn with<T>(&self, look: impl FnOnce(&mut Pins) -> (T, bool)) -> T {
        match &self.trusted {
            Trusted::Seen(book) => book.with(&self.name, look),
            Trusted::Declared(pins) => look(&mut locked(pins)).0,
        }
    }

    fn tell(&self, definition: &Definition, what: &'static str) {
        tracing::warn!(
            server = &*self.name,
            list = definition.list.method(),
            name = definition.name,
            digest = definition.digest,
            what,
            "a definition of a server of tools was noticed"
        );
        let help = "Definitions of servers of tools that were noticed, by middleware and what was noticed.";
        let labels = [("middleware", &*self.name), ("what", what)];
        metrics::registry()
            .counter("trilithon_mcp_definitions_noticed_total", help, &labels)
            .inc();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read_lock(lock: &FileOrContent) -> Result<String, BuildError> {
    match lock.as_str().trim_start().starts_with('{') {
        true => Ok(lock.as_str().to_owned()),
        false => read(lock),
    }
}

fn declared(written: &str, text: &str, cx: &mut Build<'_>) -> Result<Arc<Mutex<Pins>>, BuildError> {
    let pins = Pins::declared(text).map_err(|why| {
        BuildError::new(format!("`definitions.lock` is no lock: {why}"))
            .at(written, 0)
            .help("write what `trilithon tools list --lock` prints")
    })?;
    Ok(cx.keep.get(cx.name, &text, || Mutex::new(pins)))
}

#[cfg(test)]
mod tests;
