//! Which definitions are trusted: those that a list named when a server was first seen, or those that somebody approved. What a
//! server says later is held against them.

use crate::List;
use crate::definition::Definition;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Definitions of one server that are remembered.
pub const MAX_PINS: usize = 4096;

/// What a server says of one thing, beside what is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// What is trusted.
    Same,
    /// It was not there when the server was first seen; trusted from now on, or not, as the server's [`Trust`] says.
    New,
    /// A new one, which is but for its name what another is.
    Renamed,
    /// It is there and says something else.
    Changed,
}

impl Sight {
    /// As logs and metrics name it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Sight::Same => "same",
            Sight::New => "new",
            Sight::Renamed => "renamed",
            Sight::Changed => "changed",
        }
    }
}

/// What is taken for trusted without being approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trust {
    /// What a server's first list names. Without it only what is approved or declared is.
    pub first: bool,
    /// What it names later.
    pub later: bool,
}

/// What is known of one definition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The digest that is trusted; `None` where none is yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted: Option<String>,
    /// The digest without the name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// The digest that was seen last, where it is not the trusted one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
}

/// Definitions that are declared to be trusted: the digest of each, by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Lock {
    pub tools: BTreeMap<String, String>,
    pub prompts: BTreeMap<String, String>,
    pub resources: BTreeMap<String, String>,
    pub resource_templates: BTreeMap<String, String>,
}

/// The definitions of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Pins {
    pub tools: BTreeMap<String, Pin>,
    pub prompts: BTreeMap<String, Pin>,
    pub resources: BTreeMap<String, Pin>,
    pub resource_templates: BTreeMap<String, Pin>,
    /// Lists that were seen to their end: what they name from then on is new.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub seen: BTreeSet<String>,
}

impl Pins {
    pub fn of(&self, list: List) -> &BTreeMap<String, Pin> {
        match list {
            List::Tools => &self.tools,
            List::Prompts => &self.prompts,
            List::Resources => &self.resources,
            List::Templates => &self.resource_templates,
        }
    }

    fn of_mut(&mut self, list: List) -> &mut BTreeMap<String, Pin> {
        match list {
            List::Tools => &mut self.tools,
            List::Prompts => &mut self.prompts,
            List::Resources => &mut self.resources,
            List::Templates => &mut self.resource_templates,
        }
    }

    /// Holds a definition against what is trusted; true beside it if that was not known before.
    pub fn see(&mut self, definition: &Definition, trust: Trust) -> (Sight, bool) {
        let is_first = !self.seen.contains(definition.list.method());
        let pins = self.of_mut(definition.list);
        if let Some(pin) = pins.get_mut(&definition.name) {
            return held_against(pin, definition);
        }
        let is_copy = pins.values().any(|pin| pin.body == definition.body);
        let is_trusted = if is_first { trust.first } else { trust.later };
        // A server that names things without end is not remembered without end.
        if pins.len() < MAX_PINS {
            let pin = Pin {
                trusted: is_trusted.then(|| definition.digest.clone()),
                body: definition.body.clone(),
                seen: (!is_trusted).then(|| definition.digest.clone()),
            };
            pins.insert(definition.name.clone(), pin);
        }
        match (is_first && trust.first, is_copy) {
            (true, _) => (Sight::Same, true),
            (false, true) => (Sight::Renamed, true),
            (false, false) => (Sight::New, true),
        }
    }

    /// A list was seen to its end; true if it was not before.
    pub fn end(&mut self, list: List) -> bool {
        !self.seen.contains(list.method()) && self.seen.insert(list.method().to_owned())
    }

    /// What is against something that is asked for by its name; `None` where nothing is. What no list named is no reason where lists
    /// were not seen to their end, nor for resources, which templates name as well.
    pub fn against(&self, list: List, name: &str, trust: Trust) -> Option<Sight> {
        match self.of(list).get(name) {
            Some(pin) if pin.trusted.is_none() => Some(Sight::New),
            Some(pin) => pin.seen.is_some().then_some(Sight::Changed),
            None => {
                let is_named = matches!(list, List::Tools | List::Prompts);
                let is_late = !trust.first || (!trust.later && self.seen.contains(list.method()));
                (is_named && is_late).then_some(Sight::New)
            }
        }
    }

