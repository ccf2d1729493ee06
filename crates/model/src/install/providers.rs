//! Where routing configuration comes from.

use std::collections::BTreeMap;

use serde_json::Value;
use trilithon_model_derive::Config;

use super::otlp::TlsClient;
use crate::duration::Duration;
use crate::dynamic::http::IpStrategy;
use crate::secret::Secret;

/// Where routing configuration comes from.
#[derive(Clone, Debug, PartialEq, Config)]
#[config(removed("marathon", "Marathon is no longer supported"))]
#[config(removed("rancher", "Rancher 1 is no longer supported"))]
pub struct Providers {
    /// Least time between two applications of one provider's configuration; the latest wins.
    #[config(default = Duration::from_secs(2))]
    pub providers_throttle_duration: Duration,
    /// Providers in order of preference, for routers of equal priority.
    pub precedence: Vec<String>,
    /// A file or a folder.
    pub file: Option<Box<FileProvider>>,
    /// Labels of Docker containers.
    #[config(allow_empty)]
    pub docker: Option<Box<Docker>>,
    /// Labels of Swarm services.
    #[config(allow_empty)]
    pub swarm: Option<Box<Swarm>>,
    /// Kubernetes Ingress objects.
    #[config(allow_empty)]
    pub kubernetes_ingress: Option<Box<KubernetesIngress>>,
    /// Kubernetes Ingress objects with annotations of ingress-nginx.
    #[config(allow_empty, rename = "kubernetesIngressNGINX")]
    pub kubernetes_ingress_nginx: Option<Box<KubernetesIngressNginx>>,
    /// Objects of `traefik.io` in Kubernetes.
    #[config(allow_empty, rename = "kubernetesCRD")]
    pub kubernetes_crd: Option<Box<KubernetesCrd>>,
    /// Gateway API objects in Kubernetes.
    #[config(allow_empty)]
    pub kubernetes_gateway: Option<Box<KubernetesGateway>>,
    /// Knative. Needs `experimental.knative`.
    #[config(allow_empty)]
    pub knative: Option<Box<Knative>>,
    /// Configuration put by HTTP requests to the gateway.
    #[config(allow_empty)]
    pub rest: Option<Box<Rest>>,
    /// Tags of services in the Consul catalog.
    #[config(allow_empty)]
    pub consul_catalog: Option<Box<ConsulCatalog>>,
    /// Tags of Nomad services.
    #[config(allow_empty)]
    pub nomad: Option<Box<Nomad>>,
    /// Labels of containers in AWS ECS.
    #[config(allow_empty)]
    pub ecs: Option<Box<Ecs>>,
    /// Keys in Consul.
    #[config(allow_empty)]
    pub consul: Option<Box<Consul>>,
    /// Keys in etcd.
    #[config(allow_empty)]
    pub etcd: Option<Box<Etcd>>,
    /// Keys in ZooKeeper.
    #[config(allow_empty)]
    pub zoo_keeper: Option<Box<ZooKeeper>>,
    /// Keys in Redis.
    #[config(allow_empty)]
    pub redis: Option<Box<RedisProvider>>,
    /// A document fetched by HTTP.
    #[config(allow_empty)]
    pub http: Option<Box<HttpProvider>>,
    /// Provider plugins by name, with their options as they are.
    pub plugin: BTreeMap<String, Value>,
}

/// A file or a folder. Exactly one of the two.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct FileProvider {
    /// A folder; every `.toml`, `.yaml` and `.yml` in it and below is read.
    pub directory: String,
    /// Apply changes as they happen.
    #[config(default = true)]
    pub watch: bool,
    /// One file.
    pub filename: String,
    /// Log files after their templates have run.
    pub debug_log_generated_template: bool,
}

/// Labels of Docker containers.
#[derive(Clone, Debug, PartialEq, Config)]
#[config(removed("swarmMode", "use `providers.swarm`"))]
pub struct Docker {
    /// Take containers without `traefik.enable`.
    #[config(default = true)]
    pub exposed_by_default: bool,
    /// Expression over labels that a container must fulfil.
    pub constraints: String,
    /// Make services also where no server is healthy.
    pub allow_empty_services: bool,
    /// Network whose address is used.
    pub network: String,
    /// Use published addresses and ports.
    #[config(rename = "useBindPortIP")]
    pub use_bind_port_ip: bool,
    /// Apply changes as they happen.
    #[config(default = true)]
    pub watch: bool,
    /// Template of the rule where labels have none.
    #[config(default = "Host(`{{ normalize .Name }}`)".to_owned())]
    pub default_rule: String,
    /// Name for HTTP Basic authentication.
    pub username: String,
    /// Password for HTTP Basic authentication.
    pub password: Secret,
    /// Address of the daemon.
    #[config(default = "unix:///var/run/docker.sock".to_owned())]
    pub endpoint: String,
    /// TLS towards the daemon.
    pub tls: Option<TlsClient>,
    /// How long a request to the daemon may take; 0 means no limit.
    pub http_client_timeout: Duration,
}

