"""The load: clients that run side by side until told to end, each of which knows what it must be answered."""
import asyncio
import os
import random
import zlib

import configuration
import http1
import http2
import websocket

BODIES = {size: os.urandom(size) for size in (10, 3_000, 40_000, 300_000, 1 << 20)}
SUMS = {size: f'{size} {zlib.crc32(body)}'.encode() for size, body in BODIES.items()}
PAUSE = 0.03


class Load:
    def __init__(self, tally, ports, tls, tls_h2):
        self.tally, self.ports, self.tls, self.tls_h2 = tally, ports, tls, tls_h2
        self.allowed = self.limited = 0
        self.first_allowed = None

    def clients(self):
        """All continuous clients, as coroutines."""
        web, secure = self.ports['web'], self.ports['websecure']
        each = [self.keep_alive('h1', web, None) for _ in range(5)] + [self.keep_alive('h1 tls', secure, self.tls)]
        each += [self.fresh('h1 new', web, None), self.fresh('h1 tls new', secure, self.tls)]
        each += [self.multiplexed('h2c', web, None), self.multiplexed('h2c', web, None), self.multiplexed('h2', secure, self.tls_h2)]
        each += [self.talking(web, None, '/moving/ws') for _ in range(3)] + [self.talking(secure, self.tls, '/steady/ws')]
        each += [self.listening(web, path) for path in ('/moving/events/0/100', '/growing/events/0/70', '/steady/events/0/50')]
        each += [self.faithful(f'/{name}/who', name) for name in ('sticky', 'growing') for _ in range(3)]
        return each + [*(self.greedy() for _ in range(4)), self.holding(), self.broken()]

    def closed_idle(self, connection):
        """Whether a connection that gave no answer may have ended: never, before the gateway is told to end."""
        return self.tally.ending and connection.used > 0

    def check(self, kind, answer, right):
        self.tally.expect(kind, answer.status == 200 and right, f'{answer.status} {answer.fields} {answer.body[:60]}')

    def servers(self):
        """Who may answer: the ill one until its health is known."""
        return (b'a', b'b', b'c') if self.tally.now() > configuration.KNOWN else (b'a', b'b', b'c', b'sick')

    async def one(self, kind, ask, some):
        """Some request, and whether its answer is right. `ask` is an HTTP/1 or HTTP/2 connection's."""
        path = some.choice(['/moving', '/moving', '/growing', '/steady', '/checked', '/checking', '/fleeting'])
        size = some.choices(list(BODIES), [8, 8, 4, 2, 1])[0]
        match some.randint(0, 5):
            case 0 | 1:
                known = self.servers()
                answer = await ask('GET', f'{path}/who')
                self.check(kind, answer, answer.body in known)
            case 2:
                answer = await ask('GET', f'{path}/{some.choice(["bytes", "chunks"])}/{size}')
                self.check(kind, answer, len(answer.body) == size)
            case 3:
                answer = await ask('GET', f'{path}/slow/{some.randint(1, 400)}')
                self.check(kind, answer, answer.body == b'late')
            case _:
                answer = await ask('POST', f'{path}/sum', body=BODIES[size])
                self.check(kind, answer, answer.body == SUMS[size])

    async def keep_alive(self, kind, port, tls):
        """One connection for all requests; one that ends unasked is a failure."""
        some = random.Random()
        connection = http1.Connection(port, tls)

        async def ask(method, path, fields=(), body=None):
            return await connection.ask(method, path, fields, body, chunked=body is not None and some.random() < 0.5)

        while not self.tally.over:
            try:
                if connection.writer is None:
                    await connection.open()
                await self.one(kind, ask, some)
                if not connection.said_close:
                    await asyncio.sleep(PAUSE)
                    continue
                if not self.tally.ending:
                    self.tally.fail(kind, '`Connection: close` unasked')
            except http1.Closed:
                if not self.closed_idle(connection):
                    self.tally.fail(kind, f'closed after {connection.used} requests')
            except ConnectionRefusedError as error:
                if self.tally.ending:
                    return
                self.tally.fail(kind, error)
            except Exception as error:
                self.tally.fail(kind, error)
            connection.close()
            connection = http1.Connection(port, tls)
            await asyncio.sleep(PAUSE)
        connection.close()

    async def fresh(self, kind, port, tls):
        """A connection for each request."""
        while not self.tally.over:
            try:
                answer = await http1.once(port, '/moving/who', tls)
                self.check(kind, answer, answer.body in (b'a', b'b', b'c'))
            except (ConnectionRefusedError, ConnectionResetError, http1.Closed) as error:
                # A connection that nobody accepted before the doors closed.
                if self.tally.ending:
                    return
                self.tally.fail(kind, error)
            except Exception as error:
                self.tally.fail(kind, error)
            await asyncio.sleep(PAUSE * 3)

    async def multiplexed(self, kind, port, tls):
        """Four streams at a time on one connection, and one of events for as long as it lives."""
        while not self.tally.over:
            try:
                connection = await http2.Connection(port, tls).open()
            except ConnectionRefusedError as error:
                if self.tally.ending:
                    return
                self.tally.fail(kind, error)
                await asyncio.sleep(PAUSE)
                continue
            await asyncio.gather(self.events_h2(kind, connection), *(self.stream(kind, connection) for _ in range(4)))
            connection.close()
            if self.tally.ending:
                return

    async def stream(self, kind, connection):
        some = random.Random()
        while not self.tally.over:
            try:
                await self.one(kind, lambda m, p, body=b'': connection.ask(m, p, body=body), some)
            except http2.Refused:
                if not self.tally.ending:
                    self.tally.fail(kind, 'GOAWAY unasked')
                return
            except Exception as error:
                self.tally.fail(kind, error)
                if connection.ended:
                    return
            await asyncio.sleep(PAUSE)

    async def events_h2(self, kind, connection):
        try:
            _, stream = await connection.begin('GET', '/moving/events/0/100')
            rest, number = b'', 0
            while not self.tally.over:
                rest += await asyncio.wait_for(connection.piece(stream), http1.TIMEOUT)
                *whole, rest = rest.split(b'\n\n')
                for event in whole:
                    number += 1
                    self.tally.expect(f'{kind} event', event == b'data: %d' % number, f'event {event}, not {number}')
        except Exception as error:
            if not self.tally.over:
                self.tally.fail(f'{kind} event', error)

    async def talking(self, port, tls, path):
        """A WebSocket for the whole run, each message echoed."""
        kind, some = 'websocket', random.Random()
        connection = http1.Connection(port, tls)
        try:
            await connection.open()
            await connection.send('GET', path, {'Connection': 'Upgrade', 'Upgrade': 'websocket', 'Sec-WebSocket-Version': 13,
                                                'Sec-WebSocket-Key': 'c29ha3NvYWtzb2Frc29hawo='})
            answer = await connection.head()
            if answer.status != 101:
                return self.tally.fail(kind, answer.status)
            while not self.tally.over:
                message = BODIES[40_000][:some.choice([5, 500, 20_000])]
                connection.writer.write(websocket.frame(websocket.TEXT, message, mask=True))
                _, back = await asyncio.wait_for(websocket.receive(connection.reader), http1.TIMEOUT)
                self.tally.expect(kind, back == message, f'{len(back)} other bytes for {len(message)}')
                await asyncio.sleep(0.1)
        except Exception as error:
            if not self.tally.over:
                self.tally.fail(kind, error)
        finally:
            connection.close()

    async def listening(self, port, path):
        """Server-sent events for the whole run, none missing."""
        kind, number = 'sse', 0
        connection = http1.Connection(port)
        try:
            await connection.open()
            await connection.send('GET', path, {'Accept': 'text/event-stream'})
            answer = await connection.head()
            if answer.status != 200:
                return self.tally.fail(kind, answer.status)
            rest = b''
            while not self.tally.over:
                rest += await asyncio.wait_for(connection.chunk(), http1.TIMEOUT)
                *whole, rest = rest.split(b'\n\n')
                for event in whole:
                    number += 1
                    self.tally.expect(kind, event == b'data: %d' % number, f'event {event}, not {number}')
        except Exception as error:
            if not self.tally.over:
                self.tally.fail(kind, error)
        finally:
            connection.close()

    async def faithful(self, path, cookie):
        """Whoever has a cookie comes to the same server; where servers come and go, while it is there."""
        kind = f'sticky {cookie}'
        home = jar = None
        while not self.tally.ending:
            try:
                answer = await http1.once(self.ports['web'], path, fields={'Cookie': jar} if jar else ())
                given = answer.fields.get('set-cookie', '').split(';')[0]
                if jar is None:
                    self.check(kind, answer, given)
                    # A cookie for a server that will be taken away proves nothing.
                    home, jar = answer.body, None if (cookie, answer.body) == ('growing', b'c') else given
                else:
                    self.check(kind, answer, answer.body == home and not given)
            except Exception as error:
                if not self.tally.ending:
                    self.tally.fail(kind, error)
            await asyncio.sleep(PAUSE * 2)

    async def greedy(self):
        """Asks for more than the limit allows, all the time. What came through must never be more than one bucket's."""
        connection = await http1.Connection(self.ports['web']).open()
        loop = asyncio.get_running_loop()
        while not self.tally.ending:
            try:
                begun = loop.time()
                answer = await connection.ask('GET', '/limited/who')
                self.first_allowed = self.first_allowed or begun
                if answer.status == 200:
                    self.allowed += 1
                    most = configuration.BURST + configuration.RATE * (loop.time() - self.first_allowed) + 1
                    self.tally.expect('rate limit', self.allowed <= most, f'{self.allowed} let through, at most {most:.1f} in one bucket')
                else:
                    self.limited += 1
                    self.tally.expect('rate limit', answer.status == 429, answer.status)
            except Exception as error:
                if not self.tally.ending:
                    self.tally.fail('rate limit', error)
                connection = await http1.Connection(self.ports['web']).open()
            await asyncio.sleep(0.01)
        connection.close()

    async def holding(self):
        """Takes every place of the in-flight limit for the whole run; nobody else may come in."""
        kind = 'in flight'
        holders = []
        for _ in range(configuration.IN_FLIGHT):
            connection = await http1.Connection(self.ports['web']).open()
            await connection.send('GET', '/held/events/0/500')
            self.tally.expect(kind, (await connection.head()).status == 200, 'a place was taken by nobody')
            holders.append(connection)
        await asyncio.gather(self.refused(kind), *(self.hold(kind, connection) for connection in holders))

    async def hold(self, kind, connection):
        try:
            while not self.tally.ending:
                await asyncio.wait_for(connection.chunk(), http1.TIMEOUT)
        except Exception as error:
            if not self.tally.ending:
                self.tally.fail(kind, error)
        connection.close()

    async def refused(self, kind):
        while not self.tally.ending:
            try:
                answer = await http1.once(self.ports['web'], '/held/who')
                self.tally.expect(kind, answer.status == 429, f'{answer.status} though all places are taken')
            except Exception as error:
                if not self.tally.ending:
                    self.tally.fail(kind, error)
            await asyncio.sleep(PAUSE)

    async def broken(self):
        """A breaker that has tripped stays open: nobody reaches what is broken."""
        kind, open_since = 'breaker', None
        while not self.tally.ending:
            try:
                answer = await http1.once(self.ports['web'], '/breaking/broken')
                if open_since is None and answer.status == 503:
                    open_since = self.tally.now()
                if open_since is not None or self.tally.now() > 5:
                    self.tally.expect(kind, answer.status == 503, f'{answer.status}, open since {open_since}')
            except Exception as error:
                if not self.tally.ending:
                    self.tally.fail(kind, error)
            await asyncio.sleep(0.05)
