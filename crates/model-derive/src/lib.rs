//! `#[derive(Config)]`: the decoder, the shape (for schemas and the manual), the encoder and the defaults of one
//! configuration struct. Knows nothing of any option; the words come from the struct, the rules from `trilithon-model`.
#![forbid(unsafe_code)]

mod attr;
mod expand;

use proc_macro::TokenStream;

/// Implements `Default`, `Decode` and `Encode` for a struct with named fields.
///
/// Field attributes, all inside `#[config(...)]`:
/// `default = EXPR` the value when the option is absent; `rename = "name"` the spelling in files when it is not the
/// camelCase of the field; `allow_empty` an empty object (or `true`) creates it; `no_labels` not settable by labels;
/// `deprecated = "help"` a warning when used; `one_of("a", "b")` the accepted words (`""` is always accepted),
/// in any case with `any_case`; `skip` not an option at all; `flatten` a struct whose options stand beside the others
/// (one a struct, without removed options of its own).
/// Struct attribute: `removed("name", "help")`, an option that no longer exists; may be repeated.
#[proc_macro_derive(Config, attributes(config))]
pub fn config(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    expand::expand(&input)
        .unwrap_or_else(|e| e.to_compile_error())
        .into()
}
