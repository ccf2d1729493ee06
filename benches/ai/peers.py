"""What is compared: how it is started, what it wants to be told, what it used so far."""
import base64
import hashlib
import os
import subprocess
import sys
import time
import urllib.request

from harness import places
from harness.peers import PIN_PROXY, process_clock, stop, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
CONF = os.path.join(HERE, 'conf')
PORTKEY = os.path.join(HERE, 'node_modules', '@portkey-ai', 'gateway', 'build', 'start-server.js')
LITELLM = os.path.join(HERE, 'venv', 'bin', 'litellm')
PIN_LOAD = ['taskset', '-c', places.LOAD_CPU]
KEY = 'sk-bench-0123456789'
NAMES = ('bare', 'chat', 'guarded', 'portkey', 'litellm')


def available(gateway):
    """The names of those that can run here."""
    there = {'portkey': PORTKEY, 'litellm': LITELLM}
    return [name for name in NAMES if os.path.exists(there.get(name, gateway))]


def fill(template, out=None, **values):
    """A file of this folder's `conf/` with `@name@` replaced, as text or as the file `out` of the run."""
    if out is None:
        return places.filled(template, CONF, **values)
    return places.fill(template, os.path.join(places.RUN, out), CONF, **values)


class Model:
    """The model server behind all peers, on the load's CPU."""

    def __init__(self, gateway):
        self.port = places.free_port()
        self.process = subprocess.Popen([*PIN_LOAD, gateway, 'sample', 'model', '--listen', f'127.0.0.1:{self.port}'],
                                        stdout=subprocess.DEVNULL)
        wait_for(self.port)

    def served(self):
        """How many calls it had since it was asked last."""
        request = urllib.request.Request(f'http://127.0.0.1:{self.port}/calls', method='DELETE')
        with urllib.request.urlopen(request) as answer:
            return int(answer.read().split(b':')[1].rstrip(b'}'))

    def stop(self):
        stop(self.process)


class Peer:
    def __init__(self, name, model, gateway):
        self.name, self.port, self.environment, self.sink = name, places.free_port(), {}, None
        self.headers = [f'Authorization: Bearer {KEY}']
        if name == 'portkey':
            self.arguments = ['node', PORTKEY, '--headless', f'--port={self.port}']
            self.environment = {'TRUSTED_CUSTOM_HOSTS': '127.0.0.1', 'NODE_ENV': 'production'}
            self.headers += ['x-portkey-provider: openai', f'x-portkey-custom-host: http://127.0.0.1:{model.port}/v1']
        elif name == 'litellm':
            config = fill('litellm.yml', 'litellm.yml', model=model.port, key=KEY)
            self.arguments = [LITELLM, '--config', config, '--host', '127.0.0.1', '--port', str(self.port), '--num_workers', '1']
            self.environment = {'LITELLM_LOCAL_MODEL_COST_MAP': 'True', 'LITELLM_LOG': 'ERROR', 'DISABLE_ADMIN_UI': 'True'}
        else:
            self.arguments = [gateway, f'--configFile={self.configure(model)}']
            self.environment = {'TRILITHON_WORKERS': '1'}

    def configure(self, model):
        more = ''
        if self.name != 'bare':
            collector = places.free_port()
            self.sink = [*PIN_LOAD, sys.executable, places.COLLECTOR, str(collector)]
            more = fill('governed.yml', collector=collector, peer=self.name)
        digest = base64.b64encode(hashlib.sha1(KEY.encode()).digest()).decode()
        fill(f'{self.name}.routing.yml', f'{self.name}.routing.yml', model=model.port, hash=digest)
        return fill('gateway.yml', f'{self.name}.yml', port=self.port, admin=places.free_port(), peer=self.name, more=more)

    def start(self):
        if self.sink:
            self.sink = subprocess.Popen(self.sink)
        log = open(f'{places.RUN}/{self.name}.log', 'w')
        self.process = subprocess.Popen([*PIN_PROXY, *self.arguments], env={**os.environ, **self.environment}, stdout=log,
                                        stderr=subprocess.STDOUT, cwd=places.RUN)
        self.wait()

    def wait(self):
        """Until it listens. LiteLLM takes half a minute to begin, and more on a machine that does other work."""
        deadline = time.monotonic() + 240
        while not wait_for(self.port, 1):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f'{self.name} did not come up: ' + open(f'{places.RUN}/{self.name}.log').read()[-500:])

    def ask(self, body):
        """One call, which must succeed; the first may take long where things are loaded when they are needed."""
        headers = dict(line.split(': ', 1) for line in [*self.headers, 'Content-Type: application/json'])
        request = urllib.request.Request(f'http://127.0.0.1:{self.port}/v1/chat/completions', body, headers)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.read()

    def cpu_seconds(self):
        """User and system time of the whole tree of processes, from each one's own CPU clock."""
        return sum(cpu(pid) for pid in tree(self.process.pid))

    def stop(self):
        stop(self.process)
        if self.sink:
            stop(self.sink)


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
