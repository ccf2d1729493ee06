"""What is compared: how it is started, what it wants to be told."""
import json
import os
import urllib.request

from harness import calls
from harness.calls import KEY, KEY_HASH

HERE = os.path.dirname(os.path.abspath(__file__))
FASTMCP = os.path.join(HERE, 'venv', 'bin', 'python')
MCP_PROXY = os.path.join(HERE, 'venv', 'bin', 'mcp-proxy')
REVISION = '2025-11-25'
NAMES = ('direct', 'bare', 'governed', 'aggregated', 'mcp-proxy', 'fastmcp')
# Those that put the server's name before a tool's.
PREFIXED = ('aggregated', 'mcp-proxy')


def available(gateway):
    """The names of those that can run here."""
    there = {'fastmcp': FASTMCP, 'mcp-proxy': MCP_PROXY}
    return [name for name in NAMES if os.path.exists(there.get(name, gateway))]


class Peer(calls.Peer):
    def __init__(self, name, servers, gateway):
        super().__init__(name, os.path.join(HERE, 'conf'))
        self.url = f'http://127.0.0.1:{self.port}/' + ('' if name == 'mcp-proxy' else 'mcp')
        self.tool = 'shop_read_notes' if name in PREFIXED else 'read_notes'
        self.headers += ['Content-Type: application/json', 'Accept: application/json, text/event-stream']
        first = f'http://127.0.0.1:{servers[0].port}/mcp'
        if name == 'direct':
            self.url = first
        elif name == 'fastmcp':
            self.arguments = [FASTMCP, os.path.join(HERE, 'fastmcp_proxy.py'), first, str(self.port)]
        elif name == 'mcp-proxy':
            values = {'port': self.port, 'key': KEY, 'server': servers[0].port, 'second': servers[1].port}
            self.arguments = [MCP_PROXY, '--config', self.fill('mcp-proxy.toml', 'mcp-proxy.toml', **values)]
        else:
            self.serve(gateway, self.configure(servers))

    def configure(self, servers):
        values = {'server': servers[0].port, 'second': servers[1].port}
        if self.name == 'bare':
            self.fill('bare.routing.yml', 'bare.routing.yml', **values)
            return ''
        kind = 'aggregated' if self.name == 'aggregated' else 'plain'
        services = self.fill(f'{kind}.services.yml', **values)
        self.fill('governed.routing.yml', f'{self.name}.routing.yml', services=services, hash=KEY_HASH, tools=self.tool)
        return self.governed()

    def start(self):
        super().start()
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
