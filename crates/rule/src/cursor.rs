//! Reading a small language word by word: what its parsers have in common beside their grammar.

use std::fmt;

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Lower case, without a final stop.
    pub message: String,
    /// The byte where it is.
    pub at: usize,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.message, self.at)
    }
}

impl std::error::Error for SyntaxError {}

/// A place in a text. White space between words is passed over.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    pub text: &'a str,
    /// The byte where the next word, or white space before it, begins.
    pub at: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a str) -> Cursor<'a> {
        Cursor { text, at: 0 }
    }

    /// Where the next word begins.
    pub fn here(&mut self) -> usize {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        self.at
    }

    /// The text from the next word on.
    pub fn rest(&mut self) -> &'a str {
        let at = self.here();
        &self.text[at..]
    }

    /// Passes over `sign` if it comes next.
    pub fn take(&mut self, sign: &str) -> bool {
        let found = self.rest().starts_with(sign);
        if found {
            self.at += sign.len();
        }
        found
    }

    /// Passes over `sign`.
    ///
    /// # Errors
    /// Something else comes next.
    pub fn expect(&mut self, sign: &str) -> Result<(), SyntaxError> {
        if self.take(sign) {
            Ok(())
        } else {
            Err(self.expected(&format!("`{sign}`")))
        }
    }

    /// The error of finding something other than `what`.
    pub fn expected(&mut self, what: &str) -> SyntaxError {
        match self.rest().chars().next() {
            Some(c) => self.error(format!("expected {what}, found `{c}`")),
            None => self.error(format!("expected {what}, found the end")),
        }
    }

    /// An error here.
    pub fn error(&self, message: String) -> SyntaxError {
        SyntaxError { message, at: self.at }
    }
}
