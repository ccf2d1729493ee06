#!/usr/bin/env python3
"""Tokens of other people's libraries before a gateway: `joserfc` (Python) and `jose` (JavaScript) make keys and sign, the gateway
is given the public keys as a set behind a URL, as a file, and one by one in PEM, and must take what is right and refuse what is not.

    compat/jose/run.py --bin target/debug/trilithon

Needs the Python package `joserfc`. Without Node.js or its package `jose` (below `.ci/jose`) that half is left out."""
import argparse
import base64
import http.client
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))
from world import free_port  # noqa: E402
from joserfc import jwt  # noqa: E402
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey  # noqa: E402

PATIENCE = 30
CURVES = {'ES256': 'P-256', 'ES384': 'P-384', 'ES512': 'P-521', 'ES256K': 'secp256k1'}


def from_python():
    """One key and one token of each algorithm, as sign.mjs prints them."""
    made = []
    for alg in ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', *CURVES, 'EdDSA', 'Ed25519', 'HS256', 'HS384', 'HS512']:
        kid = f'python-{alg}'
        options = {'kid': kid, 'alg': alg, 'use': 'sig'}
        if alg[:2] in ('RS', 'PS'):
            key = RSAKey.generate_key(2048, options)
        elif alg in CURVES:
            key = ECKey.generate_key(CURVES[alg], options)
        elif alg[:2] == 'HS':
            key = OctKey.generate_key(int(alg[2:]), options)
        else:
            key = OKPKey.generate_key('Ed25519', options)
        claims = {'sub': 'ann', 'iss': 'python', 'aud': 'shop', 'exp': int(time.time()) + 3600, 'groups': ['dev']}
        token = jwt.encode({'alg': alg, 'kid': kid}, claims, key, algorithms=[alg])
        secret = alg[:2] == 'HS'
        pem = None if secret else key.as_pem(private=False).decode()
        made.append({'alg': alg, 'kid': kid, 'token': token, 'jwk': key.as_dict(private=secret), 'pem': pem})
    return made


def from_node():
    if not shutil.which('node') or not os.path.isdir(f'{ROOT}/.ci/jose/node_modules/jose'):
        print('no Node.js with `jose`: that half is left out')
        return []
    # A module looks for its packages beside itself.
    script = shutil.copy(f'{HERE}/sign.mjs', f'{ROOT}/.ci/jose/sign.mjs')
    done = subprocess.run(['node', script], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


class Quiet(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *_):
        pass

    def answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Issuer:
    """Serves a set of keys."""

    def __init__(self, keys):
        self.keys, self.asked = keys, 0
        outer = self

        class Handler(Quiet):
            def do_GET(self):
                outer.asked += 1
                self.answer(200, json.dumps({'keys': outer.keys}).encode(), Content_Type='application/jwk-set+json', Cache_Control='max-age=300')
        self.server = serve(Handler)
        self.port = self.server.server_port


class Backend:
    """Answers with what headers it saw."""

    def __init__(self):
        class Handler(Quiet):
            def do_GET(self):
                self.answer(200, json.dumps(dict(self.headers.items())).encode())
        self.server = serve(Handler)
        self.port = self.server.server_port


def serve(handler):
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def ask(port, path, token):
    """-> (status, headers that the backend saw)"""
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=PATIENCE)
    connection.request('GET', path, headers={'Authorization': f'Bearer {token}', 'Host': 'a.test', 'X-User': 'root'})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, json.loads(body) if answer.status == 200 else {}


def segment(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b'=').decode()


def spoilt(one, others):
    """Tokens that are nearly right: (what, token)."""
    head, claims, signature = one['token'].split('.')
    turned = ('A' if signature[4] != 'A' else 'B')
    yield 'a changed signature', f'{head}.{claims}.{signature[:4]}{turned}{signature[5:]}'
    yield 'other claims', f'{head}.{segment({"sub": "root"})}.{signature}'
    yield 'no signature', f'{head}.{claims}.'
    yield 'no algorithm', f'{segment({"alg": "none", "kid": one["kid"]})}.{claims}.{signature}'
    for alg in sorted({other['alg'] for other in others} - {one['alg']}):
        yield f'as {alg}', f'{segment({"alg": alg, "kid": one["kid"]})}.{claims}.{signature}'
    for other in others:
        if other['alg'] == one['alg'] and other is not one:
            yield 'the name of another key', f'{segment({"alg": one["alg"], "kid": other["kid"]})}.{claims}.{signature}'


