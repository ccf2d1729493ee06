//! Options that are one of a few words, each meaning something of its own: read strictly, for a guess at what was meant would
//! let in or keep out whom nobody meant.

/// Defines an enum whose variants are written as words; one of them is the `#[default]`.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident: $noun:literal { $($(#[$about:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$about])* $variant,)*
        }

        impl $name {
            /// The words that are accepted.
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            /// As it is written.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }
        }

        impl $crate::decode::Decode for $name {
            const KIND: $crate::decode::Kind = $crate::decode::Kind::Scalar;

            fn fill(&mut self, node: &$crate::node::Node, cx: &mut $crate::decode::Cx) {
                match $crate::word::written(node, $noun, $name::WORDS, cx) {
                    $(Some($word) => *self = $name::$variant,)*
                    _ => {}
                }
            }

            fn shape() -> $crate::shape::Shape {
                $crate::shape::Shape::Word($name::WORDS)
            }
        }

        impl $crate::encode::Encode for $name {
            fn encode(&self, _: $crate::encode::Secrets) -> ::serde_json::Value {
                self.as_str().into()
            }
        }
    };
}
pub(crate) use words;

use crate::decode::{Cx, suggest};
use crate::node::{Node, Value};
use crate::problem::{Problem, code};

/// The word that is written, if it is one of `known`; what else is there is reported and voids the source.
pub(crate) fn written(
    node: &Node,
    noun: &str,
    known: &'static [&'static str],
    cx: &mut Cx,
) -> Option<&'static str> {
    let text = match &node.value {
        Value::Scalar(scalar) => scalar.text.trim(),
        Value::Null => return None,
        _ => {
            cx.wrong_type(noun, node);
            return None;
        }
    };
    let word = known.iter().find(|word| **word == text).copied();
    if word.is_none() {
        let message = format!("`{}` expects {noun}, found `{text}`", cx.path());
        let problem = Problem::error(code::NOT_ONE_OF, node.span.clone(), message);
        cx.refuse(problem.help(suggest::words(text, known)));
    }
    word
}
