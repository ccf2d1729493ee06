"""The world a gateway is put into: certificates, ports, and backends that say what they saw. Python's standard library only."""
import hashlib
import json
import os
import random
import re
import socket
import ssl
import subprocess
import threading

PLACEHOLDER = re.compile(r'@([a-z][a-z0-9_]*)@')


def free_port():
    """A port outside the range that outgoing connections take theirs from."""
    while True:
        port = random.randrange(12000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(('127.0.0.1', port))
                return port
            except OSError:
                continue


class Certificates:
    """`ca`, `other-ca`; `home`, `saas`, `edge` (wildcards of their domains), `backend`, `client`, `other-client`: .crt and .key."""

    HOSTS = {
        'home': 'DNS:home.test,DNS:*.home.test',
        'saas': 'DNS:saas.test,DNS:*.saas.test,DNS:*.eu.saas.test',
        'edge': 'DNS:edge.test,DNS:*.edge.test,DNS:*.shops.edge.test',
        'backend': 'DNS:backend.test,DNS:localhost,IP:127.0.0.1',
    }

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        for authority in ('ca', 'other-ca'):
            self.run('req', '-x509', *self.key(authority), '-days', '30', '-subj', f'/O=Compat/CN={authority}', '-out', f'{authority}.crt')
        for name, names in self.HOSTS.items():
            self.leaf(name, names, 'ca', 'serverAuth')
        self.leaf('client', 'DNS:client.test', 'ca', 'clientAuth')
        self.leaf('other-client', 'DNS:other.test', 'other-ca', 'clientAuth')

    def key(self, name):
        return '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', f'{name}.key'

    def leaf(self, name, names, authority, usage):
        self.run('req', *self.key(name), '-subj', f'/O=Compat/CN={name}', '-out', f'{name}.csr')
        with open(f'{self.folder}/{name}.ext', 'w') as file:
            file.write(f'subjectAltName={names}\nextendedKeyUsage={usage}\n')
        self.run('x509', '-req', '-in', f'{name}.csr', '-CA', f'{authority}.crt', '-CAkey', f'{authority}.key', '-CAcreateserial',
                 '-days', '30', '-extfile', f'{name}.ext', '-out', f'{name}.crt')

    def run(self, *arguments):
        subprocess.run(['openssl', *arguments], cwd=self.folder, check=True, capture_output=True)

    def file(self, name):
        return os.path.join(self.folder, name)


class Backend(threading.Thread):
    """An HTTP/1 server that answers with what it saw. Its name says what it is: `tls_…` speaks TLS, `mtls_…` demands a
    certificate of `ca`, `auth…` is an authentication server (200 with `Remote-User` for the cookie `session=NAME`, else 302),
    `h2c_…` speaks clear HTTP/2. `X-Do: status=503;header=A:b;size=9;type=text/css` asks for an answer."""

    def __init__(self, name, certificates):
        super().__init__(daemon=True)
        self.name_, self.requests, self.context = name, 0, None
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        if name.startswith(('tls_', 'mtls_')):
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificates.file('backend.crt'), certificates.file('backend.key'))
            if name.startswith('mtls_'):
                self.context.load_verify_locations(certificates.file('ca.crt'))
                self.context.verify_mode = ssl.CERT_REQUIRED
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def stop(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def serve(self, connection):
        try:
            connection.settimeout(30)
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            if self.name_.startswith('h2c_'):
                return self.http2(connection)
            with connection.makefile('rb') as stream:
                while self.exchange(connection, stream):
                    pass
        except (OSError, ValueError):
            pass
        finally:
            connection.close()

    def exchange(self, connection, stream):
        start = stream.readline().decode('latin-1').split()
        if len(start) != 3:
            return False
        method, target, _ = start
        lines = read_lines(stream)
        headers = [tuple(part.strip() for part in line.split(':', 1)) for line in lines]
        first = {name.lower(): value for name, value in reversed(headers)}
        body = read_body(stream, first)
        self.requests += 1
        status, extra, answer = self.answer(method, target, headers, first, body)
        head = [f'HTTP/1.1 {status} Status', f'X-Backend: {self.name_}', *extra, f'Content-Length: {len(answer)}']
        connection.sendall(('\r\n'.join(head) + '\r\n\r\n').encode('latin-1') + (b'' if method == 'HEAD' else answer))
        return first.get('connection', '').lower() != 'close'

    def answer(self, method, target, headers, first, body):
        if self.name_.startswith('auth'):
            session = re.search(r'session=(\w+)', first.get('cookie', ''))
            if session:
                return 200, [f'Remote-User: {session[1]}', 'Remote-Groups: people'], b''
            return 302, ['Location: https://login.test/'], b'sign in'
        wishes = [wish.strip().split('=', 1) for wish in first.get('x-do', '').split(';') if '=' in wish]
        plain = {name: value for name, value in wishes if name != 'header'}
        extra = [value.replace(':', ': ', 1) for name, value in wishes if name == 'header']
        extra.append('Content-Type: ' + plain.get('type', 'application/json'))
        saw = {'backend': self.name_, 'method': method, 'target': target, 'headers': headers, 'body': body.decode('latin-1')}
        text = b'x' * int(plain['size']) if 'size' in plain else json.dumps(saw).encode()
        return int(plain.get('status', 200)), extra, text

    def http2(self, connection):
        """Enough of HTTP/2 to be called over it: every request gets a 200 with trailers, its fields are not looked at."""
        stream = connection.makefile('rb')
        if stream.read(24) != b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n':
            return
        connection.sendall(frame(4, 0, 0, b''))
        while len(head := stream.read(9)) == 9:
            length, kind, flags, number = int.from_bytes(head[:3], 'big'), head[3], head[4], int.from_bytes(head[5:], 'big')
            stream.read(length)
            if kind == 4 and not flags & 1:
                connection.sendall(frame(4, 1, 0, b''))
            elif kind == 6 and not flags & 1:
                connection.sendall(frame(6, 1, 0, b'\0' * 8))
            elif kind in (0, 1) and flags & 1:
                self.requests += 1
                fields = b'\x88' + literal('content-type', 'application/grpc') + literal('x-backend', self.name_)
                connection.sendall(frame(1, 4, number, fields) + frame(0, 0, number, b'\0\0\0\0\0')
                                   + frame(1, 5, number, literal('grpc-status', '0')))


def read_lines(stream):
    lines = []
    while line := stream.readline().decode('latin-1').rstrip('\r\n'):
        lines.append(line)
    return lines


def read_body(stream, headers):
    if 'chunked' not in headers.get('transfer-encoding', ''):
        return stream.read(int(headers.get('content-length', 0)))
    body = b''
    while size := int(stream.readline().split(b';')[0], 16):
        body += stream.read(size)
        stream.readline()
    read_lines(stream)
    return body


def frame(kind, flags, number, payload):
    return len(payload).to_bytes(3, 'big') + bytes([kind, flags]) + number.to_bytes(4, 'big') + payload


def literal(name, value):
    """A header field without indexing or Huffman coding."""
    return b'\0' + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def password(user, secret):
    """A basicAuth user of the weakest kind that is accepted everywhere."""
    import base64
    return f'{user}:{{SHA}}' + base64.b64encode(hashlib.sha1(secret.encode()).digest()).decode()
