"""As much of WebSocket (RFC 6455) as an echo takes: messages of one frame."""
import base64
import hashlib
import struct

TEXT, CLOSE = 1, 8
MASK = b'soak'


def accept(key):
    return base64.b64encode(hashlib.sha1((key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').encode()).digest()).decode()


def masked(data):
    repeated = MASK * (len(data) // 4 + 1)
    return (int.from_bytes(data, 'big') ^ int.from_bytes(repeated[:len(data)], 'big')).to_bytes(len(data), 'big')


def frame(opcode, data, mask=False):
    bit = 0x80 if mask else 0
    if len(data) < 126:
        head = struct.pack('!BB', 0x80 | opcode, bit | len(data))
    else:
        head = struct.pack('!BBH', 0x80 | opcode, bit | 126, len(data))
    return head + (MASK + masked(data) if mask else data)


async def receive(reader):
    first, second = await reader.readexactly(2)
    length = second & 0x7F
    if length == 126:
        length = int.from_bytes(await reader.readexactly(2), 'big')
    mask = await reader.readexactly(4) if second & 0x80 else b''
    data = await reader.readexactly(length)
    return first & 0x0F, masked(data) if mask else data
