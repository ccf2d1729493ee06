//! See `properties::ai::query`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| properties::ai::query(text));
