"""An HTTP/2 client on one connection: several streams, GOAWAY noticed, windows kept open."""
import asyncio

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from http1 import TIMEOUT, Answer


GOAWAY = 7


class Refused(Exception):
    """The connection takes no new streams (GOAWAY), or the stream was not begun before that."""


class Stream:
    def __init__(self):
        self.status, self.fields, self.pieces = None, {}, asyncio.Queue()
        self.window = asyncio.Event()


class Connection:
    def __init__(self, port, tls=None):
        self.port, self.tls = port, tls
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding='utf-8'))
        self.streams = {}
        self.goaway = self.ended = False
        self.pump = None

    async def open(self):
        self.reader, self.writer = await asyncio.open_connection(
            '127.0.0.1', self.port, ssl=self.tls, server_hostname='soak.test' if self.tls else None)
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(1 << 24)
        self.flush()
        self.pump = asyncio.create_task(self.run())
        return self

    def close(self):
        if self.pump:
            self.pump.cancel()
            self.writer.close()

    def flush(self):
        self.writer.write(self.h2.data_to_send())

    async def run(self):
        error = ConnectionError('the connection ended in the middle of a stream')
        try:
            while True:
                head = await self.reader.readexactly(9)
                frame = await self.reader.readexactly(int.from_bytes(head[:3], 'big'))
                if head[3] == GOAWAY:
                    # Not for the library, which takes nothing more after it; the streams under way go on.
                    self.say_goodbye(int.from_bytes(frame[:4], 'big'))
                    continue
                for event in self.h2.receive_data(head + frame):
                    self.take(event)
                self.flush()
        except asyncio.IncompleteReadError:
            pass
        except (ConnectionError, h2.exceptions.ProtocolError) as why:
            error = why
        self.ended = True
        for stream in self.streams.values():
            stream.pieces.put_nowait(error)
            stream.window.set()
        self.writer.close()

    def say_goodbye(self, last_stream):
        self.goaway = True
        for number, stream in self.streams.items():
            if number > last_stream:
                stream.pieces.put_nowait(Refused())

    def take(self, event):
        stream = self.streams.get(getattr(event, 'stream_id', None))
        if isinstance(event, h2.events.WindowUpdated):
            for waiting in [stream] if stream else self.streams.values():
                waiting.window.set()
        elif stream is None:
            pass
        elif isinstance(event, h2.events.ResponseReceived):
            stream.fields = dict(event.headers)
            stream.status = int(stream.fields[':status'])
        elif isinstance(event, h2.events.DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            stream.pieces.put_nowait(event.data)
        elif isinstance(event, h2.events.StreamEnded):
            stream.pieces.put_nowait(b'')
        elif isinstance(event, h2.events.StreamReset):
            refused = event.error_code == h2.errors.ErrorCodes.REFUSED_STREAM
            stream.pieces.put_nowait(Refused() if refused else ConnectionError(f'the stream was reset: {event.error_code}'))

    async def begin(self, method, path, fields=(), body=b''):
        if self.goaway or self.ended:
            raise Refused()
        number = self.h2.get_next_available_stream_id()
        stream = self.streams[number] = Stream()
        head = [(':method', method), (':scheme', 'https' if self.tls else 'http'), (':authority', 'soak.test'), (':path', path)]
        self.h2.send_headers(number, head + list(dict(fields).items()), end_stream=not body)
        self.flush()
        try:
            while body:
                room = min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size, len(body))
                if room == 0:
                    stream.window.clear()
                    await stream.window.wait()
                    if self.ended:
                        break
                    continue
                self.h2.send_data(number, body[:room], end_stream=room == len(body))
                body = body[room:]
                self.flush()
                await self.writer.drain()
        except (h2.exceptions.StreamClosedError, ConnectionError):
            # Answered or reset before the body was over: what came says it.
            pass
        return number, stream

    async def piece(self, stream):
        piece = await stream.pieces.get()
        if isinstance(piece, Exception):
            raise piece
        return piece

    async def ask(self, method, path, fields=(), body=b''):
        async def exchange():
            number, stream = await self.begin(method, path, fields, body)
            try:
                pieces = []
                while piece := await self.piece(stream):
                    pieces.append(piece)
                return Answer(stream.status, stream.fields, b''.join(pieces))
            finally:
                del self.streams[number]
        return await asyncio.wait_for(exchange(), TIMEOUT)
