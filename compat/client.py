"""One request over a socket of its own, as the table of expectations describes it. Python's standard library only."""
import json
import socket
import ssl
import zlib

from world import read_body, read_lines

PATIENCE = 10


class Answer:
    """What came back. `failed` names how the connection ended when there was no answer."""

    def __init__(self, status=None, headers=(), body=b'', failed=None):
        self.status, self.headers, self.body, self.failed = status, list(headers), body, failed
        try:
            self.saw = json.loads(body)
        except ValueError:
            self.saw = {}
        if not isinstance(self.saw, dict):
            self.saw = {}

    def header(self, name):
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ', '.join(values) if values else None

    def saw_header(self, name):
        values = [value for key, value in self.saw.get('headers', []) if key.lower() == name.lower()]
        return ', '.join(values) if values else None

    @property
    def backend(self):
        return self.saw.get('backend') or self.header('X-Backend')


def ask(row, port, certificates):
    """Sends the row's request to a port."""
    try:
        with connect(row, port, certificates) as connection:
            connection.sendall(request(row))
            with connection.makefile('rb') as stream:
                return read(stream, row.get('method', 'GET'))
    except ssl.SSLError:
        return Answer(failed='tls')
    except socket.timeout:
        return Answer(failed='timeout')
    except (OSError, ValueError):
        return Answer(failed='tls' if 'sni' in row else 'closed')


def connect(row, port, certificates):
    connection = socket.create_connection(('127.0.0.1', port), PATIENCE)
    if 'sni' not in row:
        return connection
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certificates.file('ca.crt'))
    if row.get('tlsMax') == '1.2':
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if row.get('anyCertificate'):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if row.get('certificate'):
        context.load_cert_chain(certificates.file(row['certificate'] + '.crt'), certificates.file(row['certificate'] + '.key'))
    return context.wrap_socket(connection, server_hostname=row['sni'])


def request(row):
    body = row.get('body', '').encode() or b'x' * row.get('bodySize', 0)
    headers = {'Host': row['host'], **row.get('headers', {}), 'Connection': 'close'}
    if body:
        headers['Content-Length'] = len(body)
    lines = [f'{row.get("method", "GET")} {row.get("path", "/")} HTTP/1.1', *(f'{name}: {value}' for name, value in headers.items())]
    return ('\r\n'.join(lines) + '\r\n\r\n').encode('latin-1') + body


def read(stream, method):
    start = stream.readline().decode('latin-1').split(' ', 2)
    if len(start) < 2:
        return Answer(failed='closed')
    headers = [tuple(part.strip() for part in line.split(':', 1)) for line in read_lines(stream)]
    first = {name.lower(): value for name, value in reversed(headers)}
    framed = 'transfer-encoding' in first or 'content-length' in first
    body = b'' if method == 'HEAD' or start[1] in ('204', '304') else read_body(stream, first) if framed else stream.read()
    if first.get('content-encoding') == 'gzip':
        body = zlib.decompress(body, 31)
    return Answer(int(start[1]), headers, body)
