//! Routers below routers: who is whose child, and which of them can be served.

use crate::merge::qualify;
use std::collections::{BTreeMap, BTreeSet};
use trilithon_model::dynamic::http::Router;
use trilithon_model::spanned::Map;

/// The family tree of one configuration's routers.
#[derive(Default)]
pub struct Layers {
    /// Children by parent, in order of name.
    children: BTreeMap<String, Vec<String>>,
    /// What is wrong with a router's place in the tree.
    pub faults: Vec<(String, LayerFault)>,
    /// Children with `tls`: not served and, as in Traefik, not shown either.
    pub hidden: BTreeSet<String>,
}

/// Why a router cannot have its place.
pub struct LayerFault {
    pub message: String,
    /// Whether the router itself is disabled, or only takes no traffic.
    pub disables: bool,
}

impl Layers {
    pub fn of(routers: &Map<Router>) -> Layers {
        let mut layers = Layers::default();
        for (name, router) in routers.iter().filter(|(_, r)| !r.parent_refs.is_empty()) {
            match layers.misplaced(name, router, routers) {
                Some(fault) => layers.faults.push((name.clone(), fault)),
                None if layers.hidden.contains(name) => {}
                None => {
                    for parent in &router.parent_refs {
                        layers
                            .children
                            .entry(qualify(parent, name))
                            .or_default()
                            .push(name.clone());
                    }
                }
            }
        }
        layers.cut_cycles(routers);
        layers
    }

    /// The children of a router.
    pub fn children(&self, name: &str) -> &[String] {
        self.children.get(name).map_or(&[], Vec::as_slice)
    }

    fn misplaced(&mut self, name: &str, router: &Router, routers: &Map<Router>) -> Option<LayerFault> {
        if router.tls.is_some() {
            self.hidden.insert(name.to_owned());
            return None;
        }
        let refuse = |message: String| {
            Some(LayerFault {
                message,
                disables: true,
            })
        };
        if !router.entry_points.is_empty() {
            return refuse("child router cannot have entryPoints: they are those of its parents".into());
        }
        if router.observability.is_some() {
            return refuse("child router cannot have observability: it is that of its root".into());
        }
        let unknown = router
            .parent_refs
            .iter()
            .map(|p| qualify(p, name))
            .find(|p| !routers.contains_key(p));
        unknown.and_then(|parent| refuse(format!("parent router \"{parent}\" does not exist")))
    }

    /// A router that is its own ancestor takes no traffic; the others of the circle keep theirs.
    fn cut_cycles(&mut self, routers: &Map<Router>) {
        let roots: Vec<String> = routers
            .iter()
            .filter(|(_, r)| r.parent_refs.is_empty())
            .map(|(n, _)| n.clone())
            .collect();
        let mut reached = BTreeSet::new();
        for root in roots {
            self.walk(&root, &mut Vec::new(), &mut reached);
        }
        let lost: Vec<String> = routers
            .iter()
            .filter(|(n, r)| !r.parent_refs.is_empty() && !reached.contains(*n) && !self.hidden.contains(*n))
            .filter(|(n, _)| !self.faults.iter().any(|(f, _)| f == *n))
            .map(|(n, _)| n.clone())
            .collect();
        for name in lost {
            let message = "router is not reachable: none of its parents leads to a root router".to_owned();
            self.faults.push((
                name,
                LayerFault {
                    message,
                    disables: true,
                },
            ));
        }
    }

    fn walk(&mut self, name: &str, trail: &mut Vec<String>, reached: &mut BTreeSet<String>) {
        reached.insert(name.to_owned());
        trail.push(name.to_owned());
        for child in self.children(name).to_vec() {
            if trail.contains(&child) {
                let message = format!(
                    "cyclic reference detected in router tree: {} -> {child}",
                    trail.join(" -> ")
                );
                self.faults.push((
                    child.clone(),
                    LayerFault {
                        message,
                        disables: false,
                    },
                ));
                if let Some(children) = self.children.get_mut(name) {
                    children.retain(|c| *c != child);
                }
            } else if trail.len() < MAX_DEPTH {
                self.walk(&child, trail, reached);
            }
        }
        trail.pop();
    }
}

/// Layers below a root.
const MAX_DEPTH: usize = 32;
