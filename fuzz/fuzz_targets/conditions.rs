//! See `properties::ai::conditions`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| properties::ai::conditions(text));
