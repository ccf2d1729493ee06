//! Words that all guards have.

use trilithon_model_derive::Config;

use crate::word::words;

/// Calls of tools (Model Context Protocol) are judged: what clients send, what servers say, and what they say that their tools do.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct GuardMcp {
    /// What is judged; all when empty.
    pub parts: Vec<McpPart>,
}

words! {
    /// A part of what clients and servers of tools say to each other.
    McpPart: "a part of the protocol" {
        /// What clients send: arguments of tools and prompts, URIs of resources, answers to questions of the server.
        #[default]
        Arguments = "arguments",
        /// What calls give back, and notifications.
        Results = "results",
        /// Texts of errors.
        Errors = "errors",
        /// What tools, prompts, resources and the server say of themselves: names, titles, descriptions, schemas, instructions.
        Descriptions = "descriptions",
        /// What servers ask of clients, whatever it is.
        Questions = "questions",
        /// Of that, what they ask of the client's model.
        Sampling = "sampling",
        /// Of that, what they ask of the person.
        Elicitation = "elicitation",
    }
}

words! {
    /// What happens when a guard cannot say.
    OnError: "a choice for errors" {
        /// The call ends with 500.
        #[default]
        Block = "block",
        /// The text goes on, and the record says that nobody judged it.
        Allow = "allow",
    }
}

words! {
    /// Which messages of a request are judged.
    History: "a choice of messages" {
        /// All: a text that is refused once is refused in every later turn of the chat.
        #[default]
        All = "all",
        /// Those behind the last answer of a model, and instructions and tools: earlier ones were judged when they were new.
        Last = "last",
    }
}
