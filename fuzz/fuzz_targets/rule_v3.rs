//! See `properties::rule`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| properties::rule(text, trilithon_rule::Syntax::V3));
