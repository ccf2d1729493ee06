//! Answers of several servers as one.

mod hello;
mod lists;
mod subscription;

pub use hello::{Hello, Speaker, discover, initialize};
pub use lists::Lists;
pub use subscription::{Subscription, in_subscription};
