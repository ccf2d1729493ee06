"""The processes: servers behind the gateway, the gateway, and what the system says of it."""
import asyncio
import os
import socket
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def free_port():
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        return taken.getsockname()[1]


class Upstreams:
    """Servers by name; each a process."""

    def __init__(self, names):
        self.running = [subprocess.Popen([sys.executable, f'{HERE}/upstream.py', name], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for name in names]
        self.ports = {name: int(process.stdout.readline()) for name, process in zip(names, self.running)}

    def stop(self):
        for process in self.running:
            process.kill()
            process.wait()


def certificate(folder):
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
                    '-subj', '/CN=soak.test', '-addext', 'subjectAltName=DNS:soak.test', '-keyout', f'{folder}/edge.key',
                    '-out', f'{folder}/edge.crt'], check=True, capture_output=True)


class Gateway:
    def __init__(self, binary, folder):
        self.folder = folder
        with open(f'{folder}/gateway.log', 'wb') as log:
            self.process = subprocess.Popen([binary, f'--configFile={folder}/install.yml'], stdout=log, stderr=log, cwd=folder,
                                            env={**os.environ, 'STATE_DIRECTORY': f'{folder}/state'})

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def log(self):
        with open(f'{self.folder}/gateway.log') as log:
            return log.read()

    def sample(self):
        """KiB of memory, descriptors, threads."""
        at = f'/proc/{self.process.pid}'
        with open(f'{at}/status') as status:
            said = dict(line.split(':', 1) for line in status)
        return int(said['VmRSS'].split()[0]), len(os.listdir(f'{at}/fd')), int(said['Threads'])


class Watch:
    """Samples of the gateway, one a second."""

    def __init__(self, gateway):
        self.gateway, self.samples = gateway, []

    async def run(self):
        while True:
            self.samples.append(self.gateway.sample())
            await asyncio.sleep(1)

    def compared(self):
        """For memory, descriptors and threads: the medians of each quarter."""
        length = len(self.samples)
        quarters = [self.samples[length * n // 4:length * (n + 1) // 4] for n in range(4)]
        return list(zip(*([statistics.median(column) for column in zip(*part)] for part in quarters)))
