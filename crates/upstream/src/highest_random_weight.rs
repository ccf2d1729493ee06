//! `highestRandomWeight`: spreads requests over other services, always the same one for the same client address.

use crate::balancer::hrw;
use crate::service::{Backend, Child, Status, no_server};
use crate::weighted::reporting;
use std::sync::Arc;
use trilithon_flow::{BuildError, Exchange, Keep, Reply, Request, Service};
use trilithon_model::dynamic::http::HighestRandomWeight as Config;

/// A rendezvous-hashed service. It remembers nothing.
pub struct HighestRandomWeight {
    children: Vec<Child>,
    health: Option<(Vec<Arc<Status>>, Arc<Status>)>,
}

impl HighestRandomWeight {
    /// The service with the qualified name `name`. `children` are those of `config.services`, in order.
    ///
    /// # Errors
    /// When the health of a child is asked for that does not report it.
    pub fn build(
        name: &str,
        config: &Config,
        children: Vec<Child>,
        _keep: &Keep,
    ) -> Result<HighestRandomWeight, BuildError> {
        let children = config
            .services
            .iter()
            .zip(children)
            .map(|(as_written, child)| child.called(&as_written.name));
        let (children, health) = reporting(name, config.health_check.is_some(), children)?;
        Ok(HighestRandomWeight { children, health })
    }

    fn is_up(&self, child: usize) -> bool {
        self.health.as_ref().is_none_or(|(each, _)| each[child].is_up())
    }
}

impl Service for HighestRandomWeight {
    fn call<'a>(&'a self, req: Request, cx: &'a mut Exchange) -> Reply<'a> {
        let candidates = self
            .children
            .iter()
            .map(|child| (child.name.as_str(), child.share().unwrap_or(0.0)));
        match hrw::pick(cx.connection.peer_ip.as_bytes(), candidates, |i| self.is_up(i)) {
            Some(index) => self.children[index].backend.call(req, cx),
            None => no_server(),
        }
    }
}

impl Backend for HighestRandomWeight {
    fn status(&self) -> Option<Arc<Status>> {
        self.health.as_ref().map(|(_, all)| all.clone())
    }
    fn status_refusal(&self) -> String {
        "healthCheck not enabled in config for this HRW service".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::fake::{Fake, child, exchange, run};
    use trilithon_model::dynamic::http::{ChildHealth, HrwService};

    fn names(service: &HighestRandomWeight) -> Vec<String> {
        let answer = |n: u8| {
            run(async {
                let mut res = service.call(Request::default(), &mut exchange(n)).await;
                String::from_utf8(res.body.collect(99).await.unwrap().into()).unwrap()
            })
        };
        (1..9).map(answer).collect()
    }

    #[test]
    fn the_client_address_chooses() {
        let services = ["s1", "s2", "s3"].map(|name| HrwService {
            name: name.into(),
            weight: Some(1),
        });
        let config = Config {
            health_check: Some(ChildHealth::default()),
            services: services.into(),
        };
        let states = [Status::flag(), Status::flag(), Status::flag()];
        let fakes =
            [("s1", 0), ("s2", 1), ("s3", 2)].map(|(n, i)| Fake::new(n, 200, Some(states[i].clone())));
        let children = fakes.iter().map(|fake| child(fake, 1)).collect();
        let service = HighestRandomWeight::build("h@file", &config, children, &Keep::default()).unwrap();
        assert_eq!(names(&service), ["s1", "s3", "s2", "s1", "s1", "s3", "s2", "s1"]);
        states[2].set(false);
        let without = names(&service);
        assert!(
            !without.contains(&"s3".to_owned()) && without[0] == "s1" && without[2] == "s2",
            "{without:?}"
        );
        assert!(service.status().unwrap().is_up());
        states[0].set(false);
        states[1].set(false);
        assert_eq!(names(&service)[0], "no available server\n");
        assert!(!service.status().unwrap().is_up());
    }
}
