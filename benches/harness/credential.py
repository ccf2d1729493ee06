"""The ES256 key of the peers `jwt` and `governed` and a token signed with it, made with openssl as an issuer would."""
import base64
import json
import subprocess
import time

from . import places


def make():
    """(public key as PEM, token). Each run has its own."""
    key = f'{places.RUN}/issuer.key'
    subprocess.run(['openssl', 'ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key], check=True)
    public = subprocess.run(['openssl', 'ec', '-in', key, '-pubout'], check=True, capture_output=True, text=True).stdout
    claims = {'iss': 'https://issuer.example.com', 'sub': 'bench', 'azp': 'bench-app', 'groups': ['staff', 'readers'],
              'iat': int(time.time()), 'exp': int(time.time()) + 86400}
    signed = '.'.join(part(json.dumps(piece).encode()) for piece in ({'alg': 'ES256', 'typ': 'JWT'}, claims))
    der = subprocess.run(['openssl', 'dgst', '-sha256', '-sign', key], input=signed.encode(), check=True, capture_output=True).stdout
    return public, f'{signed}.{part(raw(der))}'


def part(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


def raw(der):
    """A DER signature (SEQUENCE of two INTEGERs) as JOSE wants it: both numbers, 32 bytes each."""
    numbers, rest = [], der[2:]
    while rest:
        length = rest[1]
        numbers.append(int.from_bytes(rest[2:2 + length], 'big').to_bytes(32, 'big'))
        rest = rest[2 + length:]
    return b''.join(numbers)
