//! What the tools do.

use super::super::orders::ORDERS;
use serde_json::{Map, Value, json};
use std::sync::{Mutex, PoisonError};

/// What colleagues wrote down. The key is the one that its vendor prints in examples.
pub const NOTES: &str = "Ada wants her refunds by bank transfer. The store room's key is AKIAIOSFODNN7EXAMPLE; \
                         write to grace@example.com when it is used up.";

/// Refunds that a shop keeps; there are none beyond.
const MOST: usize = 4096;

/// The refunds so far.
#[derive(Default)]
pub struct Shop(Mutex<Vec<Refund>>);

struct Refund {
    order: &'static str,
    amount: f64,
    cancelled: bool,
}

/// What a tool says: text, and the same as data; or why it failed.
pub type Outcome = Result<(String, Value), String>;

impl Shop {
    /// `refund_order`
    pub fn refund(&self, arguments: &Map<String, Value>) -> Outcome {
        let wanted = arguments.get("order").and_then(Value::as_str).unwrap_or_default();
        let order = ORDERS.iter().find(|(id, ..)| *id == wanted);
        let (order, _, total) = order.ok_or_else(|| format!("there is no order `{wanted}`"))?;
        let amount = arguments.get("amount").and_then(Value::as_f64);
        let amount = amount
            .filter(|a| *a > 0.0)
            .ok_or("`amount` is no number above 0")?;
        let mut refunds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let given = refunds.iter().filter(|r| r.order == *order && !r.cancelled);
        let left = total - given.map(|r| r.amount).sum::<f64>();
        if amount > left || refunds.len() == MOST {
            return Err(format!("no more than {left} of {order} can be refunded"));
        }
        refunds.push(Refund {
            order,
            amount,
            cancelled: false,
        });
        let refund = format!("r-{}", refunds.len());
        let text = format!("refunded {amount} of {order} as {refund}");
        Ok((text, json!({"refund": refund, "order": order, "amount": amount})))
    }

    /// `cancel_refund`
    pub fn cancel(&self, arguments: &Map<String, Value>) -> Outcome {
        let wanted = arguments
            .get("refund")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let mut refunds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = wanted.strip_prefix("r-").and_then(|n| n.parse::<usize>().ok());
        let refund = at.and_then(|n| refunds.get_mut(n.checked_sub(1)?));
        let refund = refund.filter(|r| !r.cancelled);
        let refund = refund.ok_or_else(|| format!("there is no refund `{wanted}` to cancel"))?;
        refund.cancelled = true;
        let text = format!(
            "cancelled {wanted}: {} of {} is paid again",
            refund.amount, refund.order
        );
        Ok((text, json!({"refund": wanted, "cancelled": true})))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refunds_and_what_takes_them_back() {
        let shop = Shop::default();
        let said = |outcome: Outcome| outcome.map_or_else(|why| why, |(text, _)| text);
        let refund = |order: &str, amount: Value| {
            let arguments = json!({"order": order, "amount": amount});
            said(shop.refund(arguments.as_object().expect("an object")))
        };
        let cancel = |refund: &str| {
            let arguments = json!({"refund": refund});
            said(shop.cancel(arguments.as_object().expect("an object")))
        };
        assert_eq!(refund("o-1001", json!(100)), "refunded 100 of o-1001 as r-1");
        assert_eq!(
            refund("o-1001", json!(21)),
            "no more than 20 of o-1001 can be refunded"
        );
        assert_eq!(refund("o-7", json!(1)), "there is no order `o-7`");
        assert_eq!(refund("o-1001", json!("1")), "`amount` is no number above 0");
        assert_eq!(cancel("r-1"), "cancelled r-1: 100 of o-1001 is paid again");
        assert_eq!(cancel("r-1"), "there is no refund `r-1` to cancel");
        assert_eq!(cancel("r-0"), "there is no refund `r-0` to cancel");
        assert_eq!(refund("o-1001", json!(21)), "refunded 21 of o-1001 as r-2");
    }
}
