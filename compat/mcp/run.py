#!/usr/bin/env python3
"""Real clients and servers of the Model Context Protocol with the gateway between them: the official SDKs in Python and TypeScript, and
the protocol's conformance suite against a server alone, through the gateway, and through the gateway as the only or as one of two servers
that are one, between the eras, with rules, strict reading, list filtering, a guard on everything that is said, pinned definitions and the
audit log on. No scenario that the server passes alone may be lost, but those that are named. And an API that is offered as tools, and
the sample server of tools, with the official clients.

    compat/mcp/run.py --bin target/debug/trilithon

Needs the Python package `mcp`. Without Node.js 22 and its packages (below `.ci/mcp`) that half is left out."""
import argparse
import base64
import collections
import email
import glob
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))
from world import free_port  # noqa: E402

PATIENCE = 60
REVISIONS = ['2025-11-25', '2026-07-28']
PACKAGES = f'{ROOT}/.ci/mcp'
NODE = f'{PACKAGES}/node_modules/node/bin/node'
SUITE = f'{PACKAGES}/node_modules/@modelcontextprotocol/conformance/dist/index.js'

# Clients of one era before a server that is spoken with in the other, and what cannot go between: what the newest revision lets a server
# call its questions, which the gateway names itself; a stream that a server closes to be polled.
CROSSED = {'2025-11-25': '/new', '2026-07-28': '/old'}
MAY_LOSE = {'2025-11-25': {'server-sse-polling'}, '2026-07-28': {'input-required-result-basic-elicitation'}}

INSTALL = '''
entryPoints: {{web: {{address: "127.0.0.1:{port}"}}}}
providers: {{file: {{filename: "{folder}/routing.yml"}}}}
accessLog: {{filePath: "{folder}/access.log", format: json}}
audit: {{}}
store: {{directory: "{folder}/store"}}
log: {{level: ERROR}}
'''

ROUTING = '''
http:
  routers:
    python: {{rule: "Path(`/mcp`)", middlewares: [pinned-python, rules, guard], service: python}}
    typescript: {{rule: "Path(`/typescript`)", middlewares: [rules, guard], service: typescript}}
    one: {{rule: "Path(`/one`)", middlewares: [local, pinned-one, rules, guard], service: one}}
    two: {{rule: "Path(`/two`)", middlewares: [local, pinned-two, rules, guard], service: two}}
    old: {{rule: "Path(`/old`)", middlewares: [local, rules, guard], service: old}}
    new: {{rule: "Path(`/new`)", middlewares: [local, rules, guard], service: new}}
    pets: {{rule: "Path(`/pets`)", middlewares: [rules, guard], service: pets}}
    sample: {{rule: "Path(`/sample`)", middlewares: [root], service: sample}}
  middlewares:
    root: {{replacePath: {{path: /mcp}}}}
    # Who is asked by several servers' clients is the gateway: it looks where pages come from.
    local: {{plugin: {{mcp: {{allowedHosts: ["127.0.0.1:{port}"], allowedOrigins: ["http://127.0.0.1:{port}"]}}}}}}
    rules:
      plugin:
        mcp:
          policies: [{{match: "OneOf(`mcp.params.name`, `secret_tool`, `other_secret_tool`)", action: deny}}]
          defaultAction: allow
          listPolicies: [{{match: "OneOf(`mcp.params.name`, `secret_tool`, `other_secret_tool`)", action: hide}}]
    # What it acts on is what the suite never says.
    guard:
      plugin:
        content-guard:
          mcp: {{}}
          engine: {{regex: {{}}}}
          request: &canaries
            rules: [{{entities: ["forbidden canary"], block: true}}, {{entities: ["hidden canary"], mask: {{}}}}]
          response: *canaries
    # What is trusted is remembered by the middleware's name: one for each way.
    pinned-python: {{plugin: {{mcp: {{definitions: {{onChange: hide, onNew: report}}}}}}}}
    pinned-one: {{plugin: {{mcp: {{definitions: {{onChange: hide, onNew: report}}}}}}}}
    pinned-two: {{plugin: {{mcp: {{definitions: {{onChange: hide, onNew: report}}}}}}}}
  services:
    one: {{mcpServers: {{servers: [{{name: python, service: python, path: /mcp}}]}}}}
    # The same server, spoken with in one era alone.
    old: {{mcpServers: {{servers: [{{name: python, service: python, path: /mcp, era: legacy}}]}}}}
    new: {{mcpServers: {{servers: [{{name: python, service: python, path: /mcp, era: modern}}]}}}}
    two:
      mcpServers:
        servers:
          - {{name: python, service: python, path: /mcp, prefix: ''}}
          - {{name: other, service: {other}, path: /mcp}}
    python: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{python}"}}]}}}}
    typescript: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{typescript}"}}]}}}}
    pets: {{openApi: {{document: "{folder}/pets.yml", service: api}}}}
    api: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{api}"}}]}}}}
    sample: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{sample}"}}]}}}}
'''