/// Labels of Swarm services.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Swarm {
    /// Take containers without `traefik.enable`.
    #[config(default = true)]
    pub exposed_by_default: bool,
    /// Expression over labels that a container must fulfil.
    pub constraints: String,
    /// Make services also where no server is healthy.
    pub allow_empty_services: bool,
    /// Network whose address is used.
    pub network: String,
    /// Use published addresses and ports.
    #[config(rename = "useBindPortIP")]
    pub use_bind_port_ip: bool,
    /// Apply changes as they happen.
    #[config(default = true)]
    pub watch: bool,
    /// Template of the rule where labels have none.
    #[config(default = "Host(`{{ normalize .Name }}`)".to_owned())]
    pub default_rule: String,
    /// Name for HTTP Basic authentication.
    pub username: String,
    /// Password for HTTP Basic authentication.
    pub password: Secret,
    /// Address of the daemon.
    #[config(default = "unix:///var/run/docker.sock".to_owned())]
    pub endpoint: String,
    /// TLS towards the daemon.
    pub tls: Option<TlsClient>,
    /// How long a request to the daemon may take; 0 means no limit.
    pub http_client_timeout: Duration,
    /// Time between looks.
    #[config(default = Duration::from_secs(15))]
    pub refresh_seconds: Duration,
}

/// Kubernetes Ingress objects.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct KubernetesIngress {
    /// URL of the API server; found by itself inside a cluster.
    pub endpoint: String,
    /// Access token.
    pub token: Secret,
    /// Authority of the API server's certificate: a path.
    pub cert_auth_file_path: String,
    /// Namespaces watched; all when empty.
    pub namespaces: Vec<String>,
    /// Labels that objects must have.
    pub label_selector: String,
    /// Class of the objects taken.
    pub ingress_class: String,
    /// What is written into the status of Ingress objects.
    pub ingress_endpoint: Option<EndpointIngress>,
    /// Least time between two batches of events.
    pub throttle_duration: Duration,
    /// Make services also where no server is healthy.
    pub allow_empty_services: bool,
    /// Take services of type `ExternalName`.
    pub allow_external_name_services: bool,
    /// Namespaces that may refer to other providers; all when absent, none when empty.
    pub cross_provider_namespaces: Option<Vec<String>>,
    /// Former name of `disableClusterScopeResources`.
    #[config(deprecated = "use `disableClusterScopeResources`")]
    pub disable_ingress_class_lookup: bool,
    /// Do not read objects outside namespaces.
    pub disable_cluster_scope_resources: bool,
    /// Send to the service's own address.
    #[config(rename = "nativeLBByDefault")]
    pub native_lb_by_default: bool,
    /// Let prefixes match whole path segments only.
    pub strict_prefix_matching: bool,
}

/// What is written into the status of Ingress objects.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct EndpointIngress {
    /// An address.
    pub ip: String,
    /// A name.
    pub hostname: String,
    /// A service, `namespace/name`, whose status is copied.
    pub published_service: String,
}

