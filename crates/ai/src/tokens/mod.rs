//! Tokens of a call before anybody reports them: counted with the model's own tokenizer where that is known and built in,
//! guessed elsewhere.

mod estimate;
mod family;
mod forecast;
mod prompt;
mod ratio;
#[cfg(feature = "tokenizer")]
mod tokenizer;

pub use estimate::estimate;
pub use family::Family;
pub use forecast::{Forecasts, Kind, MOST as LONGEST_FORECAST};
pub use prompt::Prompt;
pub use ratio::Ratios;

use trilithon_flow::model_call::Basis;

/// Text that is counted; of what is longer, the rest is guessed. A count of so much takes some milliseconds.
#[cfg(feature = "tokenizer")]
const COUNTED: usize = 256 * 1024;

/// The tokens of `text`, before any correction, and how they were come by.
pub fn count(family: Family, text: &[u8]) -> (u64, Basis) {
    #[cfg(feature = "tokenizer")]
    if text.len() <= COUNTED
        && let Some(tokens) = tokenizer::count(family, text)
    {
        return (tokens, Basis::Counted);
    }
    (estimate(family, text), Basis::Estimated)
}