PETS = '''
openapi: 3.0.3
info: {{title: Pets, version: "1"}}
servers: [{{url: /v1}}]
paths:
  /pets:
    post: {{operationId: addPet, requestBody: {{required: true, content: {{application/json: {{schema: {{$ref: "#/components/schemas/Pet"}}}}}}}}}}
  /pets/{{id}}:
    get: {{parameters: [{{name: id, in: path, required: true, schema: {{type: integer}}}}]}}
  /pets/{{id}}/photo:
    parameters: [{{name: id, in: path, required: true, schema: {{type: integer}}}}]
    get: {{operationId: lookAtPet}}
    post:
      operationId: showPet
      requestBody: {{content: {{multipart/form-data: {{schema: {{type: object, properties: {{
        photo: {{type: string, format: binary}}, title: {{type: string}}}}}}}}}}}}
  /odd:
    get:
      operationId: oddPet
      responses: {{"200": {{content: {{application/json: {{schema: {{$ref: "#/components/schemas/Odd"}}}}}}}}}}
components:
  schemas:
    Pet: {{type: object, required: [name], properties: {{name: {{type: string}}, mother: {{$ref: "#/components/schemas/Pet"}}}}}}
    Odd: {{type: object, additionalProperties: false, required: [id, gone], properties: {{id: {{type: string}}, kind: {{enum: [cat]}},
      born: {{type: string, format: date-time}}, mother: {{oneOf: [{{$ref: "#/components/schemas/Odd"}}, {{type: object}}]}}}}}}
'''

PHOTO = base64.b64decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==')
# An answer that is not what the document says of it: nothing is where it should be but `mother`.
ODD = {'id': 7, 'kind': 'dog', 'born': None, 'mother': {'id': 'x'}, 'more': [1]}


