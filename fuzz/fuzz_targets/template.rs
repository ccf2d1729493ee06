//! See `properties::template`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| properties::template(text));
