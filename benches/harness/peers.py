"""A peer is a proxy under measurement: how it is started, where it listens, what it used so far."""
import os
import shutil
import socket
import subprocess
import sys
import time

from . import credential, places

PIN_PROXY = ['taskset', '-c', places.PROXY_CPU]
OTHER_ROUTERS = 100


class Backend:
    """The upstream of all peers, on the load's CPU."""

    def __init__(self, pinned=True):
        self.port = places.free_port()
        pin = ['taskset', '-c', places.LOAD_CPU] if pinned else []
        self.process = subprocess.Popen([*pin, places.tool('backend'), f'127.0.0.1:{self.port}'])
        wait_for(self.port)

    def served(self):
        """(requests, events, connections) so far."""
        with socket.create_connection(('127.0.0.1', self.port)) as s:
            s.sendall(b'GET /stats HTTP/1.1\r\nHost: x\r\n\r\n')
            return tuple(int(n) for n in s.recv(4096).split(b'\r\n\r\n')[1].split())

    def stop(self):
        stop(self.process)


class Peer:
    """One proxy. `doors` maps `plain`, `tls` and `h2c` to ports; a door it does not have is missing."""

    def __init__(self, name, backend, binary=None):
        self.name, self.process, self.collector, self.sink = name, None, None, None
        # Sent as `Authorization`: a token for whoever looks at it, and as long as one for the others.
        self.token = None
        ports = {door: places.free_port() for door in ('plain', 'tls', 'h2c', 'admin')}
        self.doors = {door: ports[door] for door in ('plain', 'tls', 'h2c')}
        self.environment = {}
        values = {**ports, 'backend': backend.port, 'peer': name}
        run = places.RUN
        if name == 'relay':
            self.doors = {'plain': ports['plain']}
            self.arguments = [places.tool('relay'), f'127.0.0.1:{ports["plain"]}', f'127.0.0.1:{backend.port}']
        elif name == 'direct':
            self.doors, self.arguments = {'plain': backend.port}, None
        elif name == 'nginx':
            self.arguments = ['nginx', '-c', places.fill('nginx.conf', f'{run}/nginx.conf', **values)]
        elif name == 'haproxy':
            self.arguments = ['haproxy', '-db', '-f', places.fill('haproxy.cfg', f'{run}/haproxy.cfg', **values)]
        else:
            self.doors['h2c'] = self.doors['plain']
            kind = name if name in ('governed', 'jwt') else 'gateway'
            if kind != 'gateway':
                values['KEY'], self.token = credential.make()
                values['KEY'] = values['KEY'].strip().replace('\n', '\\n')
            if kind == 'governed':
                values['collector'] = self.collector = places.free_port()
            values['OTHERS'] = ''.join(f'    other{n}: {{rule: Host(`app{n}.example.com`) && PathPrefix(`/v{n}`), service: backend}}\n'
                                       for n in range(OTHER_ROUTERS))
            places.fill(f'{kind}.routing.yml', f'{run}/{name}.routing.yml', **values)
            install = places.fill('governed.yml' if kind == 'governed' else 'gateway.yml', f'{run}/{name}.yml', **values)
            self.arguments = [os.path.abspath(binary), f'--configFile={install}']
            self.environment = {'GOMAXPROCS': '1'} if name == 'traefik' else {'TRILITHON_WORKERS': '1', 'STATE_DIRECTORY': f'{run}/{name}.state'}

    def start(self, wrapper=PIN_PROXY):
        if self.arguments is None:
            return
        log = open(f'{places.RUN}/{self.name}.log', 'w')
        if self.collector:
            self.sink = subprocess.Popen(['taskset', '-c', places.LOAD_CPU, sys.executable, places.COLLECTOR, str(self.collector)])
        self.process = subprocess.Popen([*wrapper, *self.arguments], env={**os.environ, **self.environment}, stdout=log,
                                        stderr=subprocess.STDOUT, cwd=places.RUN)
        if not all([wait_for(port) for port in self.doors.values()]) or not self.answers():
            raise RuntimeError(f'{self.name} did not come up: ' + open(f'{places.RUN}/{self.name}.log').read()[-500:])

    def answers(self):
        """Waits until a request comes back with 200."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                with socket.create_connection(('127.0.0.1', self.doors['plain']), 5) as s:
                    s.settimeout(5)
                    token = f'Authorization: Bearer {self.token}\r\n' if self.token else ''
                    s.sendall(f'GET / HTTP/1.1\r\nHost: bench.example.com\r\n{token}Connection: close\r\n\r\n'.encode())
                    if s.recv(4096).startswith(b'HTTP/1.1 200'):
                        return True
            except OSError:
                pass
            time.sleep(0.05)
        return False

    def stop(self, patience=5):
        if self.process:
            stop(self.process, patience)
            self.process = None
        if self.collector and self.sink:
            stop(self.sink)
            self.sink = None

    def processes(self):
        """The process and its children (nginx has a master and a worker)."""
        if not self.process:
            return []
        pid = self.process.pid
        try:
            children = open(f'/proc/{pid}/task/{pid}/children').read().split()
        except OSError:
            children = []
        return [pid, *map(int, children)]

    def cpu_seconds(self):
        """User and system time of all threads, from each process's own CPU clock (nanoseconds, not ticks)."""
        return sum(time.clock_gettime(process_clock(pid)) for pid in self.processes())

    def memory_kib(self):
        """Proportional set size: what would be free again without it."""
        return sum(int(line.split()[1]) for pid in self.processes() for line in open(f'/proc/{pid}/smaps_rollup')
                   if line.startswith('Pss:'))


def process_clock(pid):
    """The clock id of another process's CPU time: Linux's CPUCLOCK_SCHED of a pid."""
    return (~pid << 3) | 2


def wait_for(port, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection(('127.0.0.1', port), 1).close()
            return True
        except OSError:
            time.sleep(0.02)
    return False


def stop(process, patience=5):
    process.terminate()
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def available(traefik=None, trilithon=None):
    """{name: binary or None} of what can be measured here."""
    peers = {'relay': None}
    peers |= {name: None for name in ('nginx', 'haproxy') if shutil.which(name)}
    if traefik:
        peers['traefik'] = traefik
    if os.path.exists(trilithon or places.GATEWAY):
        peers['trilithon'] = peers['jwt'] = peers['governed'] = trilithon or places.GATEWAY
    return peers
