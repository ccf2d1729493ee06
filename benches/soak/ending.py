"""SIGTERM under load, step by step: what is served, what ends, what is cut, and when."""
import asyncio
import signal

import http1
import http2
from configuration import ACCEPT_GRACE, ENDING_STATUS, GRACE

#: How late a step may be seen on a busy machine.
SLACK = 3


class Ending:
    def __init__(self, gateway, tally, ports, expected):
        self.gateway, self.tally, self.ports = gateway, tally, ports
        #: When the process must have ended, in seconds from the signal.
        self.expected = expected

    def now(self):
        return asyncio.get_running_loop().time() - self.start

    def expect(self, kind, true, why):
        self.tally.expect(f'ending: {kind}', true, f'{self.now():.2f}s after the signal: {why}')

    async def until(self, moment):
        await asyncio.sleep(max(0, self.start + moment - asyncio.get_running_loop().time()))

    async def run(self, *more):
        """Sends the signal and looks on; `more` are further steps. Gives the seconds until the end."""
        web = self.ports['web']
        idle = await http1.Connection(web).open()
        await idle.ask('GET', '/steady/who')
        silent = await http1.Connection(web).open()
        idle_h2 = await http2.Connection(web).open()
        await idle_h2.ask('GET', '/steady/who')
        answer = await http1.once(web, '/ping')
        self.start = asyncio.get_running_loop().time()
        self.expect('ping before', answer.status == 200, answer.status)
        self.tally.ending = True
        self.gateway.process.send_signal(signal.SIGTERM)
        steps = [self.doors(), self.under_way(web), self.closed('idle connection', idle), self.closed('silent connection', silent),
                 self.goaway(idle_h2), self.exit()]
        *_, seconds = await asyncio.gather(*more, *steps)
        for connection in (idle, silent, idle_h2):
            connection.close()
        return seconds

    async def doors(self):
        """Open, with a ping that warns, until the accept grace is over; then nobody is there."""
        web = self.ports['web']
        await self.until(0.3)
        while self.now() < ACCEPT_GRACE - 0.4:
            try:
                ping, other = await http1.once(web, '/ping'), await http1.once(web, '/steady/who')
                self.expect('ping warns', ping.status == ENDING_STATUS, ping.status)
                self.expect('still served', other.status == 200, other.status)
            except Exception as error:
                self.expect('still served', False, repr(error))
            await asyncio.sleep(0.1)
        await self.until(ACCEPT_GRACE + 0.7)
        while self.now() < self.expected - 0.3:
            try:
                await http1.once(web, '/steady/who')
                self.expect('doors closed', False, 'a new connection was served')
            except (ConnectionRefusedError, ConnectionResetError):
                self.expect('doors closed', True, '')
            await asyncio.sleep(0.2)

    async def under_way(self, web):
        """What began in time ends as it should, whatever carries it."""
        await self.until(ACCEPT_GRACE - 0.7)
        stream = await http2.Connection(web).open()
        plain, body, many = [await http1.Connection(web).open() for _ in range(3)]

        async def check(kind, asked, wanted):
            try:
                answer = await asked
                self.expect(kind, answer.status == 200 and wanted in answer.body, f'{answer.status} {answer.body[:80]}')
                return answer
            except Exception as error:
                self.expect(kind, False, repr(error))

        async def slowly():
            """A request whose body is still on its way when the doors close."""
            body.writer.write(b'POST /steady/sum HTTP/1.1\r\nHost: soak.test\r\nContent-Length: 20\r\n\r\n')
            for _ in range(20):
                body.writer.write(b'x')
                await body.writer.drain()
                await asyncio.sleep(0.1)
            return await body.receive()

        answer, *_ = await asyncio.gather(
            check('request under way ends', plain.ask('GET', '/steady/slow/2000'), b'late'),
            check('stream under way ends', stream.ask('GET', '/steady/slow/2000'), b'late'),
            check('upload under way ends', slowly(), b'20 '),
            check('events under way end', many.ask('GET', '/steady/events/20/100'), b'data: 20\n'))
        if answer:
            self.expect('last answer says close', answer.fields.get('connection', '').lower() == 'close', answer.fields)
        for connection in (stream, plain, body, many):
            connection.close()

    async def closed(self, kind, connection):
        """Stays until the accept grace is over, then ends soon."""
        data = await connection.reader.read(1)
        self.expect(f'{kind} closed', not data and ACCEPT_GRACE - 0.1 < self.now() < ACCEPT_GRACE + SLACK, data)

    async def goaway(self, connection):
        await connection.pump
        self.expect('idle HTTP/2: GOAWAY, then closed', connection.goaway and ACCEPT_GRACE - 0.1 < self.now() < ACCEPT_GRACE + SLACK,
                    f'GOAWAY {connection.goaway}')

    async def cut(self, kind, connection):
        """A connection that never ends by itself: cut when the grace time is over, not before."""
        while await connection.reader.read(1 << 16):
            pass
        self.expect(f'{kind} cut', -0.2 < self.now() - ACCEPT_GRACE - GRACE < SLACK, '')

    async def exit(self):
        while self.gateway.process.poll() is None:
            await asyncio.sleep(0.02)
            if self.now() > self.expected + 10:
                self.expect('end', False, 'it does not end')
                self.gateway.stop()
        seconds = self.now()
        self.expect('exit code 0', self.gateway.process.returncode == 0, self.gateway.process.returncode)
        self.expect('end in time', -0.2 < seconds - self.expected < SLACK, f'{seconds:.2f}s, not {self.expected}s')
        return seconds
