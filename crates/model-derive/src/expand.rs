//! Writes the implementations.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Fields, Ident, Type};

use crate::attr::{self, FieldAttr};

struct Field<'a> {
    ident: &'a Ident,
    ty: &'a Type,
    name: String,
    doc: String,
    attr: FieldAttr,
}

pub fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let all = fields(input)?;
    let default = default_impl(input, &all);
    let (flat, options): (Vec<_>, Vec<_>) = all
        .into_iter()
        .filter(|f| !f.attr.skip)
        .partition(|f| f.attr.flatten);
    if let [_, second, ..] = flat.as_slice() {
        return Err(syn::Error::new_spanned(
            second.ident,
            "`flatten` is for one field",
        ));
    }
    let decode = decode_impl(input, &options, flat.first())?;
    let encode = encode_impl(input, &options, flat.first());
    Ok(quote!(#default #decode #encode))
}

fn fields(input: &DeriveInput) -> syn::Result<Vec<Field<'_>>> {
    let Data::Struct(data) = &input.data else {
        return Err(syn::Error::new_spanned(input, "`Config` needs a struct"));
    };
    let Fields::Named(named) = &data.fields else {
        return Err(syn::Error::new_spanned(input, "`Config` needs named fields"));
    };
    named.named.iter().map(field).collect()
}

fn field(field: &syn::Field) -> syn::Result<Field<'_>> {
    let Some(ident) = field.ident.as_ref() else {
        return Err(syn::Error::new_spanned(field, "`Config` needs named fields"));
    };
    let attr = attr::field(&field.attrs)?;
    let name = attr.rename.clone().unwrap_or_else(|| camel(&ident.to_string()));
    Ok(Field {
        ident,
        ty: &field.ty,
        name,
        doc: attr::doc(&field.attrs),
        attr,
    })
}

fn camel(snake: &str) -> String {
    let mut out = String::new();
    let mut upper = false;
    for c in snake.trim_start_matches("r#").chars() {
        if c == '_' {
            upper = true;
        } else if upper {
            out.extend(c.to_uppercase());
            upper = false;
        } else {
            out.push(c);
        }
    }
    out
}

