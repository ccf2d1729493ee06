//! What guards see and say: findings in text, verdicts and how several become one, masks, and the languages in which a
//! remote guard's answer is judged. Nothing here asks anybody; nothing here knows a dialect.

pub mod answer;
pub mod condition;
pub mod detector;
pub mod ending;
pub mod finding;
pub mod hidden;
pub mod hold;
pub mod mask;
pub mod presidio;
pub mod recogniser;
pub mod verdict;

pub use condition::{Condition, Unclear};
pub use detector::{BadPattern, Detector, Rule, Scan};
pub use finding::Finding;
pub use mask::{Edit, Mask};
pub use verdict::{Outcome, Verdict, merge};
