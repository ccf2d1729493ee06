#!/usr/bin/env python3
"""Verifies one proof of `trilithon audit prove` offline, with nothing but Python: verify_proof.py PROOF.json [PUBLIC-KEY]"""
import base64
import hashlib
import json
import sys

# Ed25519 (RFC 8032, section 5.1): the field, the curve's constant, the order of the base point.
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def point(data):
    y, sign = int.from_bytes(data, 'little') & (1 << 255) - 1, data[31] >> 7
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    assert y < P and (x * x - square) % P == 0 and (x or not sign), 'no point of the curve'
    return (P - x if x & 1 != sign else x), y


def add(a, b):
    cross = D * a[0] * b[0] * a[1] * b[1] % P
    return ((a[0] * b[1] + b[0] * a[1]) * pow(1 + cross, P - 2, P) % P, (a[1] * b[1] + a[0] * b[0]) * pow(1 - cross, P - 2, P) % P)


def times(number, base):
    total = (0, 1)
    for bit in f'{number:b}':
        total = add(total, total)
        total = add(total, base) if bit == '1' else total
    return total


def signed(key, text, signature):
    s = int.from_bytes(signature[32:], 'little')
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + key + text).digest(), 'little') % L
    base = point((4 * pow(5, P - 2, P) % P).to_bytes(32, 'little'))
    return len(signature) == 64 and s < L and times(s, base) == add(point(signature[:32]), times(challenge, point(key)))


proof = json.load(open(sys.argv[1]))
key = base64.b64decode(sys.argv[2] if len(sys.argv) > 2 else proof['publicKey'])
text, signature = proof['checkpoint'].split('\n\n')
origin, size, root = text.split('\n')
mark, name, encoded = signature.strip().split(' ')
key_id = hashlib.sha256(name.encode() + b'\n\x01' + key).digest()[:4]
assert name == origin and base64.b64decode(encoded)[:4] == key_id, 'signed by another key'
assert signed(key, text.encode() + b'\n', base64.b64decode(encoded)[4:]), 'the checkpoint is not what was signed'
at, last, digest = proof['index'], int(size) - 1, hashlib.sha256(b'\0' + proof['entry'].encode()).digest()
assert 0 <= at <= last, 'the index is beyond the checkpoint'
for beside in map(base64.b64decode, proof['hashes']):
    right = at & 1 == 0 and at != last
    digest = hashlib.sha256(b'\1' + (digest + beside if right else beside + digest)).digest()
    while not right and at and at & 1 == 0:
        at, last = at >> 1, last >> 1
    at, last = at >> 1, last >> 1
assert last == 0 and digest == base64.b64decode(root), 'the entry is not in the tree that was signed'
print(f'entry {proof["index"]} is among the {size} entries of {origin}')