fn default_impl(input: &DeriveInput, fields: &[Field<'_>]) -> TokenStream {
    let name = &input.ident;
    let values = fields.iter().map(|f| {
        let ident = f.ident;
        match &f.attr.default {
            Some(value) => quote!(#ident: #value),
            None => quote!(#ident: ::core::default::Default::default()),
        }
    });
    quote! {
        impl ::core::default::Default for #name {
            fn default() -> Self {
                Self { #(#values),* }
            }
        }
    }
}

fn decode_impl(
    input: &DeriveInput,
    fields: &[Field<'_>],
    flat: Option<&Field<'_>>,
) -> syn::Result<TokenStream> {
    let name = &input.ident;
    let text = name.to_string();
    let doc = attr::doc(&input.attrs);
    let object = object_impl(input, fields, flat);
    let removed = attr::structure(&input.attrs)?.removed;
    let (gone, help): (Vec<_>, Vec<_>) = removed.into_iter().unzip();
    Ok(quote! {
        const _: () = {
            #object

            const REMOVED: &[crate::decode::Removed] = &[#(crate::decode::Removed { name: #gone, help: #help }),*];

            impl crate::decode::Decode for #name {
                const KIND: crate::decode::Kind = crate::decode::Kind::Object;

                fn fill(&mut self, node: &crate::node::Node, cx: &mut crate::decode::Cx) {
                    let options = <Self as crate::decode::Object>::FIELDS;
                    crate::decode::fields(node, cx, options, REMOVED, |index, node, cx| {
                        crate::decode::Object::set(self, index, node, cx);
                    });
                }

                fn shape() -> crate::shape::Shape {
                    crate::shape::Shape::Object(crate::shape::ObjectShape {
                        name: #text,
                        doc: #doc,
                        fields: <Self as crate::decode::Object>::shapes(),
                        removed: REMOVED,
                    })
                }
            }
        };
    })
}

/// The options by position: those of the struct, then those of its flattened field.
fn object_impl(input: &DeriveInput, fields: &[Field<'_>], flat: Option<&Field<'_>>) -> TokenStream {
    let name = &input.ident;
    let specs = fields.iter().map(spec);
    let arms = fields.iter().enumerate().map(|(i, f)| {
        let ident = f.ident;
        quote!(#i => crate::decode::Decode::fill(&mut self.#ident, node, cx),)
    });
    let shapes = fields.iter().enumerate().map(|(i, f)| {
        let (ident, ty, doc) = (f.ident, f.ty, &f.doc);
        quote! {
            crate::shape::FieldShape {
                field: OWN[#i],
                doc: #doc,
                shape: <#ty as crate::decode::Decode>::shape(),
                default: crate::encode::Encode::shown(&default.#ident),
            }
        }
    });
    let (all, rest, more) = match flat {
        None => (quote!(OWN), quote!(_ => {}), quote!()),
        Some(Field { ident, ty, .. }) => (
            quote! {{
                const MORE: &[crate::decode::Field] = <#ty as crate::decode::Object>::FIELDS;
                const ALL: [crate::decode::Field; OWN.len() + MORE.len()] = crate::decode::joined(OWN, MORE);
                &ALL
            }},
            quote!(_ => crate::decode::Object::set(&mut self.#ident, index - OWN.len(), node, cx),),
            quote!(all.extend(<#ty as crate::decode::Object>::shapes());),
        ),
    };
    quote! {
        const OWN: &[crate::decode::Field] = &[#(#specs),*];

        impl crate::decode::Object for #name {
            const FIELDS: &'static [crate::decode::Field] = #all;

            fn set(&mut self, index: usize, node: &crate::node::Node, cx: &mut crate::decode::Cx) {
                match index {
                    #(#arms)*
                    #rest
                }
            }

            fn shapes() -> ::std::vec::Vec<crate::shape::FieldShape> {
                let default = Self::default();
                let _ = &default;
                #[allow(unused_mut)]
                let mut all = ::std::vec![#(#shapes),*];
                #more
                all
            }
        }
    }
}

fn spec(field: &Field<'_>) -> TokenStream {
    let (name, ty) = (&field.name, field.ty);
    let FieldAttr {
        allow_empty,
        no_labels,
        one_of,
        any_case,
        ..
    } = &field.attr;
    let deprecated = match &field.attr.deprecated {
        Some(help) => quote!(::core::option::Option::Some(#help)),
        None => quote!(::core::option::Option::None),
    };
    quote! {
        crate::decode::Field {
            name: #name,
            kind: <#ty as crate::decode::Decode>::KIND,
            allow_empty: #allow_empty,
            no_labels: #no_labels,
            deprecated: #deprecated,
            one_of: &[#(#one_of),*],
            any_case: #any_case,
        }
    }
}

fn encode_impl(input: &DeriveInput, fields: &[Field<'_>], flat: Option<&Field<'_>>) -> TokenStream {
    let ident = &input.ident;
    let puts = fields.iter().map(|f| {
        let (field, name) = (f.ident, &f.name);
        quote!(crate::encode::put(&mut out, #name, &self.#field, secrets);)
    });
    let more = flat.map(|Field { ident, .. }| {
        quote! {
            if let ::serde_json::Value::Object(more) = crate::encode::Encode::encode(&self.#ident, secrets) {
                out.extend(more);
            }
        }
    });
    quote! {
        impl crate::encode::Encode for #ident {
            fn encode(&self, secrets: crate::encode::Secrets) -> ::serde_json::Value {
                let mut out = ::serde_json::Map::new();
                #(#puts)*
                #more
                let _ = secrets;
                ::serde_json::Value::Object(out)
            }
        }
    }
}