class Api(http.server.BaseHTTPRequestHandler):
    """An API: says what it was asked."""

    def do_GET(self):
        if self.path.endswith('/photo'):
            return self.say(200, PHOTO, 'image/png')
        if self.path.endswith('/odd'):
            return self.tell(200, ODD)
        found = not self.path.endswith('404')
        self.tell(200 if found else 404, {'id': 7, 'asked': self.path} if found else {'title': 'no such pet'})

    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        if not self.path.endswith('/photo'):
            return self.tell(201, json.loads(body))
        head = f'Content-Type: {self.headers["Content-Type"]}\r\n\r\n'.encode()
        parts = email.message_from_bytes(head + body).get_payload()
        name = lambda part: part.get_param('name', header='content-disposition')  # noqa: E731
        said = {name(part): (part.get_filename(), part.get_payload(decode=True) == PHOTO) for part in parts}
        self.tell(201, said)

    def tell(self, status, answer):
        self.say(status, json.dumps(answer).encode(), 'application/json')

    def say(self, status, body, kind):
        self.send_response(status)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class World:
    """The servers and the gateway, ended together."""

    def __init__(self, binary, folder):
        self.folder, self.processes = folder, []
        other = 'typescript' if os.path.exists(NODE) else 'python'
        self.ports = {name: free_port() for name in ('port', 'python', 'typescript', 'sample')}
        self.api = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Api)
        threading.Thread(target=self.api.serve_forever, daemon=True).start()
        self.ports['api'] = self.api.server_port
        for name, text in (('trilithon.yml', INSTALL), ('routing.yml', ROUTING), ('pets.yml', PETS)):
            with open(f'{folder}/{name}', 'w') as file:
                file.write(text.format(folder=folder, other=other, **self.ports))
        self.start('python', [sys.executable, f'{HERE}/server.py', str(self.ports['python'])])
        if os.path.exists(NODE):
            # A module looks for its packages beside itself.
            self.start('typescript', [NODE, shutil.copy(f'{HERE}/server.mjs', PACKAGES), str(self.ports['typescript'])])
        self.start('sample', [binary, 'sample', 'tools', f'--listen=127.0.0.1:{self.ports["sample"]}'])
        self.start('port', [binary, f'--configFile={folder}/trilithon.yml'])

    def start(self, name, command):
        with open(f'{self.folder}/{name}.log', 'w') as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        self.processes.append(process)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and process.poll() is None:
            try:
                urllib.request.urlopen(f'http://127.0.0.1:{self.ports[name]}/', timeout=5).close()
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.05)
        sys.exit(f'{name} did not come up\n' + open(f'{self.folder}/{name}.log').read())

    def url(self, path='/mcp'):
        return f'http://127.0.0.1:{self.ports["port"]}{path}'

    def end(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait(PATIENCE)


def run(command, server):
    """What one client reports."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE * 3)
    yield from map(json.loads, done.stdout.splitlines())
    if done.returncode:
        yield {'client': f'{os.path.basename(command[1])} → {server}', 'case': 'it ends well', 'right': False}
        print(done.stderr, file=sys.stderr)


WAYS = {'through': '/mcp', 'as one': '/one', 'of two': '/two'}
ON = 'rules, list filtering, strict reading, a guard on all that is said, pinned definitions, audit log'


def guarded(world):
    """What the guard made of words that it is for, by the ways through the gateway."""
    for way, path in WAYS.items():
        yield from run([sys.executable, f'{HERE}/canary.py', way, world.url(path)], way)


def clients(world):
    """What each client reported: one JSON object a line."""
    servers = [('Python', '/mcp'), ('two as one', '/two'), ('first era', '/old')] + ([('TypeScript', '/typescript')] if os.path.exists(NODE) else [])
    for server, path in servers:
        commands = [[sys.executable, f'{HERE}/client.py', server, world.url(path)]]
        if os.path.exists(NODE) and server != 'first era':
            commands.append([NODE, shutil.copy(f'{HERE}/client.mjs', PACKAGES), server, world.url(path)])
        for command in commands:
            yield from run(command, server)


def apis(world):
    """The same with what the gateway's own binary offers: an API as tools, and the sample server."""
    for name, path in [('api', '/pets'), ('sample', '/sample')]:
        yield from run([sys.executable, f'{HERE}/{name}.py', world.url(path)], name)
        if os.path.exists(NODE):
            yield from run([NODE, shutil.copy(f'{HERE}/{name}.mjs', PACKAGES), world.url(path)], name)


def table(results):
    columns = list(dict.fromkeys(r['client'] for r in results))
    cells = {(r['case'], r['client']): 'as it should' if r['right'] else 'WRONG' for r in results}
    width = max(map(len, columns)) + 2
    print(f'{"":22}' + ''.join(f'{column:>{width}}' for column in columns))
    for case in dict.fromkeys(r['case'] for r in results):
        print(f'{case:22}' + ''.join(f'{cells.get((case, column), "-"):>{width}}' for column in columns))


def scenarios(url, revision, folder):
    """The suite's checks: passed and failed, by scenario."""
    out = tempfile.mkdtemp(dir=folder)
    subprocess.run([NODE, SUITE, 'server', '--url', url, '--requirements', revision, '-o', out, '--timeout', '30000'],
                   capture_output=True, timeout=PATIENCE * 10)
    counts = collections.defaultdict(collections.Counter)
    for file in glob.glob(f'{out}/server-*/checks.json'):
        # The folder is named `server-<scenario>-<time>`.
        name = re.sub(r'-\d{4}-\d\d-\d\dT.*', '', os.path.basename(os.path.dirname(file)).removeprefix('server-'))
        for check in json.load(open(file)):
            counts[name][check['status']] += 1
    return counts


def conformance(world):
    """Each scenario against the server alone and through the gateway, by the ways through it; true when none is lost."""
    good, rows = True, []
    passes = lambda counts: counts['SUCCESS'] > 0 and counts['FAILURE'] == 0  # noqa: E731
    for revision in REVISIONS:
        alone = scenarios(f'http://127.0.0.1:{world.ports["python"]}/mcp', revision, world.folder)
        through = {way: scenarios(world.url(path), revision, world.folder) for way, path in WAYS.items()}
        crossed = scenarios(world.url(CROSSED[revision]), revision, world.folder)
        good &= bool(alone)
        for name in sorted(alone):
            sides = [side[name] for side in through.values()]
            # Some checks only remark (that a list came whole, where the server alone sends a stream of one event): that is no loss.
            well = lambda side: passes(side) and side['SUCCESS'] + side['INFO'] >= alone[name]['SUCCESS']  # noqa: B023, E731
            lost = passes(alone[name]) and not (all(map(well, sides)) and (passes(crossed[name]) or name in MAY_LOSE[revision]))
            good &= not lost
            rows.append((revision, name, [alone[name], *sides, crossed[name]], 'LOST' if lost else ''))
        counts = [f'{sum(map(passes, side.values()))} {way}' for way, side in [('alone', alone), *through.items(), ('between the eras', crossed)]]
        print(f'{revision}: {len(alone)} scenarios; pass: {", ".join(counts)}')
    print(f'through the gateway with: {ON}')
    print(f'{"":12}{"scenario":48}' + ''.join(f'{way:>10}' for way in ['alone', *WAYS, 'eras']) + '  (checks passed/failed)')
    for revision, name, sides, lost in rows:
        print(f'{revision:12}{name:48}' + ''.join(f'{side["SUCCESS"]}/{side["FAILURE"]}'.rjust(10) for side in sides) + f'  {lost}')
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--bin', required=True)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix='mcp-')
    world = World(os.path.abspath(options.bin), folder)
    try:
        results = list(clients(world))
        table(results)
        tools = list(apis(world))
        table(tools)
        canaries = list(guarded(world))
        table(canaries)
        good = bool(canaries) and all(r['right'] for r in results + tools + canaries)
        if os.path.exists(NODE) and os.path.exists(SUITE):
            good &= conformance(world)
        else:
            print('no Node.js 22 with the conformance suite below `.ci/mcp`: it is left out')
        log = open(f'{folder}/access.log').read()
        told = [json.loads(line) for line in log.splitlines()]
        calls = [line['McpCall'] for line in told if 'McpCall' in line]
        denied, judged = ([call for call in calls if call.get(what)] for what in ('deniedBy', 'coverage'))
        print(f'{len(told)} requests in the access log, {len(calls)} told as messages, {len(denied)} denied, {len(judged)} judged')
        good &= bool(denied) and bool(judged)
    finally:
        world.end()
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(0 if good else 1)


if __name__ == '__main__':
    main()
