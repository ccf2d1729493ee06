//! The prices of the process.

use super::Table;
use std::sync::Arc;
use trilithon_flow::Keep;

/// The table that everything of one process reckons with.
#[derive(Debug)]
pub struct Prices(Arc<Table>);

impl Prices {
    /// The name under which the process keeps its prices.
    const NAME: &str = "prices";

    /// Makes `table` the prices of the process. Whoever holds them keeps them.
    pub fn start(keep: &Keep, table: Arc<Table>) -> Arc<Prices> {
        keep.get(Prices::NAME, &(), || Prices(table))
    }

    /// The prices of the process; where none were started, those that are built in.
    pub fn of(keep: &Keep) -> Arc<Prices> {
        keep.get(Prices::NAME, &(), || Prices(Table::built_in()))
    }

    pub fn table(&self) -> &Table {
        &self.0
    }
}
