//! The routing ("dynamic") configuration: what one provider says, in Traefik's names; plain data, nothing resolved.

pub mod http;
pub mod tcp;
pub mod tls;
pub mod udp;

use trilithon_model_derive::Config;

/// Everything a provider says about routing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Config)]
pub struct Configuration {
    /// HTTP routers, services, middlewares and transports.
    pub http: http::Http,
    /// TCP routers, services, middlewares and transports.
    pub tcp: tcp::Tcp,
    /// UDP routers and services.
    pub udp: udp::Udp,
    /// Certificates, TLS options and certificate stores.
    pub tls: tls::Tls,
}

impl Configuration {
    /// True when it names no object at all.
    pub fn is_empty(&self) -> bool {
        self.http.is_empty() && self.tcp.is_empty() && self.udp.is_empty() && self.tls.is_empty()
    }
}

/// An object that does not hold exactly one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindError {
    /// `middleware` or `service`.
    pub noun: &'static str,
    /// The kinds found, in camelCase: none, or several.
    pub kinds: Vec<&'static str>,
}

impl KindError {
    /// What is wrong with the object of that name, in Traefik's words.
    pub fn of(&self, name: &str) -> String {
        let noun = self.noun;
        match (self.kinds.as_slice(), noun) {
            ([], "service") => format!("the service \"{name}\" does not have any type defined"),
            ([], _) => {
                format!(
                    "invalid {noun} \"{name}\" configuration: invalid {noun} type or {noun} does not exist"
                )
            }
            _ => format!(
                "cannot create {noun}: multi-types {noun} not supported, consider declaring two different pieces of {noun} instead"
            ),
        }
    }
}

/// The one kind among those found.
pub(crate) fn only<K>(noun: &'static str, found: Vec<(&'static str, K)>) -> Result<K, KindError> {
    let kinds: Vec<&'static str> = found.iter().map(|(name, _)| *name).collect();
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some((_, kind)), None) => Ok(kind),
        _ => Err(KindError { noun, kinds }),
    }
}

/// Defines the closed enum over the kinds of one or more structs with one optional box per kind, and the way to it.
/// A kind with `if` is looked at only when it says so itself; `plus` names a method that finds further kinds.
macro_rules! kinds {
    ($noun:literal, $(#[$doc:meta])* $kind:ident {
        $($holder:ident $(plus $more:ident)? { $($variant:ident: $field:ident = $name:literal $(if $when:ident)?,)* })*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $kind<'a> {
            $($(#[doc = concat!("`", $name, "`")] $variant(&'a $variant),)*)*
        }

        impl $kind<'_> {
            /// The kind's name in configuration, camelCase. The API prints it in lower case as `type`.
            pub const fn name(&self) -> &'static str {
                match self { $($(Self::$variant(_) => $name,)*)* }
            }
        }

        $(impl $holder {
            /// The one kind it holds.
            ///
            /// # Errors
            /// It holds none, or several.
            pub fn kind(&self) -> Result<$kind<'_>, $crate::dynamic::KindError> {
                $crate::dynamic::only($noun, self.found())
            }

            /// The names of all kinds it holds, camelCase, in a fixed order.
            pub fn kind_names(&self) -> Vec<&'static str> {
                self.found().into_iter().map(|(name, _)| name).collect()
            }

            fn found(&self) -> Vec<(&'static str, $kind<'_>)> {
                let mut found = Vec::new();
                $(if let Some(kind) = &self.$field $(&& kind.$when())? {
                    found.push(($name, $kind::$variant(kind)));
                })*
                $(found.extend(self.$more());)?
                found
            }
        })*
    };
}
pub(crate) use kinds;
