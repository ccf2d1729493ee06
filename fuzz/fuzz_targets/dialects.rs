//! See `properties::ai::dialects`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| properties::ai::dialects(bytes));
