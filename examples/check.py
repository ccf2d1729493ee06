#!/usr/bin/env python3
"""Runs every example's README: the second command must print what stands below it. Ports are replaced by free ones.

    examples/check.py --bin target/debug/trilithon [names…]"""
import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'compat'))
from world import free_port  # noqa: E402

PORT = re.compile(r'(?<=:)(80\d\d|84\d\d|90\d\d)\b')
STEPS = re.compile(r'```sh\n(.*?)```.*?```sh\n(.*?)```.*?```text\n(.*?)```', re.DOTALL)
PATIENCE = 15


def copy(name, folder):
    """The example with its ports replaced; -> (readme, port of the front door)"""
    ports = {}
    for file in os.listdir(os.path.join(HERE, name)):
        if os.path.isfile(os.path.join(HERE, name, file)):
            text = open(os.path.join(HERE, name, file)).read()
            text = PORT.sub(lambda match: str(ports.setdefault(match[1], free_port())), text)
            open(os.path.join(folder, file), 'w').write(text)
    return open(os.path.join(folder, 'README.md')).read(), [port for shown, port in ports.items() if shown[0] == '8']


def wait_for(port):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            return socket.create_connection(('127.0.0.1', port), 1).close()
        except OSError:
            time.sleep(0.05)


def says(command, folder, wanted, binary):
    """What the command prints; asked again until it is as wanted, for servers are not all up at once."""
    deadline = time.monotonic() + PATIENCE
    path = {**os.environ, 'PATH': f'{os.path.dirname(binary)}:{os.environ["PATH"]}'}
    while True:
        done = subprocess.run(['bash', '-c', command], cwd=folder, capture_output=True, text=True, env=path)
        if done.stdout == wanted or time.monotonic() > deadline:
            return done.stdout
        time.sleep(0.2)


def check(name, binary):
    folder = tempfile.mkdtemp(prefix=f'example-{name}-')
    readme, doors = copy(name, folder)
    _, command, wanted = STEPS.search(readme).groups()
    with open(f'{folder}/out.log', 'wb') as log:
        process = subprocess.Popen([sys.executable, f'{HERE}/start', folder, '--bin', binary], stdout=log, stderr=log, start_new_session=True)
    try:
        for port in doors:
            wait_for(port)
        got = says(command, folder, wanted, binary)
        if got != wanted:
            print(f'DIFFERS {name}: want\n{wanted}got\n{got}{open(f"{folder}/out.log").read()[-600:]}')
        return got == wanted
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--bin', required=True)
    parser.add_argument('names', nargs='*')
    options = parser.parse_args()
    names = options.names or sorted(n for n in os.listdir(HERE) if os.path.exists(os.path.join(HERE, n, 'README.md')))
    passed = [name for name in names if check(name, os.path.abspath(options.bin))]
    print(f'{len(passed)} of {len(names)} examples do what they say')
    sys.exit(len(passed) != len(names))


if __name__ == '__main__':
    main()
