"""User instructions per request under callgrind: the difference of a long and a short run, so that starting costs nothing. The
one figure here that other work on the machine cannot blur: use it to find regressions."""
import glob
import os
import subprocess

from . import loads, places

SHORT, LONG = 500, 2500
WORKLOADS = ('get', 'tls', 'h2c')


def measure(workload, peer):
    """Instructions per request, or a text that says why there are none."""
    totals = [total(workload, peer, count) for count in (SHORT, LONG)]
    return round((totals[1] - totals[0]) / (LONG - SHORT))


def total(workload, peer, count):
    pattern = f'{places.RUN}/callgrind.{peer.name}.{workload}.{count}.'
    for old in glob.glob(pattern + '*'):
        os.remove(old)
    peer.start(['valgrind', '--quiet', '--tool=callgrind', '--trace-children=yes', f'--callgrind-out-file={pattern}%p'])
    try:
        command = [*loads.h2load(workload, peer), '-c8', '-n', str(count), *(['-m8'] if workload == 'h2c' else ['--h1'])]
        done = subprocess.run(command, capture_output=True, text=True)
        if ' 0 failed' not in done.stdout:
            raise RuntimeError((done.stdout + done.stderr)[-300:])
    finally:
        peer.stop(patience=30)
    return sum(summed(file) for file in glob.glob(pattern + '*'))


def summed(file):
    for line in open(file, errors='replace'):
        if line.startswith(('totals:', 'summary:')):
            return int(line.split()[1])
    return 0
