"""Where things are, and what must be there before anything runs: tools, certificate, ports."""
import os
import random
import shutil
import socket
import subprocess

BENCHES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(BENCHES)
COLLECTOR = os.path.join(BENCHES, 'harness', 'collector.py')
CONF = os.path.join(BENCHES, 'conf')
# Logs go to memory where that is possible: a disk that other work keeps busy is not what is measured.
RUN = f'/dev/shm/trilithon-bench-{os.getuid()}' if os.access('/dev/shm', os.W_OK) else os.path.join(BENCHES, 'run.d')
RESULTS = os.path.join(BENCHES, 'results')
TOOLS = os.path.join(BENCHES, 'tools', 'target', 'release')
GATEWAY = os.path.join(ROOT, 'target', 'release', 'trilithon')

PROXY_CPU, LOAD_CPU = '0', '1'


def tool(name):
    return os.path.join(TOOLS, name)


def prepare():
    """Builds the tools and makes a fresh run folder with a P-256 certificate."""
    subprocess.run(['cargo', 'build', '--release', '--quiet'], cwd=os.path.join(BENCHES, 'tools'), check=True)
    shutil.rmtree(RUN, ignore_errors=True)
    os.makedirs(RUN)
    os.makedirs(RESULTS, exist_ok=True)
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30',
                    '-subj', '/CN=bench.example.com', '-addext', 'subjectAltName=DNS:bench.example.com',
                    '-keyout', f'{RUN}/cert.key', '-out', f'{RUN}/cert.crt'], check=True, capture_output=True)
    with open(f'{RUN}/cert.pem', 'w') as both:
        both.write(open(f'{RUN}/cert.crt').read() + open(f'{RUN}/cert.key').read())


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


def filled(template, folder=CONF, **values):
    """The text of a template with `@name@` replaced."""
    text = open(os.path.join(folder, template)).read()
    for name, value in {'RUN': RUN, **values}.items():
        text = text.replace(f'@{name}@', str(value))
    return text


def fill(template, out, folder=CONF, **values):
    """Writes a template with `@name@` replaced to the file `out`."""
    with open(out, 'w') as file:
        file.write(filled(template, folder, **values))
    return out
