//! The words every room speaks: request, response, body, exchange, step, chain, fault, record.
