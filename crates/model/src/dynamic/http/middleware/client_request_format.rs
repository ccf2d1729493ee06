//! `clientRequestFormat`, which guards and token limits have.

use crate::word::words;

words! {
    /// How bodies are to be read.
    ClientRequestFormat: "a request format" {
        /// Any JSON; where its text lies is configured.
        #[default]
        Custom = "custom",
        /// OpenAI Chat Completions.
        Ccr = "ccr",
        /// OpenAI Responses.
        ResponsesApi = "responsesAPI",
        /// Anthropic Messages.
        MessagesApi = "messagesAPI",
    }
}
