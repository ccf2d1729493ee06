//! See `properties::tools::openapi`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| properties::tools::openapi(text));
