//! What the server answered to an exchange, as the access log and the metrics tell it.

use trilithon_flow::Record;

/// Status and size of the server's answer. One that could not be asked counts with what the gateway answered for it, a client
/// that left before the answer with 499.
pub fn answer(record: &Record) -> (u16, u64) {
    match &record.fault {
        Some(fault) if record.server_url.is_some() && record.origin_status == 0 => {
            let status = fault.status();
            (status, trilithon_flow::status::text(status).len() as u64)
        }
        _ => (record.origin_status, record.origin_bytes),
    }
}
