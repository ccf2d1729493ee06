//! `encodedCharacters`

use trilithon_model_derive::Config;

/// Refuses requests (400) whose path holds certain characters percent-encoded, except those allowed here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct EncodedCharacters {
    /// Allow `%2F`.
    pub allow_encoded_slash: bool,
    /// Allow `%5C`.
    #[config(rename = "allowEncodedBackSlash")]
    pub allow_encoded_back_slash: bool,
    /// Allow `%00`.
    pub allow_encoded_null_character: bool,
    /// Allow `%3B`.
    pub allow_encoded_semicolon: bool,
    /// Allow `%25`.
    pub allow_encoded_percent: bool,
    /// Allow `%3F`.
    pub allow_encoded_question_mark: bool,
    /// Allow `%23`.
    pub allow_encoded_hash: bool,
}
