"""CPU per request, measured so that the comparison is fair: all peers up at once, rounds interleaved, the order reversed each
round, the median taken."""
import statistics
import time

from . import loads


def measure(workload, peer, backend, seconds, rate):
    served, cpu, start = backend.served(), peer.cpu_seconds(), time.monotonic()
    said = loads.run(workload, peer, seconds, rate)
    wall, cpu = time.monotonic() - start, peer.cpu_seconds() - cpu
    counter = 1 if loads.WORKLOADS[workload][4] == 'event' else 0
    work = backend.served()[counter] - served[counter]
    return {'cpu_us': cpu * 1e6 / max(work, 1), 'rate': work / wall, 'busy': cpu / wall, **said}


def compare(workload, peers, backend, rounds, seconds, rate):
    """{peer: {column: (median, lowest, highest)}} and the errors seen."""
    door = loads.WORKLOADS[workload][0]
    # The paced client of `lat` has no token to show.
    peers = [peer for peer in peers if door in peer.doors and not (workload == 'lat' and peer.token)]
    for peer in peers:
        measure(workload, peer, backend, 1, rate)
    samples = {peer.name: [] for peer in peers}
    for number in range(rounds):
        for peer in peers if number % 2 == 0 else peers[::-1]:
            samples[peer.name].append(measure(workload, peer, backend, seconds, rate))
    return {name: summary(rows) for name, rows in samples.items()}


def summary(rows):
    result = {}
    for column in ('cpu_us', 'rate', 'busy', 'p50', 'p99', 'p999'):
        values = [row[column] for row in rows if column in row]
        if values:
            result[column] = [round(v, 2) for v in (statistics.median(values), min(values), max(values))]
    errors = [row['error'] for row in rows if 'error' in row] + [f'{row["errors"]} errors' for row in rows if row.get('errors')]
    if errors:
        result['error'] = errors[0]
    return result
