"""An HTTP/1.1 client that counts what others forgive: a connection that closes unasked, a body that is cut."""
import asyncio

TIMEOUT = 15


class Closed(Exception):
    """The connection ended before the first byte of an answer."""


class Answer:
    def __init__(self, status, fields, body=b''):
        self.status, self.fields, self.body = status, fields, body


class Connection:
    def __init__(self, port, tls=None):
        self.port, self.tls = port, tls
        self.reader = self.writer = None
        self.used = 0
        self.said_close = False

    async def open(self):
        self.reader, self.writer = await asyncio.open_connection(
            '127.0.0.1', self.port, ssl=self.tls, server_hostname='soak.test' if self.tls else None, limit=1 << 20)
        return self

    def close(self):
        if self.writer:
            self.writer.close()

    async def send(self, method, path, fields=(), body=None, chunked=False):
        lines = [f'{method} {path} HTTP/1.1', 'Host: soak.test', *(f'{k}: {v}' for k, v in dict(fields).items())]
        if chunked:
            lines.append('Transfer-Encoding: chunked')
        elif body is not None:
            lines.append(f'Content-Length: {len(body)}')
        self.writer.write(('\r\n'.join(lines) + '\r\n\r\n').encode())
        if chunked:
            for at in range(0, len(body), 40_000):
                piece = body[at:at + 40_000]
                self.writer.write(b'%x\r\n%s\r\n' % (len(piece), piece))
                await self.writer.drain()
            self.writer.write(b'0\r\n\r\n')
        elif body:
            self.writer.write(body)
        await self.writer.drain()

    async def head(self):
        while True:
            try:
                text = await self.reader.readuntil(b'\r\n\r\n')
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                raise (error if getattr(error, 'partial', b'') else Closed()) from None
            first, *lines = text.decode('latin-1').rstrip().split('\r\n')
            status = int(first.split(' ')[1])
            fields = {k.lower(): v.strip() for k, v in (line.split(':', 1) for line in lines)}
            if status >= 200 or status == 101:
                self.said_close = fields.get('connection', '').lower() == 'close'
                return Answer(status, fields)

    async def chunk(self):
        """The next chunk of a chunked body; empty at its end."""
        size = int((await self.reader.readuntil(b'\r\n')).split(b';')[0], 16)
        data = await self.reader.readexactly(size)
        await self.reader.readexactly(2)
        return data

    async def receive(self):
        answer = await self.head()
        if answer.fields.get('transfer-encoding') == 'chunked':
            pieces = []
            while piece := await self.chunk():
                pieces.append(piece)
            answer.body = b''.join(pieces)
        else:
            answer.body = await self.reader.readexactly(int(answer.fields.get('content-length', 0)))
        return answer

    async def ask(self, method, path, fields=(), body=None, chunked=False):
        async def exchange():
            try:
                await self.send(method, path, fields, body, chunked)
            except ConnectionError:
                # What was answered before the end may still stand to be read.
                pass
            return await self.receive()
        answer = await asyncio.wait_for(exchange(), TIMEOUT)
        self.used += 1
        return answer


async def once(port, path, tls=None, fields=()):
    """One request on a connection of its own."""
    connection = Connection(port, tls)
    try:
        await asyncio.wait_for(connection.open(), TIMEOUT)
        return await connection.ask('GET', path, fields)
    finally:
        connection.close()