    /// What is declared to be trusted: by list, by name, the digest.
    ///
    /// # Errors
    /// It is no JSON of that form.
    pub fn declared(text: &str) -> Result<Pins, serde_json::Error> {
        let lock: Lock = serde_json::from_str(text)?;
        let pins = |digests: BTreeMap<String, String>| {
            let pin = |(name, digest)| {
                let pin = Pin {
                    trusted: Some(digest),
                    ..Pin::default()
                };
                (name, pin)
            };
            digests.into_iter().map(pin).collect()
        };
        Ok(Pins {
            tools: pins(lock.tools),
            prompts: pins(lock.prompts),
            resources: pins(lock.resources),
            resource_templates: pins(lock.resource_templates),
            seen: BTreeSet::new(),
        })
    }

    /// What is trusted, as [`Pins::declared`] reads it.
    pub fn lock(&self) -> Lock {
        let digests = |pins: &BTreeMap<String, Pin>| {
            let trusted = pins
                .iter()
                .filter_map(|(name, pin)| Some((name.clone(), pin.trusted.clone()?)));
            trusted.collect()
        };
        Lock {
            tools: digests(&self.tools),
            prompts: digests(&self.prompts),
            resources: digests(&self.resources),
            resource_templates: digests(&self.resource_templates),
        }
    }

    /// Trusts what was seen last, of one name or of all; how many that were.
    pub fn approve(&mut self, name: Option<&str>) -> usize {
        let mut count = 0;
        for list in List::ALL {
            let pins = self.of_mut(list).iter_mut();
            for (_, pin) in pins.filter(|(known, _)| name.is_none_or(|name| name == *known)) {
                if let Some(seen) = pin.seen.take() {
                    pin.trusted = Some(seen);
                    count += 1;
                }
            }
        }
        count
    }
}

