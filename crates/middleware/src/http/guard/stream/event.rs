//! What one event of a stream says, as guards look at it.

use trilithon_ai::Query;
use trilithon_ai::dialect::{Delta, Dialect, EventKind, is_done};
use trilithon_ai::guard::hold::{Channel, Key, Piece};
use trilithon_flow::Channel as Kind;
use trilithon_wire::json::{self, Value};

/// The texts of an event, and what ends with it.
#[derive(Default)]
pub struct Event {
    pub pieces: Vec<Piece>,
    /// Choices that end.
    ends: Vec<u32>,
    /// All end.
    is_last: bool,
}

impl Event {
    /// Reads the data of an event. Without a dialect its text is what the queries find.
    ///
    /// # Errors
    /// Text may be in it that nobody can find, or that others find elsewhere.
    pub fn read(dialect: Option<Dialect>, queries: &[Query], data: &[u8]) -> Result<Event, &'static str> {
        if is_done(data) {
            return Ok(Event {
                is_last: dialect.is_none_or(|dialect| dialect == Dialect::Chat),
                ..Event::default()
            });
        }
        let (root, names) = json::parse_names(data).map_err(|_| "an event is no JSON")?;
        names.map_err(|_| "an event has an object with a name twice")?;
        match dialect {
            Some(dialect) => Event::of(dialect, data),
            None => Ok(Event {
                pieces: queried(queries, &root),
                ..Event::default()
            }),
        }
    }

    fn of(dialect: Dialect, data: &[u8]) -> Result<Event, &'static str> {
        let event = dialect.event(data).map_err(|_| "an event is no JSON")?;
        Ok(Event {
            pieces: event.deltas.iter().map(piece).collect(),
            ends: event.finish.iter().map(|(choice, _)| *choice).collect(),
            is_last: event.kind == EventKind::Done,
        })
    }

    /// Whether nothing will be added to a text.
    pub fn ends(&self, channel: &Channel) -> bool {
        self.is_last || self.ends.contains(&channel.key.choice)
    }
}

fn piece(delta: &Delta) -> Piece {
    Piece {
        key: Key {
            kind: delta.channel,
            choice: delta.choice,
            index: delta.index,
        },
        restates: delta.restates,
        range: delta.range.clone(),
    }
}

fn queried(queries: &[Query], root: &Value<'_>) -> Vec<Piece> {
    let found = queries.iter().enumerate().flat_map(|(place, query)| {
        query.find(root).into_iter().map(move |range| Piece {
            key: Key {
                kind: Kind::Query,
                choice: 0,
                index: place as u32,
            },
            restates: false,
            range,
        })
    });
    found.collect()
}
