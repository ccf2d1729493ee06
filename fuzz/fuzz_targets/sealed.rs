//! See `properties::tools::sealed`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| properties::tools::sealed(text));
