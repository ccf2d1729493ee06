"""What an idle keep-alive connection costs: one request on each, then silence."""
import subprocess
import time

from . import places

COUNTS = (1000, 9000)
SETTLE = 2.0


def measure(peer):
    """{count: KiB per connection} and the base in MiB; each count with a fresh process."""
    result = {}
    for count in COUNTS:
        peer.start()
        time.sleep(SETTLE / 2)
        before = peer.memory_kib()
        client = subprocess.Popen([places.tool('paced'), f'127.0.0.1:{peer.doors["plain"]}', str(count), 'hold'], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            if client.stdout.readline().strip() != 'ready':
                result['error'] = client.stderr.read().strip()[-200:]
                continue
            time.sleep(SETTLE)
            result['base_mib'] = round(before / 1024, 1)
            result[f'kib_per_conn_{count}'] = round((peer.memory_kib() - before) / count, 2)
            busy = peer.cpu_seconds()
            time.sleep(1)
            result[f'idle_cpu_ms_per_s_{count}'] = round((peer.cpu_seconds() - busy) * 1000, 2)
        finally:
            client.kill()
            client.wait()
            peer.stop()
    return result