/// Kubernetes Ingress objects with annotations of ingress-nginx.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct KubernetesIngressNginx {
    /// URL of the API server; found by itself inside a cluster.
    pub endpoint: String,
    /// Access token.
    pub token: Secret,
    /// Authority of the API server's certificate: a path.
    pub cert_auth_file_path: String,
    /// Least time between two batches of events.
    pub throttle_duration: Duration,
    /// Authorization server for every Ingress.
    #[config(rename = "globalAuthURL")]
    pub global_auth_url: String,
    /// The one namespace watched.
    pub watch_namespace: String,
    /// Labels of the namespaces watched.
    pub watch_namespace_selector: String,
    /// Class of the objects taken.
    #[config(default = "nginx".to_owned())]
    pub ingress_class: String,
    /// Controller of the classes taken.
    #[config(default = "k8s.io/ingress-nginx".to_owned())]
    pub controller_class: String,
    /// Take objects without a class.
    pub watch_ingress_without_class: bool,
    /// Find the class also by its name.
    pub ingress_class_by_name: bool,
    /// A service, `namespace/name`, whose status is copied.
    pub publish_service: String,
    /// Addresses written into the status.
    pub publish_status_address: Vec<String>,
    /// Service, `namespace/name`, for what nothing else takes.
    pub default_backend_service: String,
    /// Refuse services of type `ExternalName`.
    pub disable_svc_external_name: bool,
    /// How the client's address is found.
    pub ip_allow_list_strategy: Option<IpStrategy>,
    /// Entry point for HTTP.
    pub http_entry_point: String,
    /// Entry point for HTTPS.
    pub https_entry_point: String,
    /// Read requests whole before passing them on.
    pub proxy_request_buffering: bool,
    /// Bytes of a request body kept in memory.
    #[config(default = 16384)]
    pub client_body_buffer_size: i64,
    /// Largest request body in bytes.
    #[config(default = 1_048_576)]
    pub proxy_body_size: i64,
    /// Read answers whole before passing them on.
    pub proxy_buffering: bool,
    /// Bytes of one answer buffer.
    #[config(default = 8192)]
    pub proxy_buffer_size: i64,
    /// Answer buffers per request.
    #[config(default = 4)]
    pub proxy_buffers_number: i64,
    /// Seconds connecting may take.
    #[config(default = 60)]
    pub proxy_connect_timeout: i64,
    /// Seconds between two reads.
    #[config(default = 60)]
    pub proxy_read_timeout: i64,
    /// Seconds between two writes.
    #[config(default = 60)]
    pub proxy_send_timeout: i64,
    /// What makes another server be asked.
    #[config(default = "error timeout".to_owned())]
    pub proxy_next_upstream: String,
    /// How often to ask in all.
    #[config(default = 3)]
    pub proxy_next_upstream_tries: i64,
    /// Seconds asking may take in all; 0 means no limit.
    pub proxy_next_upstream_timeout: i64,
    /// Statuses whose answers are replaced.
    #[config(rename = "customHTTPErrors")]
    pub custom_http_errors: Vec<String>,
    /// Seconds an idle connection is kept.
    #[config(default = 60)]
    pub upstream_keepalive_timeout: i64,
    /// Let objects refer to other namespaces.
    pub allow_cross_namespace_resources: bool,
    /// Answer headers that annotations may set.
    pub global_allowed_response_headers: Vec<String>,
    /// Allow annotations with configuration text.
    pub allow_snippet_annotations: bool,
    /// Refuse paths that do not fit their type.
    #[config(default = true)]
    pub strict_validate_path_type: bool,
}

/// Objects of `traefik.io` in Kubernetes.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct KubernetesCrd {
    /// URL of the API server; found by itself inside a cluster.
    pub endpoint: String,
    /// Access token.
    pub token: Secret,
    /// Authority of the API server's certificate: a path.
    pub cert_auth_file_path: String,
    /// Namespaces watched; all when empty.
    pub namespaces: Vec<String>,
    /// Let objects refer to other namespaces.
    pub allow_cross_namespace: bool,
    /// Take services of type `ExternalName`.
    pub allow_external_name_services: bool,
    /// Namespaces that may refer to other providers; all when absent, none when empty.
    pub cross_provider_namespaces: Option<Vec<String>>,
    /// Labels that objects must have.
    pub label_selector: String,
    /// Class of the objects taken.
    pub ingress_class: String,
    /// Least time between two batches of events.
    pub throttle_duration: Duration,
    /// Make services also where no server is healthy.
    pub allow_empty_services: bool,
    /// Send to the service's own address.
    #[config(rename = "nativeLBByDefault")]
    pub native_lb_by_default: bool,
    /// Do not read objects outside namespaces.
    pub disable_cluster_scope_resources: bool,
}

/// Gateway API objects in Kubernetes.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct KubernetesGateway {
    /// URL of the API server; found by itself inside a cluster.
    pub endpoint: String,
    /// Access token.
    pub token: Secret,
    /// Requests per second to the API server.
    #[config(default = 50)]
    pub qps: i64,
    /// Requests to the API server at once.
    #[config(default = 100)]
    pub burst: i64,
    /// Authority of the API server's certificate: a path.
    pub cert_auth_file_path: String,
    /// Namespaces watched; all when empty.
    pub namespaces: Vec<String>,
    /// Labels that objects must have.
    pub label_selector: String,
    /// Least time between two batches of events.
    pub throttle_duration: Duration,
    /// Take objects of the experimental channel.
    pub experimental_channel: bool,
    /// What is written into the status of Gateways.
    pub status_address: Option<StatusAddress>,
    /// Send to the service's own address.
    #[config(rename = "nativeLBByDefault")]
    pub native_lb_by_default: bool,
    /// Namespaces that may refer to other providers; all when absent, none when empty.
    pub cross_provider_namespaces: Option<Vec<String>>,
}

