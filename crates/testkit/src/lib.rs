//! For tests only: gateways, upstreams, raw clients, certificates.
