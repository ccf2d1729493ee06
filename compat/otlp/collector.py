"""An OpenTelemetry collector that keeps what it is sent: OTLP over HTTP and gRPC, read with OpenTelemetry's own protocol definitions."""
import gzip
import threading
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

REQUESTS = {
    'traces': trace_service_pb2.ExportTraceServiceRequest,
    'metrics': metrics_service_pb2.ExportMetricsServiceRequest,
    'logs': logs_service_pb2.ExportLogsServiceRequest,
}
KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer']


class Collector:
    """Listens on two ports of its own. What came is a list of (signal, headers, request)."""

    def __init__(self):
        self.came = []
        self.lock = threading.Lock()
        self.start_http()
        self.start_grpc()

    def keep(self, signal, headers, request):
        with self.lock:
            self.came.append((signal, headers, request))

    def start_http(self):
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_POST(self):
                body = self.rfile.read(int(self.headers['content-length']))
                signal = self.path.removeprefix('/v1/')
                headers = {name.lower(): value for name, value in self.headers.items()}
                good = signal in REQUESTS and headers['content-type'] == 'application/x-protobuf' and headers['content-encoding'] == 'gzip'
                if good:
                    collector.keep(signal, headers, REQUESTS[signal].FromString(gzip.decompress(body)))
                self.send_response(200 if good else 400)
                self.send_header('Content-Length', '0')
                self.end_headers()

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.http_port = self.http.server_port
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def start_grpc(self):
        collector = self

        class Traces(trace_service_pb2_grpc.TraceServiceServicer):
            def Export(self, request, context):
                collector.keep('traces', dict(context.invocation_metadata()), request)
                return trace_service_pb2.ExportTraceServiceResponse()

        class Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
            def Export(self, request, context):
                collector.keep('metrics', dict(context.invocation_metadata()), request)
                return metrics_service_pb2.ExportMetricsServiceResponse()

        class Logs(logs_service_pb2_grpc.LogsServiceServicer):
            def Export(self, request, context):
                collector.keep('logs', dict(context.invocation_metadata()), request)
                return logs_service_pb2.ExportLogsServiceResponse()

        self.grpc = grpc.server(futures.ThreadPoolExecutor(4))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Traces(), self.grpc)
        metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(Metrics(), self.grpc)
        logs_service_pb2_grpc.add_LogsServiceServicer_to_server(Logs(), self.grpc)
        self.grpc_port = self.grpc.add_insecure_port('127.0.0.1:0')
        self.grpc.start()

    def stop(self):
        self.http.shutdown()
        self.grpc.stop(0)

    def of(self, signal):
        with self.lock:
            return [(headers, request) for kind, headers, request in self.came if kind == signal]

    def spans(self):
        return [Span(span, resource.resource) for _, request in self.of('traces') for resource in request.resource_spans
                for scope in resource.scope_spans for span in scope.spans]

    def records(self):
        return [record for _, request in self.of('logs') for resource in request.resource_logs
                for scope in resource.scope_logs for record in scope.log_records]

    def metrics(self):
        """The last of each metric by name."""
        return {metric.name: metric for _, request in self.of('metrics') for resource in request.resource_metrics
                for scope in resource.scope_metrics for metric in scope.metrics}


class Span:
    """A span with plain values."""

    def __init__(self, span, resource):
        self.name, self.kind, self.status = span.name, KINDS[span.kind], span.status.code
        self.trace, self.id, self.parent = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
        self.start, self.end = span.start_time_unix_nano, span.end_time_unix_nano
        self.attributes = attributes(span.attributes)
        self.resource = attributes(resource.attributes)


def attributes(pairs):
    return {pair.key: plain(pair.value) for pair in pairs}


def plain(value):
    kind = value.WhichOneof('value')
    if kind == 'array_value':
        return [plain(one) for one in value.array_value.values]
    return getattr(value, kind)
