//! What calls cost: prices by model as of a day, in whole billionths of a US dollar.

mod amount;
mod held;
mod name;
mod rates;
mod table;

pub use amount::{Dollars, Invalid as InvalidAmount, parse as dollars};
pub use held::Prices;
pub use rates::Price;
pub use table::{Invalid, MAX_FILE, Table};
