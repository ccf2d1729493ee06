//! The orders of a shop: the sample API, and what the sample tools work on.

use serde_json::{Value, json};

/// What each order is: its id, who ordered, what was paid.
pub const ORDERS: [(&str, &str, f64); 3] = [
    ("o-1001", "ada", 120.0),
    ("o-1002", "grace", 35.5),
    ("o-1003", "ada", 9.0),
];

/// The orders of one customer, or all.
pub fn of(customer: Option<&str>) -> Value {
    let wanted = ORDERS
        .iter()
        .filter(|(_, by, _)| customer.is_none_or(|c| c == *by));
    wanted
        .map(|(id, customer, total)| json!({"id": id, "customer": customer, "total": total}))
        .collect()
}

/// The customer that a query asks for (`customer=ada`).
pub fn customer(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("customer="))
}