/// What is written into the status of Gateways.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct StatusAddress {
    /// An address.
    pub ip: String,
    /// A name.
    pub hostname: String,
    /// A service whose status is copied.
    pub service: Option<ServiceRef>,
}

/// A Kubernetes service.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct ServiceRef {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
}

/// Knative.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Knative {
    /// URL of the API server; found by itself inside a cluster.
    pub endpoint: String,
    /// Access token.
    pub token: Secret,
    /// Authority of the API server's certificate: a path.
    pub cert_auth_file_path: String,
    /// Namespaces watched; all when empty.
    pub namespaces: Vec<String>,
    /// Labels that objects must have.
    pub label_selector: String,
    /// Entry points for public services.
    pub public_entrypoints: Vec<String>,
    /// Service that public names lead to.
    pub public_service: Option<ServiceRef>,
    /// Entry points for private services.
    pub private_entrypoints: Vec<String>,
    /// Service that private names lead to.
    pub private_service: Option<ServiceRef>,
    /// Least time between two batches of events.
    pub throttle_duration: Duration,
}

/// Configuration put by HTTP requests to the gateway.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Rest {
    /// Serve it on the entry point `traefik` without any protection.
    pub insecure: bool,
}

/// Tags of services in the Consul catalog.
#[derive(Clone, Debug, PartialEq, Config)]
#[config(removed("namespace", "use `namespaces`"))]
pub struct ConsulCatalog {
    /// Expression over tags that a service must fulfil.
    pub constraints: String,
    /// How Consul is reached.
    pub endpoint: Option<ConsulEndpoint>,
    /// What tags start with.
    #[config(default = "traefik".to_owned())]
    pub prefix: String,
    /// Time between looks.
    #[config(default = Duration::from_secs(15))]
    pub refresh_interval: Duration,
    /// Ask for fully consistent answers.
    pub require_consistent: bool,
    /// Accept stale answers.
    pub stale: bool,
    /// Let the agent answer from its cache.
    pub cache: bool,
    /// Take services without `traefik.enable`.
    #[config(default = true)]
    pub exposed_by_default: bool,
    /// Template of the rule where tags have none.
    #[config(default = "Host(`{{ normalize .Name }}`)".to_owned())]
    pub default_rule: String,
    /// Use Consul Connect where a service does.
    pub connect_aware: bool,
    /// Use Consul Connect for every service.
    pub connect_by_default: bool,
    /// Name of the gateway in Consul.
    #[config(default = "traefik".to_owned())]
    pub service_name: String,
    /// Apply changes as they happen.
    pub watch: bool,
    /// States of checks that count as healthy.
    #[config(default = vec!["passing".to_owned(), "warning".to_owned()])]
    pub strict_checks: Vec<String>,
    /// Namespaces looked at.
    pub namespaces: Vec<String>,
}

/// How Consul is reached.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct ConsulEndpoint {
    /// `host:port`.
    pub address: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Data centre.
    pub datacenter: String,
    /// Access token.
    pub token: Secret,
    /// TLS towards it.
    pub tls: Option<TlsClient>,
    /// HTTP Basic authentication.
    pub http_auth: Option<HttpAuth>,
    /// How long a watch may wait.
    pub endpoint_wait_time: Duration,
}

/// HTTP Basic authentication.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct HttpAuth {
    /// Name of the user.
    pub username: String,
    /// Password of the user.
    pub password: Secret,
}

/// Tags of Nomad services.
#[derive(Clone, Debug, PartialEq, Config)]
#[config(removed("namespace", "use `namespaces`"))]
pub struct Nomad {
    /// Template of the rule where tags have none.
    #[config(default = "Host(`{{ normalize .Name }}`)".to_owned())]
    pub default_rule: String,
    /// Expression over tags that a service must fulfil.
    pub constraints: String,
    /// How Nomad is reached.
    pub endpoint: Option<NomadEndpoint>,
    /// What tags start with.
    #[config(default = "traefik".to_owned())]
    pub prefix: String,
    /// Accept stale answers.
    pub stale: bool,
    /// Take services without `traefik.enable`.
    #[config(default = true)]
    pub exposed_by_default: bool,
    /// Time between looks.
    #[config(default = Duration::from_secs(15))]
    pub refresh_interval: Duration,
    /// Make services also where no server is healthy.
    pub allow_empty_services: bool,
    /// Apply changes as they happen.
    pub watch: bool,
    /// Least time between two batches of events.
    pub throttle_duration: Duration,
    /// Namespaces looked at.
    pub namespaces: Vec<String>,
}