def routing(made, backend, issuer, folder):
    """A router and a middleware for each way to give keys. YAML is a superset of JSON."""
    options = {'forwardHeaders': {'X-User': 'sub', 'X-Groups': 'groups'}, 'audience': ['shop'], 'requiredClaims': ['exp']}
    middlewares = {
        'url': {'plugin': {'jwt': {'jwksUrl': f'http://127.0.0.1:{issuer.port}/keys', **options}}},
        'file': {'jwt': {'jwksFile': f'{folder}/keys.json', **options}},
    }
    for one in made:
        if one['pem']:
            middlewares[one['kid'].lower()] = {'jwt': {'publicKey': one['pem'], **options}}
        else:
            secret = one['jwk']['k'].replace('-', '+').replace('_', '/')
            secret += '=' * (-len(secret) % 4)
            middlewares[one['kid'].lower()] = {'jwt': {'signingSecret': secret, 'signingSecretBase64Encoded': True, **options}}
    routers = {name: {'rule': f'Path(`/{name}`)', 'service': 'b', 'middlewares': [name]} for name in middlewares}
    routers['open'] = {'rule': 'Path(`/open`)', 'service': 'b'}
    services = {'b': {'loadBalancer': {'servers': [{'url': f'http://127.0.0.1:{backend.port}'}]}}}
    return {'http': {'routers': routers, 'middlewares': middlewares, 'services': services}}


def check(port, made):
    """-> what is wrong, one line each; and how much was asked"""
    wrong, count = [], 0

    def expect(what, path, token, want):
        nonlocal count
        count += 1
        status, seen = ask(port, path, token)
        if status != want:
            wrong.append(f'{path} {what}: {status}, not {want}')
        elif status == 200 and (seen.get('X-User'), seen.get('X-Groups')) != ('ann', '["dev"]'):
            wrong.append(f'{path} {what}: the server saw {seen}')

    for one in made:
        # A secret that is published is none; one in a file is fine.
        expect(one['kid'], '/url', one['token'], 200 if one['pem'] else 401)
    for one in made:
        expect(one['kid'], '/file', one['token'], 200)
        own = f'/{one["kid"].lower()}'
        expect(one['kid'], own, one['token'], 200)
        for what, token in spoilt(one, made):
            expect(f'{one["kid"]}, {what}', '/file', token, 401)
            # A key without a name is tried with every token, so the name does not matter there.
            if what != 'the name of another key':
                expect(f'{one["kid"]}, {what}', own, token, 401)
    return wrong, count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--bin', required=True)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix='compat-jose-')
    made = from_python() + from_node()
    keys = [one['jwk'] for one in made]
    backend, issuer = Backend(), Issuer(keys)
    json.dump({'keys': keys}, open(f'{folder}/keys.json', 'w'))
    json.dump(routing(made, backend, issuer, folder), open(f'{folder}/routing.yml', 'w'))
    port = free_port()
    install = {'entryPoints': {'web': {'address': f'127.0.0.1:{port}'}}, 'providers': {'file': {'filename': f'{folder}/routing.yml'}}}
    json.dump(install, open(f'{folder}/install.yml', 'w'))
    with open(f'{folder}/out.log', 'wb') as log:
        gateway = subprocess.Popen([os.path.abspath(options.bin), f'--configFile={folder}/install.yml'], stdout=log, stderr=log, cwd=folder)
    try:
        wait_for(port, folder)
        wrong, count = check(port, made)
        if issuer.asked > 2:
            wrong.append(f'the issuer was asked {issuer.asked} times')
    finally:
        gateway.terminate()
        gateway.wait()
        shutil.rmtree(folder, ignore_errors=True)
    print('\n'.join(wrong[:40]))
    print(f'{len(made)} keys, {count} requests, {len(wrong)} wrong')
    sys.exit(bool(wrong))


def wait_for(port, folder):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if ask(port, '/open', 'x')[0] == 200:
                return
        except (OSError, ValueError):
            pass
        time.sleep(0.05)
    sys.exit('never ready: ' + open(f'{folder}/out.log').read()[-800:])


if __name__ == '__main__':
    main()
