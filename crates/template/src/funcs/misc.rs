//! What is around the process, and failing on purpose: sprig's chapters "OS", "Network" and "Flow Control Functions".

use std::net::ToSocketAddrs;
use std::sync::mpsc;

use crate::budget::Budget;
use crate::error::{Fault, Result};
use crate::function::Kind::Str;
use crate::function::{Function, fixed, text};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("hello", &[], |_, _| Ok("Hello!".into())),
    fixed("fail", &[Str], |_, a| Err(Fault::new(text(&a[0])))),
    fixed("env", &[Str], |b, a| b.text(variable(text(&a[0])))),
    fixed("expandenv", &[Str], |b, a| expand(b, text(&a[0]))),
    fixed("getHostByName", &[Str], |b, a| resolve(b, text(&a[0]))),
];

/// An environment variable; empty where there is none.
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// Replaces `$name` and `${name}`, as Go's `os.ExpandEnv`.
fn expand(budget: &Budget, text: &str) -> Result<Value> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if rest.is_empty() {
            out.push('$');
            break;
        }
        let (name, length) = name(rest);
        if !name.is_empty() {
            let value = variable(name);
            budget.charge(value.len())?;
            out.push_str(&value);
        } else if length == 0 {
            out.push('$');
        }
        rest = &rest[length..];
    }
    out.push_str(rest);
    budget.text(out)
}

/// The name behind a dollar sign and how far it goes; what is no name but goes on is left out.
fn name(text: &str) -> (&str, usize) {
    let special = |c: char| c.is_ascii_digit() || "*#$@!?-".contains(c);
    if let Some(inner) = text.strip_prefix('{') {
        return match inner.find('}') {
            Some(end) => (&inner[..end], end + 2),
            None => ("", 1),
        };
    }
    if text.starts_with(special) {
        return (&text[..1], 1);
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let end = end.unwrap_or(text.len());
    (&text[..end], end)
}

/// One of a host's addresses. The system's resolver knows no deadline, so it is asked beside.
fn resolve(budget: &Budget, name: &str) -> Result<Value> {
    let (send, receive) = mpsc::channel();
    let asked = (name.to_owned(), 0);
    std::thread::spawn(move || {
        let addresses = asked
            .to_socket_addrs()
            .map(|all| all.map(|a| a.ip()).collect::<Vec<_>>());
        // Nobody may be left to hear it.
        let _ = send.send(addresses);
    });
    let unknown = || Fault::new(format!("no address of `{name}` was found"));
    let addresses = receive
        .recv_timeout(budget.left())
        .map_err(|_| Fault::limit("takes too long"))?
        .map_err(|_| unknown())?;
    let address = addresses.first().ok_or_else(unknown)?;
    budget.text(address.to_string())
}