fn held_against(pin: &mut Pin, definition: &Definition) -> (Sight, bool) {
    if pin.trusted.as_ref() == Some(&definition.digest) {
        // What is declared has no body yet; what changed may change back.
        let is_news = pin.seen.is_some() || pin.body != definition.body;
        pin.seen = None;
        pin.body.clone_from(&definition.body);
        return (Sight::Same, is_news);
    }
    let is_news = pin.seen.as_ref() != Some(&definition.digest);
    pin.seen = Some(definition.digest.clone());
    let sight = match pin.trusted {
        Some(_) => Sight::Changed,
        None => Sight::New,
    };
    (sight, is_news)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST_USE: Trust = Trust {
        first: true,
        later: true,
    };
    const CAREFUL: Trust = Trust {
        first: true,
        later: false,
    };
    const DECLARED: Trust = Trust {
        first: false,
        later: false,
    };

    fn tool(name: &str, digest: &str, body: &str) -> Definition {
        Definition {
            list: List::Tools,
            name: name.into(),
            digest: digest.into(),
            body: body.into(),
            hides_text: false,
        }
    }

    #[test]
    fn what_was_there_first_is_trusted() {
        let mut pins = Pins::default();
        assert_eq!(pins.see(&tool("a", "1", "x"), FIRST_USE), (Sight::Same, true));
        assert_eq!(
            pins.see(&tool("b", "2", "x"), FIRST_USE),
            (Sight::Same, true),
            "a page later"
        );
        assert!(pins.end(List::Tools));
        assert!(!pins.end(List::Tools));
        assert_eq!(pins.see(&tool("a", "1", "x"), FIRST_USE), (Sight::Same, false));
        assert_eq!(pins.see(&tool("c", "3", "x"), FIRST_USE), (Sight::Renamed, true));
        assert_eq!(pins.see(&tool("d", "4", "y"), FIRST_USE), (Sight::New, true));
        assert_eq!(pins.see(&tool("d", "4", "y"), FIRST_USE), (Sight::Same, false));
        let against = |name| pins.against(List::Tools, name, FIRST_USE);
        assert_eq!(["a", "c", "d", "e"].map(against), [None, None, None, None]);
    }

    #[test]
    fn a_change_is_open_until_it_is_approved_or_taken_back() {
        let mut pins = Pins::default();
        pins.see(&tool("a", "1", "x"), FIRST_USE);
        pins.end(List::Tools);
        assert_eq!(pins.see(&tool("a", "2", "y"), FIRST_USE), (Sight::Changed, true));
        assert_eq!(
            pins.see(&tool("a", "2", "y"), FIRST_USE),
            (Sight::Changed, false),
            "known already"
        );
        let against = |pins: &Pins| pins.against(List::Tools, "a", FIRST_USE);
        assert_eq!(against(&pins), Some(Sight::Changed));
        assert_eq!(pins.see(&tool("a", "1", "x"), FIRST_USE), (Sight::Same, true));
        assert_eq!(against(&pins), None);
        pins.see(&tool("a", "2", "y"), FIRST_USE);
        assert_eq!(
            (
                pins.approve(Some("b")),
                pins.approve(Some("a")),
                pins.approve(None)
            ),
            (0, 1, 0)
        );
        assert_eq!(pins.see(&tool("a", "2", "y"), FIRST_USE), (Sight::Same, true));
        assert_eq!(pins.see(&tool("a", "1", "x"), FIRST_USE).0, Sight::Changed);
    }

    #[test]
    fn what_comes_later_waits_where_it_has_to() {
        let mut pins = Pins::default();
        pins.see(&tool("a", "1", "x"), CAREFUL);
        let against = |pins: &Pins| pins.against(List::Tools, "b", CAREFUL);
        assert_eq!(against(&pins), None, "the list is not at its end");
        pins.end(List::Tools);
        assert_eq!(against(&pins), Some(Sight::New), "nobody has seen it");
        assert_eq!(pins.against(List::Resources, "b", CAREFUL), None);
        assert_eq!(pins.see(&tool("b", "2", "y"), CAREFUL), (Sight::New, true));
        assert_eq!(pins.see(&tool("b", "2", "y"), CAREFUL), (Sight::New, false));
        assert_eq!(pins.approve(None), 1);
        assert_eq!(against(&pins), None);
    }

    #[test]
    fn only_what_is_declared_is_trusted_where_something_is() {
        let mut pins = Pins::declared(r#"{"tools":{"a":"1"}}"#).unwrap();
        assert_eq!(pins.see(&tool("a", "1", "x"), DECLARED).0, Sight::Same);
        assert_eq!(pins.see(&tool("b", "2", "x"), DECLARED).0, Sight::Renamed);
        assert_eq!(pins.see(&tool("c", "3", "y"), DECLARED).0, Sight::New);
        let against = |name| pins.against(List::Tools, name, DECLARED);
        let new = || Some(Sight::New);
        assert_eq!(["a", "b", "c", "d"].map(against), [None, new(), new(), new()]);
        assert_eq!(serde_json::to_string(&pins.lock().tools).unwrap(), r#"{"a":"1"}"#);
        assert!(Pins::declared(r#"{"tool":{}}"#).is_err());
    }

    #[test]
    fn a_server_is_not_remembered_without_end() {
        let mut pins = Pins::default();
        for n in 0..MAX_PINS + 9 {
            pins.see(&tool(&n.to_string(), "1", &n.to_string()), FIRST_USE);
        }
        assert_eq!(pins.tools.len(), MAX_PINS);
    }

    #[test]
    fn pins_are_written_and_read() {
        let mut pins = Pins::default();
        pins.see(&tool("a", "1", "x"), FIRST_USE);
        pins.end(List::Tools);
        pins.see(&tool("a", "2", "y"), FIRST_USE);
        let text = serde_json::to_string(&pins).unwrap();
        assert_eq!(serde_json::from_str::<Pins>(&text).unwrap(), pins);
    }
}
