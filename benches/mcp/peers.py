"""What is compared: how it is started, what it wants to be told, what it used so far."""
import base64
import hashlib
import json
import os
import subprocess
import sys
import time
import urllib.request

from harness import places
from harness.peers import PIN_PROXY, process_clock, stop, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
CONF = os.path.join(HERE, 'conf')
FASTMCP = os.path.join(HERE, 'venv', 'bin', 'python')
MCP_PROXY = os.path.join(HERE, 'venv', 'bin', 'mcp-proxy')
PIN_LOAD = ['taskset', '-c', places.LOAD_CPU]
KEY = 'sk-bench-0123456789'
REVISION = '2025-11-25'
NAMES = ('direct', 'bare', 'governed', 'aggregated', 'mcp-proxy', 'fastmcp')
GATEWAYS = ('bare', 'governed', 'aggregated')
# Those that put the server's name before a tool's.
PREFIXED = ('aggregated', 'mcp-proxy')


def available(gateway):
    """The names of those that can run here."""
    there = {'fastmcp': FASTMCP, 'mcp-proxy': MCP_PROXY}
    return [name for name in NAMES if os.path.exists(there.get(name, gateway))]


def fill(template, out=None, **values):
    """A file of this folder's `conf/` with `@name@` replaced, as text or as the file `out` of the run."""
    if out is None:
        return places.filled(template, CONF, **values)
    return places.fill(template, os.path.join(places.RUN, out), CONF, **values)


class Server:
    """A server of tools behind all peers, on the load's CPU."""

    def __init__(self, gateway):
        self.port = places.free_port()
        command = [gateway, 'sample', 'tools', '--listen', f'127.0.0.1:{self.port}']
        self.process = subprocess.Popen([*PIN_LOAD, *command], stdout=subprocess.DEVNULL)
        wait_for(self.port)

    def stop(self):
        stop(self.process)


class Peer:
    def __init__(self, name, servers, gateway):
        self.name, self.port, self.process, self.sink = name, places.free_port(), None, None
        self.url = f'http://127.0.0.1:{self.port}/' + ('' if name == 'mcp-proxy' else 'mcp')
        self.tool = 'shop_read_notes' if name in PREFIXED else 'read_notes'
        self.headers = [f'Authorization: Bearer {KEY}', 'Content-Type: application/json', 'Accept: application/json, text/event-stream']
        self.environment = {'TRILITHON_WORKERS': '1'} if name in GATEWAYS else {}
        if name == 'direct':
            self.port, self.url = servers[0].port, f'http://127.0.0.1:{servers[0].port}/mcp'
        elif name == 'fastmcp':
            self.arguments = [FASTMCP, os.path.join(HERE, 'fastmcp_proxy.py'), f'http://127.0.0.1:{servers[0].port}/mcp', str(self.port)]
        elif name == 'mcp-proxy':
            values = {'port': self.port, 'key': KEY, 'server': servers[0].port, 'second': servers[1].port}
            self.arguments = [MCP_PROXY, '--config', fill('mcp-proxy.toml', 'mcp-proxy.toml', **values)]
        else:
            self.arguments = [gateway, f'--configFile={self.configure(servers)}']

    def configure(self, servers):
        more, values = '', {'server': servers[0].port, 'second': servers[1].port}
        if self.name == 'bare':
            fill('bare.routing.yml', 'bare.routing.yml', **values)
        else:
            collector = places.free_port()
            self.sink = [*PIN_LOAD, sys.executable, places.COLLECTOR, str(collector)]
            more = fill('governed.yml', collector=collector)
            kind = 'aggregated' if self.name == 'aggregated' else 'plain'
            services = fill(f'{kind}.services.yml', **values)
            digest = base64.b64encode(hashlib.sha1(KEY.encode()).digest()).decode()
            fill('governed.routing.yml', f'{self.name}.routing.yml', services=services, hash=digest, tools=self.tool)
        return fill('gateway.yml', f'{self.name}.yml', port=self.port, admin=places.free_port(), peer=self.name, more=more)

    def start(self):
        if self.name == 'direct':
            return self.open()
        if self.sink:
            self.sink = subprocess.Popen(self.sink)
        log = open(f'{places.RUN}/{self.name}.log', 'w')
        self.process = subprocess.Popen([*PIN_PROXY, *self.arguments], env={**os.environ, **self.environment}, stdout=log,
                                        stderr=subprocess.STDOUT, cwd=places.RUN)
        deadline = time.monotonic() + 120
        while not wait_for(self.port, 1):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f'{self.name} did not come up: ' + open(f'{places.RUN}/{self.name}.log').read()[-500:])
        self.open()

    def open(self):
        """A session, where the peer has some: what a client says first."""
        hello = {'protocolVersion': REVISION, 'capabilities': {}, 'clientInfo': {'name': 'bench', 'version': '1'}}
        answer = self.send({'jsonrpc': '2.0', 'id': 0, 'method': 'initialize', 'params': hello})
        session = answer.headers.get('Mcp-Session-Id')
        self.headers += [f'MCP-Protocol-Version: {REVISION}', *([f'Mcp-Session-Id: {session}'] if session else [])]
        self.send({'jsonrpc': '2.0', 'method': 'notifications/initialized'})

    def send(self, message):
        headers = dict(line.split(': ', 1) for line in self.headers)
        request = urllib.request.Request(self.url, json.dumps(message).encode(), headers)
        answer = urllib.request.urlopen(request, timeout=60)
        answer.body = answer.read()
        return answer

    def body(self):
        """The call that is measured. Its text is that of an agent: a span's place and the id of the tool call with it."""
        meta = {'traceparent': '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'gen_ai.tool.call.id': 'call_bench'}
        params = {'name': self.tool, 'arguments': {}, '_meta': meta}
        return json.dumps({'jsonrpc': '2.0', 'id': '@ID@', 'method': 'tools/call', 'params': params}).replace('"@ID@"', '@ID@')

    def ask(self):
        """One call, which must succeed."""
        answer = self.send(json.loads(self.body().replace('@ID@', '1')))
        if b'"result"' not in answer.body or b'"isError":true' in answer.body:
            raise RuntimeError(f'{self.name}: {answer.body[:300]}')

    def cpu_seconds(self):
        """User and system time of the whole tree of processes, from each one's own CPU clock."""
        return sum(cpu(pid) for pid in tree(self.process.pid)) if self.process else 0.0

    def stop(self):
        for process in (self.process, self.sink):
            if isinstance(process, subprocess.Popen):
                stop(process)


def cpu(pid):
    try:
        return time.clock_gettime(process_clock(pid))
    except OSError:
        return 0.0


def tree(pid):
    """A process and all below it."""
    try:
        children = open(f'/proc/{pid}/task/{pid}/children').read().split()
    except OSError:
        children = []
    return [pid, *(p for child in children for p in tree(int(child)))]
