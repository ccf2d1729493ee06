//! How serious a server's remark is (`notifications/message`), and from where on a client wants to be told.

use trilithon_wire::json::Value;

/// A level of RFC 5424 §6.2.1, from the least serious on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}

impl Level {
    const ALL: [(Level, &str); 8] = [
        (Level::Debug, "debug"),
        (Level::Info, "info"),
        (Level::Notice, "notice"),
        (Level::Warning, "warning"),
        (Level::Error, "error"),
        (Level::Critical, "critical"),
        (Level::Alert, "alert"),
        (Level::Emergency, "emergency"),
    ];

    /// The level that a value names; `None` for what names none.
    pub fn read(value: Option<&Value<'_>>) -> Option<Level> {
        let text = value?.text()?;
        let found = Level::ALL.into_iter().find(|(_, name)| text.is(name));
        found.map(|(level, _)| level)
    }

    pub fn as_str(self) -> &'static str {
        Level::ALL
            .into_iter()
            .find(|(level, _)| *level == self)
            .map_or("", |(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trilithon_wire::json;

    #[test]
    fn levels_are_read_and_compared() {
        let read = |text: &str| Level::read(json::parse(text.as_bytes()).ok().as_ref());
        for (level, name) in Level::ALL {
            assert_eq!(
                (read(&format!("\"{name}\"")), level.as_str()),
                (Some(level), name)
            );
        }
        assert!(Level::Debug < Level::Info && Level::Alert < Level::Emergency);
        assert_eq!(
            (read("\"loud\""), read("7"), Level::read(None)),
            (None, None, None)
        );
    }
}