/// How Nomad is reached.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct NomadEndpoint {
    /// Its URL. `NOMAD_ADDR` is the default where set.
    #[config(default = "http://127.0.0.1:4646".to_owned())]
    pub address: String,
    /// Region asked.
    pub region: String,
    /// Access token.
    pub token: Secret,
    /// TLS towards it.
    pub tls: Option<TlsClient>,
    /// How long a watch may wait.
    pub endpoint_wait_time: Duration,
}

/// Labels of containers in AWS ECS.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Ecs {
    /// Expression over labels that a container must fulfil.
    pub constraints: String,
    /// Take containers without `traefik.enable`.
    #[config(default = true)]
    pub exposed_by_default: bool,
    /// Seconds between looks.
    #[config(default = 15)]
    pub refresh_seconds: i64,
    /// Template of the rule where labels have none.
    #[config(default = "Host(`{{ normalize .Name }}`)".to_owned())]
    pub default_rule: String,
    /// Clusters looked at.
    #[config(default = vec!["default".to_owned()])]
    pub clusters: Vec<String>,
    /// Look at all clusters.
    pub auto_discover_clusters: bool,
    /// Take healthy tasks only.
    pub healthy_tasks_only: bool,
    /// Take tasks outside AWS, too.
    pub ecs_anywhere: bool,
    /// Region asked.
    pub region: String,
    /// Access key; AWS's usual sources when empty.
    #[config(rename = "accessKeyID")]
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: Secret,
}

/// Keys in Consul.
#[derive(Clone, Debug, PartialEq, Config)]
#[config(removed("namespace", "use `namespaces`"))]
pub struct Consul {
    /// Key below which configuration lies.
    #[config(default = "traefik".to_owned())]
    pub root_key: String,
    /// `host:port` of each node.
    #[config(default = vec!["127.0.0.1:8500".to_owned()])]
    pub endpoints: Vec<String>,
    /// Access token.
    pub token: Secret,
    /// TLS towards it.
    pub tls: Option<TlsClient>,
    /// Namespaces looked at.
    pub namespaces: Vec<String>,
}

/// Keys in etcd.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Etcd {
    /// Key below which configuration lies.
    #[config(default = "traefik".to_owned())]
    pub root_key: String,
    /// `host:port` of each node.
    #[config(default = vec!["127.0.0.1:2379".to_owned()])]
    pub endpoints: Vec<String>,
    /// TLS towards it.
    pub tls: Option<TlsClient>,
    /// Name of the user.
    pub username: String,
    /// Password of the user.
    pub password: Secret,
}

/// Keys in ZooKeeper.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct ZooKeeper {
    /// Key below which configuration lies.
    #[config(default = "traefik".to_owned())]
    pub root_key: String,
    /// `host:port` of each node.
    #[config(default = vec!["127.0.0.1:2181".to_owned()])]
    pub endpoints: Vec<String>,
    /// Name of the user.
    pub username: String,
    /// Password of the user.
    pub password: Secret,
}

/// Keys in Redis.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct RedisProvider {
    /// Key below which configuration lies.
    #[config(default = "traefik".to_owned())]
    pub root_key: String,
    /// `host:port` of each node.
    #[config(default = vec!["127.0.0.1:6379".to_owned()])]
    pub endpoints: Vec<String>,
    /// TLS towards it.
    pub tls: Option<TlsClient>,
    /// Name of the user.
    pub username: String,
    /// Password of the user.
    pub password: Secret,
    /// Number of the database.
    pub db: i64,
    /// Find the master by sentinels.
    pub sentinel: Option<Sentinel>,
}

/// Find the master by sentinels.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Sentinel {
    /// Name of the master.
    pub master_name: String,
    /// Name of the user.
    pub username: String,
    /// Password of the user.
    pub password: Secret,
    /// Read from the nearest replica.
    pub latency_strategy: bool,
    /// Read from any replica.
    pub random_strategy: bool,
    /// Read from replicas only.
    pub replica_strategy: bool,
    /// Read also from replicas cut off from the master.
    pub use_disconnected_replicas: bool,
}

/// A document fetched by HTTP.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct HttpProvider {
    /// Its URL. Required.
    pub endpoint: String,
    /// Time between fetches.
    #[config(default = Duration::from_secs(5))]
    pub poll_interval: Duration,
    /// How long a fetch may take.
    #[config(default = Duration::from_secs(5))]
    pub poll_timeout: Duration,
    /// Headers sent along.
    pub headers: BTreeMap<String, Secret>,
    /// TLS towards it.
    pub tls: Option<TlsClient>,
    /// Largest document in bytes; -1 means no limit.
    #[config(default = -1)]
    pub max_response_body_size: i64,
}
