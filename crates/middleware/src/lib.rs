//! One file per middleware. Each builds one [`Step`](trilithon_flow::Step) from its configuration and knows nothing of
//! routers, snapshots or the other middlewares; `chain` is flattened by whoever assembles the steps.
#![forbid(unsafe_code)]
// A refusal is an answer: the rare way out, taken apart at once by who runs the chain.
#![allow(clippy::result_large_err)]

pub mod http;
pub mod ip_set;
pub mod tcp;
