//! The languages that clients and model servers speak: where in their bodies the text is, what they count, how they say
//! no.
//!
//! Bodies stay as they are: what is read are ranges of the bytes, and what is changed is spliced.

mod answer;
mod broken;
mod called;
mod chat;
mod course;
mod deny;
mod echo;
mod error;
mod event;
mod gather;
mod messages;
mod request;
mod responses;

pub use answer::{Answer, Reported};
pub use broken::Broken;
pub use course::Course;
pub use deny::Denial;
pub use event::{Delta, Event, EventKind, is_done};
pub use gather::{Opaque, Slot};
pub use request::{Invalid, Request};
pub use trilithon_flow::{Channel, Format};

use self::gather::Gather;
use trilithon_wire::json;

/// A language that is known, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI Chat Completions.
    Chat,
    /// OpenAI Responses.
    Responses,
    /// Anthropic Messages.
    Messages,
}

impl Dialect {
    pub const ALL: [Dialect; 3] = [Dialect::Chat, Dialect::Responses, Dialect::Messages];

    /// The dialect of bodies in this format; a custom one has none.
    pub fn of(format: Format) -> Option<Dialect> {
        match format {
            Format::Ccr => Some(Dialect::Chat),
            Format::ResponsesApi => Some(Dialect::Responses),
            Format::MessagesApi => Some(Dialect::Messages),
            Format::Custom => None,
        }
    }

    pub fn format(self) -> Format {
        match self {
            Dialect::Chat => Format::Ccr,
            Dialect::Responses => Format::ResponsesApi,
            Dialect::Messages => Format::MessagesApi,
        }
    }

    /// Checks a request and finds what is in it.
    ///
    /// # Errors
    /// It is not a request of this dialect; the message is for the client.
    pub fn request(self, body: &[u8]) -> Result<Request, Invalid> {
        let root = json::parse(body)?;
        match self {
            Dialect::Chat => chat::request(&root),
            Dialect::Responses => responses::request(&root),
            Dialect::Messages => messages::request(&root),
        }
    }

    /// Finds what is in a whole answer. What does not look as expected is passed over.
    ///
    /// # Errors
    /// It is no JSON.
    pub fn answer(self, body: &[u8]) -> Result<Answer, json::Error> {
        let root = json::parse(body)?;
        Ok(match self {
            Dialect::Chat => chat::answer(&root),
            Dialect::Responses => responses::answer(&root),
            Dialect::Messages => messages::answer(&root),
        })
    }

    /// Finds what is in the data of one event of a stream; ranges are those of the data. The names of events say nothing
    /// that their data does not.
    ///
    /// # Errors
    /// The data is no JSON, and nothing else that is known.
    pub fn event(self, data: &[u8]) -> Result<Event<'_>, json::Error> {
        match self {
            Dialect::Chat => chat::event(data),
            Dialect::Responses => responses::event(data),
            Dialect::Messages => messages::event(data),
        }
    }

    /// Where an answer, or the data of an event, tells once more what its texts say, and what may stand there instead.
    pub fn echoes(self, data: &[u8]) -> Vec<(std::ops::Range<usize>, &'static str)> {
        echo::find(self, data)
    }

    /// An answer of the gateway's own that looks like one of a model: JSON, or a whole stream of events.
    pub fn denial(self, denial: &Denial<'_>) -> Vec<u8> {
        match self {
            Dialect::Chat => chat::denial(denial),
            Dialect::Responses => responses::denial(denial),
            Dialect::Messages => messages::denial(denial),
        }
    }

    /// The event that ends a stream which broke off, so that nobody takes it for whole.
    pub fn broken(self, broken: &Broken<'_>) -> Vec<u8> {
        broken::event(self, broken)
    }

    /// The body of an answer that tells of an error, JSON.
    pub fn error(self, status: u16, message: &str) -> Vec<u8> {
        error::body(self, status, message, None)
    }

    /// The same for a request that is at fault.
    pub fn invalid(self, invalid: &Invalid) -> Vec<u8> {
        error::body(self, 400, &invalid.message, invalid.param.as_deref())
    }

    /// The tokens that an upstream reported, in one way of counting.
    pub fn usage(self, reported: Reported) -> Option<trilithon_flow::Usage> {
        reported.usage(self == Dialect::Messages)
    }
}

/// Every text in a body of any shape: of what is told about a model's answers, where nobody says where they stand in it.
///
/// # Errors
/// It is no JSON.
pub fn texts(body: &[u8]) -> Result<Vec<Slot>, json::Error> {
    let mut gather = Gather::default();
    gather.leaves(Channel::Assistant, &json::parse(body)?);
    Ok(gather.slots)
}
