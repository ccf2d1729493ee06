//! From a source's text to configuration.

use std::sync::Arc;

use crate::decode::{Cx, Decode, Mode};
use crate::dialect;
use crate::dynamic::Configuration;
use crate::install::Static;
use crate::node::{Node, Source};
use crate::problem::Problems;
use crate::support;

/// Reads routing configuration from a tree.
///
/// The configuration holds every object, also those with problems; a problem says which object it belongs to and
/// whether Traefik refuses the whole file for it ([`Problems::void_file`]).
pub fn decode_dynamic(node: &Node) -> (Configuration, Problems) {
    decode(node, Mode::Routing)
}

/// Reads the install configuration from a tree. Nothing is added: see [`Static::finish`].
pub fn decode_static(node: &Node) -> (Static, Problems) {
    decode(node, Mode::Install)
}

/// Reads routing configuration made of labels or tags, where some options cannot be set.
pub fn decode_labels(node: &Node) -> (Configuration, Problems) {
    decode(node, Mode::Labels)
}

fn decode<T: Decode>(node: &Node, mode: Mode) -> (T, Problems) {
    let mut cx = Cx::new(mode);
    let value = T::decode(node, &mut cx);
    (value, cx.problems)
}

/// Reads one routing file. The dialect follows from the source's name.
///
/// An empty file is an empty configuration. When [`Problems::void_file`] says so the file is to be left out as a whole
/// and the last good state kept; the configuration is then incomplete.
pub fn routing_file(source: &Arc<Source>) -> (Configuration, Problems) {
    let mut problems = Problems::new();
    match dialect::parse(source, &mut problems) {
        None => (Configuration::default(), problems),
        Some(node) => {
            let (configuration, more) = decode_dynamic(&node);
            problems.extend(more);
            problems.extend(support::routing(&node));
            (configuration, problems)
        }
    }
}
