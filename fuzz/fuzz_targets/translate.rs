//! See `properties::ai::translation`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| properties::ai::translation(bytes));
