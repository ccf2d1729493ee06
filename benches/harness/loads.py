"""What is asked of a proxy: each workload is a door, a command, and what counts as one unit of work."""
import json
import re
import subprocess

from . import places

HEADERS = ['Host: bench.example.com', 'User-Agent: Mozilla/5.0 (X11; Linux x86_64) bench/1.0', 'Accept: application/json, text/plain, */*',
           'Accept-Encoding: gzip, deflate, br', 'Accept-Language: en-US,en;q=0.9']
PIN_LOAD = ['taskset', '-c', places.LOAD_CPU]

# name: (door, connections, path, more headers, unit, what it is)
WORKLOADS = {
    'get': ('plain', 64, '/', [], 'request', 'GET 1 KiB, keep-alive, saturated'),
    'lat': ('plain', 64, '/', [], 'request', 'GET 1 KiB at a fixed rate, latency from the intended send time'),
    'tls': ('tls', 64, '/', [], 'request', 'GET 1 KiB over TLS 1.3, keep-alive, saturated'),
    'hs': ('tls', 32, '/', ['Connection: close'], 'request', 'full TLS handshake and GET 1 KiB'),
    'h2c': ('h2c', 8, '/', [], 'request', 'GET 1 KiB over clear HTTP/2, 8 connections with 16 streams'),
    'sse': ('plain', 64, '/sse', [], 'event', '64 event streams, one event each 5 ms'),
    '1m': ('plain', 16, '/1m', [], 'request', 'GET 1 MiB'),
    'tls1m': ('tls', 16, '/1m', [], 'request', 'GET 1 MiB over TLS 1.3'),
}


def headers(lines, peer):
    token = peer.token or 'abcdefghijklmnopqrstuvwxyz0123456789'
    return [word for line in [*lines, f'Authorization: Bearer {token}'] for word in ('-H', line)]


def h2load(workload, peer):
    """The client that speaks HTTP/2, and the only one that stops after a number of requests. It takes Host from the URL."""
    door, _, path, _, _, _ = WORKLOADS[workload]
    port = peer.doors[door]
    url = f'{"https" if door == "tls" else "http"}://bench.example.com:{port}{path}'
    return ['h2load', f'--connect-to=127.0.0.1:{port}', *headers(HEADERS[1:], peer), url]


def run(workload, peer, seconds, rate):
    """Offers the load; returns what the client says of it: errors and, for `lat`, microseconds."""
    door, connections, path, more, _, _ = WORKLOADS[workload]
    port = peer.doors[door]
    url = f'{"https" if door == "tls" else "http"}://127.0.0.1:{port}{path}'
    if workload == 'lat':
        command = [places.tool('paced'), f'127.0.0.1:{port}', str(connections), str(rate), str(seconds)]
    elif workload == 'h2c':
        command = [*h2load(workload, peer), '-t1', f'-c{connections}', '-m16', '-D', str(seconds)]
    else:
        command = ['wrk', '-t1', f'-c{connections}', f'-d{seconds}s', '--timeout', '30s', *headers(HEADERS + more, peer), url]
    done = subprocess.run([*PIN_LOAD, *command], capture_output=True, text=True)
    return parse(workload, done)


def parse(workload, done):
    text = done.stdout + done.stderr
    if done.returncode:
        return {'error': text.strip()[-200:]}
    if workload == 'lat':
        return json.loads(done.stdout)
    # wrk calls each answer with `Connection: close` after which the server closes no error.
    problem = re.search(r'Non-2xx.*|Socket errors: connect [1-9].*|[1-9]\d* failed.*', text)
    return {'error': problem[0]} if problem else {}
