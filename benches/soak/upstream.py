#!/usr/bin/env python3
"""A server behind the gateway: answers that can be checked, streams, an echo of WebSocket messages. Never the one that closes.

    upstream.py NAME    prints its port, then serves until its input ends"""
import asyncio
import json
import sys
import zlib

import websocket

NAME = sys.argv[1] if len(sys.argv) > 1 else 'a'
SICK = NAME == 'sick'
asked = {}


async def body_of(reader, fields):
    """Length and checksum of a request's body."""
    if fields.get('transfer-encoding') == 'chunked':
        length, crc = 0, 0
        while size := int((await reader.readline()).split(b';')[0], 16):
            crc = zlib.crc32(await reader.readexactly(size), crc)
            length += size
            await reader.readexactly(2)
        await reader.readline()
        return length, crc
    length = int(fields.get('content-length', 0))
    return length, zlib.crc32(await reader.readexactly(length))


def head(status, fields):
    lines = [f'HTTP/1.1 {status} Whatever', f'X-Server: {NAME}', *(f'{k}: {v}' for k, v in fields.items())]
    return ('\r\n'.join(lines) + '\r\n\r\n').encode()


def answer(writer, text, status=200):
    data = text if isinstance(text, bytes) else text.encode()
    writer.write(head(status, {'Content-Length': len(data)}) + data)


def chunk(data):
    return b'%x\r\n%s\r\n' % (len(data), data)


async def events(writer, count, every):
    """Numbered events, `every` milliseconds; without end when `count` is 0."""
    writer.write(head(200, {'Content-Type': 'text/event-stream', 'Transfer-Encoding': 'chunked'}))
    number = 0
    while not count or number < count:
        number += 1
        writer.write(chunk(b'data: %d\n\n' % number))
        await writer.drain()
        await asyncio.sleep(every / 1000)
    writer.write(b'0\r\n\r\n')


async def echo(reader, writer, fields):
    writer.write(head(101, {'Upgrade': 'websocket', 'Connection': 'Upgrade',
                            'Sec-WebSocket-Accept': websocket.accept(fields['sec-websocket-key'])}))
    while True:
        opcode, message = await websocket.receive(reader)
        writer.write(websocket.frame(opcode, message))
        if opcode == websocket.CLOSE:
            return
        await writer.drain()


async def serve_one(reader, writer, method, target, fields):
    """One exchange; false when the connection has become something else."""
    parts = target.strip('/').split('/')[1:] or ['who']
    what, numbers = parts[0], [int(p) for p in parts[1:] if p.isdigit()]
    asked[what] = asked.get(what, 0) + 1
    if what == 'ws':
        await echo(reader, writer, fields)
        return False
    length, crc = await body_of(reader, fields)
    if what == 'sum':
        answer(writer, f'{length} {crc}')
    elif what == 'bytes':
        answer(writer, b'x' * numbers[0])
    elif what == 'chunks':
        writer.write(head(200, {'Transfer-Encoding': 'chunked'}))
        left = numbers[0]
        while left:
            piece = min(left, 10_000)
            writer.write(chunk(b'x' * piece))
            left -= piece
        writer.write(b'0\r\n\r\n')
    elif what == 'slow':
        await asyncio.sleep(numbers[0] / 1000)
        answer(writer, 'late')
    elif what == 'events':
        await events(writer, *numbers)
    elif what == 'check':
        answer(writer, 'ill' if SICK else 'well', 503 if SICK else 200)
    elif what == 'broken':
        answer(writer, 'broken', 500)
    elif what == 'asked':
        answer(writer, json.dumps(asked))
    else:
        answer(writer, NAME)
    return True


async def serve(reader, writer):
    try:
        while True:
            first, *lines = (await reader.readuntil(b'\r\n\r\n')).decode('latin-1').rstrip().split('\r\n')
            method, target, _ = first.split(' ')
            fields = {k.lower(): v.strip() for k, v in (line.split(':', 1) for line in lines)}
            if not await serve_one(reader, writer, method, target, fields):
                break
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, '0.0.0.0', 0, limit=1 << 18, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == '__main__':
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
