#!/usr/bin/env python3
"""Follows requests through a gateway's traces, metrics, logs and audit log: what a collector is sent over HTTP and gRPC, what a real
Prometheus scrapes, what the logs say, what servers are told. All must name the same ids.

    compat/otlp/check.py --bin target/debug/trilithon"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
from client import ask  # noqa: E402
from collector import Collector, attributes  # noqa: E402
from run import until  # noqa: E402
from world import Backend, Certificates, free_port  # noqa: E402

INSTALL = '''
entryPoints:
  web: {{address: "127.0.0.1:{web}"}}
  traefik: {{address: "127.0.0.1:{traefik}"}}
providers:
  file: {{filename: "{folder}/routing.yml"}}
metrics:
  prometheus: {{addRoutersLabels: true}}
  otlp: {{pushInterval: 200ms, {export}}}
accessLog: {{format: json, filePath: "{folder}/access.log", dualOutput: true, otlp: {{{export}}}}}
experimental: {{otlplogs: true}}
store: {{directory: "{folder}/state"}}
tracing:
  otlp: {{{export}}}
  serviceName: edge
  resourceAttributes: {{deployment.environment: test}}
  capturedRequestHeaders: [X-Tenant]
  capturedResponseHeaders: [X-Backend]
  safeQueryParams: [page]
'''
ROUTING = '''
http:
  routers:
    all: {{rule: PathPrefix(`/`), service: all, middlewares: [chain], observability: {{traceVerbosity: detailed, audit: true}}}}
  middlewares:
    chain: {{chain: {{middlewares: [headers, retry]}}}}
    headers: {{headers: {{customRequestHeaders: {{X-Added: a}}}}}}
    retry: {{retry: {{attempts: 2, status: ["503"]}}}}
  services: {{all: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{b1}"}}]}}}}}}
'''
PROMETHEUS = '''
global: {{scrape_interval: 1s}}
scrape_configs:
  - {{job_name: gateway, static_configs: [{{targets: ["127.0.0.1:{traefik}"]}}]}}
'''
TRACE, PARENT = '0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'


class World:
    """A collector, a backend, and a gateway that exports as `export` says."""

    def __init__(self, binary, export):
        self.binary = os.path.abspath(binary)
        self.folder = tempfile.mkdtemp(prefix='compat-otlp-')
        self.collector, self.certificates = Collector(), Certificates(self.folder)
        self.backend = Backend('b1', self.certificates)
        self.ports = {'web': free_port(), 'traefik': free_port()}
        export = export.format(http=self.collector.http_port, grpc=self.collector.grpc_port)
        self.write('install.yml', INSTALL.format(folder=self.folder, export=export, **self.ports))
        self.write('routing.yml', ROUTING.format(b1=self.backend.port))
        self.processes = [self.start('gateway.log', self.binary, f'--configFile={self.folder}/install.yml')]

    def __enter__(self):
        if not until(lambda: self.ask({'headers': {'traceparent': '00-' + 'a' * 32 + '-' + 'b' * 16 + '-00'}}).status == 200):
            sys.exit('never ready: ' + open(f'{self.folder}/gateway.log').read()[-800:])
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()
        self.backend.stop()
        self.collector.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def write(self, name, text):
        with open(f'{self.folder}/{name}', 'w') as file:
            file.write(text)

    def start(self, log, *command):
        with open(f'{self.folder}/{log}', 'wb') as out:
            return subprocess.Popen(command, stdout=out, stderr=out, cwd=self.folder)

    def ask(self, row):
        return ask({'host': 'shop.test', 'path': '/', **row}, self.ports['web'], self.certificates)

    def start_prometheus(self):
        port = free_port()
        self.write('prometheus.yml', PROMETHEUS.format(**self.ports))
        self.processes.append(self.start(
            'prometheus.log', 'prometheus', f'--config.file={self.folder}/prometheus.yml', f'--storage.tsdb.path={self.folder}/data',
            f'--web.listen-address=127.0.0.1:{port}', '--enable-feature=exemplar-storage', '--log.level=warn'))
        return port


failures = []


def same(what, want, got):
    if want != got:
        failures.append(what)
        print(f'  FAILED {what}\n    want {want}\n    got  {got}')


def among(what, want, got):
    """Every key of `want` is in `got` with that value."""
    same(what, want, {key: got.get(key) for key in want})


def follow(world):
    """One request that is tried twice."""
    headers = {'traceparent': f'00-{TRACE}-{PARENT}-01', 'X-Tenant': 'blue', 'User-Agent': 'check', 'X-Do': 'status=503'}
    answer = world.ask({'path': '/a%20b?page=2&key=secret', 'headers': headers})
    same('status', 503, answer.status)
    spans = until(lambda: len(all := world.collector.spans()) >= 8 and all)
    if not spans:
        failures.append('spans')
        return print(f'  FAILED only {[s.name for s in world.collector.spans()]} came')
    check_spans(world, spans, answer)
    check_resource(spans[0].resource)
    check_log(world, spans[0])
    check_audit(world, spans[0])
    check_metrics(world, spans[0])


def check_spans(world, spans, answer):
    index = {span.id: at for at, span in enumerate(spans)}
    tree = [(span.name, span.kind, index.get(span.parent, span.parent)) for span in spans]
    same('spans', [
        ('GET', 'server', PARENT), ('Router', 'internal', 0), ('Headers', 'internal', 1),
        ('Retry', 'internal', 2), ('Service', 'internal', 3), ('ReverseProxy', 'client', 4),
        ('Retry', 'internal', 2), ('Service', 'internal', 6), ('ReverseProxy', 'client', 7)], tree)
    same('one trace', {TRACE}, {span.trace for span in spans})
    same('span times', [], [s.name for s in spans if not spans[0].start <= s.start <= s.end <= spans[0].end])
    same('span status', [2, 0, 0, 0, 0, 2, 0, 0, 2], [span.status for span in spans])
    client = {'network.peer.address': '127.0.0.1', 'client.address': '127.0.0.1'}
    among('entry point', {
        'entry_point': 'web', 'http.request.method': 'GET', 'network.protocol.version': '1.1', 'http.request.body.size': 0,
        'url.path': '/a%20b', 'url.query': 'page=2&key=REDACTED', 'url.scheme': 'http', 'user_agent.original': 'check',
        'server.address': 'shop.test', 'http.response.status_code': 503, 'http.request.header.x-tenant': ['blue'],
        'http.response.header.x-backend': ['b1'], **client}, spans[0].attributes)
    same('ports', True, spans[0].attributes['client.port'] == spans[0].attributes['network.peer.port'] > 0)
    same('router', {'traefik.router.name': 'all@file', 'traefik.service.name': 'all@file', 'http.route': 'PathPrefix(`/`)'},
         spans[1].attributes)
    same('middleware', {'traefik.middleware.name': 'headers@file'}, spans[2].attributes)
    same('first attempt', {'traefik.middleware.name': 'retry@file'}, spans[3].attributes)
    same('second attempt', {'traefik.middleware.name': 'retry@file', 'http.request.resend_count': 1}, spans[6].attributes)
    same('service', {'traefik.service.name': 'all@file'}, spans[4].attributes)
    among('server', {
        'http.request.method': 'GET', 'url.full': f'http://127.0.0.1:{world.backend.port}/a%20b?page=2&key=REDACTED',
        'server.address': '127.0.0.1', 'server.port': world.backend.port, 'network.peer.address': '127.0.0.1',
        'network.peer.port': world.backend.port, 'http.response.status_code': 503}, spans[8].attributes)
    told = dict((name.lower(), value) for name, value in json.loads(answer.body)['headers'])
    same('what the server was told', f'00-{TRACE}-{spans[8].id}-01', told['traceparent'])


def check_resource(resource):
    among('resource', {'service.name': 'edge', 'deployment.environment': 'test', 'telemetry.sdk.language': 'rust'}, resource)
    same('more of the resource', [], [key for key in ('service.version', 'host.name', 'process.pid', 'os.type') if key not in resource])


def check_log(world, span):
    def line():
        lines = [json.loads(text) for text in open(f'{world.folder}/access.log')]
        return next((one for one in lines if one['RequestPath'].startswith('/a%20b')), None)
    among('log line', {'TraceId': TRACE, 'SpanId': span.id, 'DownstreamStatus': 503, 'RetryAttempts': 1}, until(line) or {})

    def record():
        return next((one for one in world.collector.records() if one.trace_id.hex() == TRACE), None)
    found = until(record)
    if not found:
        return failures.append('log record') or print('  FAILED no log record')
    same('log record', (span.id, 9), (found.span_id.hex(), found.severity_number))
    among('log record fields', {'TraceId': TRACE, 'SpanId': span.id, 'trace_id': TRACE, 'span_id': span.id, 'DownstreamStatus': 503,
                                'RouterName': 'all@file'}, attributes(found.attributes))


def check_audit(world, span):
    def entry():
        """The proof of the request's entry, asked for by its trace."""
        done = subprocess.run([world.binary, 'audit', 'prove', TRACE, '--store', f'{world.folder}/state'], capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else None
    proof = json.loads(until(entry) or '{}')
    said = json.loads(proof.get('entry', '{}'))
    same('audit entry', ({'traceId': TRACE, 'spanId': span.id}, 503), (said.get('trace'), said.get('outcome', {}).get('status')))


def check_metrics(world, span):
    def point(name, **labels):
        for one in world.collector.metrics()[name].histogram.data_points if name in world.collector.metrics() else []:
            if labels.items() <= attributes(one.attributes).items():
                return one
        return None
    name, labels = 'traefik_entrypoint_request_duration_seconds', {'code': '503', 'entrypoint': 'web', 'method': 'GET'}
    found = until(lambda: point(name, **labels))
    if not found:
        return failures.append('metrics') or print('  FAILED no metrics came')
    same('histogram', (1, 14, [(TRACE, span.id)]), (found.count, len(found.explicit_bounds),
                                                    [(e.trace_id.hex(), e.span_id.hex()) for e in found.exemplars]))
    metrics = world.collector.metrics()
    same('unit', 'ms', metrics['traefik_config_last_reload_success'].unit)
    for name, key in (('http.server.request.duration', 'shop.test'), ('http.client.request.duration', f'127.0.0.1:{world.backend.port}')):
        found = point(name, **{'http.response.status_code': 503, 'server.address': key, 'error.type': '503', 'http.request.method': 'GET'})
        same(name, 1, found and found.count)


def check_prometheus(world):
    """The exemplar of a real Prometheus names the trace."""
    if not shutil.which('prometheus'):
        return failures.append('prometheus') or print('  FAILED there is no prometheus: `./test.sh needs` installs it')
    port = world.start_prometheus()
    query = urllib.parse.urlencode({'query': 'traefik_entrypoint_request_duration_seconds_bucket{code="503"}', 'start': 0, 'end': 9999999999})

    def exemplars():
        try:
            with urllib.request.urlopen(f'http://127.0.0.1:{port}/api/v1/query_exemplars?{query}', timeout=5) as answer:
                data = json.load(answer)['data']
        except OSError:
            return None
        return [e['labels'] for series in data for e in series['exemplars']]
    span = world.collector.spans()[0]
    same('exemplar in Prometheus', [{'trace_id': TRACE, 'span_id': span.id}], until(exemplars, 30))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--bin', required=True)
    options = parser.parse_args()
    for protocol, export in (('HTTP', 'http: {{endpoint: "http://127.0.0.1:{http}", headers: {{x-key: k}}}}'),
                             ('gRPC', 'grpc: {{endpoint: "127.0.0.1:{grpc}", insecure: true, headers: {{x-key: k}}}}')):
        print(f'OTLP over {protocol}')
        with World(options.bin, export) as world:
            follow(world)
            same('configured headers', {'k'}, {headers.get('x-key') for headers, _ in world.collector.of('traces')})
            if protocol == 'HTTP':
                check_prometheus(world)
    print(f'{len(failures)} failed' if failures else 'all ids agree')
    sys.exit(bool(failures))


if __name__ == '__main__':
    main()
