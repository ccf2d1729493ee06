"""What measurements of calls share, of models and of tools: the sample behind all peers, and a peer that is called with a key."""
import base64
import hashlib
import os
import subprocess
import sys
import time

from . import places
from .peers import PIN_PROXY, process_clock, stop, wait_for

PIN_LOAD = ['taskset', '-c', places.LOAD_CPU]
KEY = 'sk-bench-0123456789'
# As `apiKey` has it.
KEY_HASH = base64.b64encode(hashlib.sha1(KEY.encode()).digest()).decode()


class Sample:
    """A sample of the gateway behind all peers, on the load's CPU."""

    def __init__(self, gateway, kind):
        self.port = places.free_port()
        command = [gateway, 'sample', kind, '--listen', f'127.0.0.1:{self.port}']
        self.process = subprocess.Popen([*PIN_LOAD, *command], stdout=subprocess.DEVNULL)
        wait_for(self.port)

    def stop(self):
        stop(self.process)


class Peer:
    """A proxy of calls, one process or a tree of them. Its templates are in the folder `conf`; without `arguments` there is nothing to start."""

    # Some load a lot before they listen, and take longer on a machine that does other work.
    patience = 240

    def __init__(self, name, conf):
        self.name, self.conf, self.port = name, conf, places.free_port()
        self.headers = [f'Authorization: Bearer {KEY}']
        self.arguments, self.environment = None, {}
        self.process = self.sink = self.collector = None

    def fill(self, template, out=None, **values):
        """A template with `@name@` replaced, as text or as the file `out` of the run."""
        if out is None:
            return places.filled(template, self.conf, **values)
        return places.fill(template, os.path.join(places.RUN, out), self.conf, **values)

    def governed(self, **values):
        """What the install configuration has more where calls are governed: they are told to a collector."""
        self.collector = places.free_port()
        return self.fill('governed.yml', collector=self.collector, **values)

    def serve(self, gateway, more=''):
        """The peer is the gateway, with the routing configuration that was filled in."""
        values = {'port': self.port, 'admin': places.free_port(), 'peer': self.name, 'more': more}
        self.arguments = [gateway, f'--configFile={self.fill("gateway.yml", f"{self.name}.yml", **values)}']
        self.environment = {'TRILITHON_WORKERS': '1'}

    def start(self):
        """Starts it, and waits until it listens."""
        if not self.arguments:
            return
        if self.collector:
            self.sink = subprocess.Popen([*PIN_LOAD, sys.executable, places.COLLECTOR, str(self.collector)])
        log = open(f'{places.RUN}/{self.name}.log', 'w')
        self.process = subprocess.Popen([*PIN_PROXY, *self.arguments], env={**os.environ, **self.environment}, stdout=log,
                                        stderr=subprocess.STDOUT, cwd=places.RUN)
        deadline = time.monotonic() + self.patience
        while not wait_for(self.port, 1):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f'{self.name} did not come up: ' + open(f'{places.RUN}/{self.name}.log').read()[-500:])

    def cpu_seconds(self):
        """User and system time of the whole tree of processes, from each one's own CPU clock."""
        return sum(cpu(pid) for pid in tree(self.process.pid)) if self.process else 0.0

    def stop(self):
        for process in (self.process, self.sink):
            if process:
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
