//! See `properties::configuration`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| properties::configuration(text, trilithon_model::dialect::Dialect::Toml));
