#!/usr/bin/env python3
"""Runs h2spec against a TLS and a clear-text entry point of a gateway that forwards to a backend.

    compat/h2spec.py --bin target/debug/trilithon"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from client import ask  # noqa: E402
from run import until  # noqa: E402
from world import Backend, Certificates, free_port  # noqa: E402

INSTALL = '''
entryPoints:
  web: {{address: "127.0.0.1:{web}"}}
  websecure: {{address: "127.0.0.1:{websecure}", http: {{tls: {{}}}}}}
providers:
  file: {{filename: "{folder}/routing.yml"}}
'''
ROUTING = '''
tls:
  certificates: [{{certFile: "{certs}/edge.crt", keyFile: "{certs}/edge.key"}}]
  stores: {{default: {{defaultCertificate: {{certFile: "{certs}/edge.crt", keyFile: "{certs}/edge.key"}}}}}}
http:
  routers: {{all: {{rule: PathPrefix(`/`), service: all}}}}
  services: {{all: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{backend}"}}]}}}}}}
'''


def check(name, port, arguments):
    """True when every case passes."""
    done = subprocess.run(['h2spec', '-h', '127.0.0.1', '-p', str(port), '-o', '5', *arguments], capture_output=True, text=True)
    tests = re.search(r'(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed', done.stdout)
    print(f'{name}: {tests[0] if tests else done.stdout[-300:] + done.stderr[-300:]}')
    if not tests or tests[4] != '0':
        print(done.stdout[done.stdout.find('Failures:'):])
        return False
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--bin', required=True)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix='compat-h2spec-')
    certificates = Certificates(folder)
    backend = Backend('b1', certificates)
    ports = {'web': free_port(), 'websecure': free_port()}
    open(f'{folder}/install.yml', 'w').write(INSTALL.format(folder=folder, **ports))
    open(f'{folder}/routing.yml', 'w').write(ROUTING.format(certs=folder, backend=backend.port))
    with open(f'{folder}/out.log', 'wb') as log:
        gateway = subprocess.Popen([os.path.abspath(options.bin), f'--configFile={folder}/install.yml'], stdout=log, stderr=log, cwd=folder,
                                   env={**os.environ, 'STATE_DIRECTORY': f'{folder}/state'})
    try:
        if not until(lambda: ask({'host': 'x'}, ports['web'], certificates).status == 200):
            sys.exit('never ready: ' + open(f'{folder}/out.log').read()[-800:])
        passed = [check('clear text', ports['web'], []), check('TLS', ports['websecure'], ['-t', '-k'])]
    finally:
        gateway.kill()
        gateway.wait()
        backend.stop()
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(not all(passed))


if __name__ == '__main__':
    main()
