//! See `properties::tools::passed`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| properties::tools::passed(bytes));
