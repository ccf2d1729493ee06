//! Words that all guards have.

use crate::word::words;

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
