"""The results as a table people read and a file programs read."""
import datetime
import json
import os
import platform
import subprocess

from . import loads, places


def machine():
    model = next((line.split(':')[1].strip() for line in open('/proc/cpuinfo') if line.startswith('model name')), 'unknown')
    return f'{os.cpu_count()} x {model}, Linux {platform.release()}, load average {os.getloadavg()[0]:.1f} at the end'


def versions(peers):
    """{peer: its version line}; never fails."""
    commands = {'nginx': ['nginx', '-v'], 'haproxy': ['haproxy', '-v']}
    commands |= {name: [binary, 'version'] for name, binary in peers.items() if binary}
    found = {}
    for name, command in commands.items():
        if name in peers:
            done = subprocess.run(command, capture_output=True, text=True)
            found[name] = (done.stdout + done.stderr).strip().splitlines()[0] if done.stdout + done.stderr else 'unknown'
    return found


def markdown(results):
    lines = ['# Benchmark results', '', f'{results["when"]}. {results["machine"]}.', '']
    lines += [f'- {name}: {version}' for name, version in results['versions'].items()] + ['']
    for workload, rows in results['workloads'].items():
        unit, title = loads.WORKLOADS[workload][4:]
        rate = f', {results["rate"]}/s' if workload == 'lat' else ''
        lines += [f'## {workload}: {title}{rate}', '', f'| | CPU us/{unit} [min-max] | {unit}s/s | busy | p50 us | p99 us | |', '|---|---|---|---|---|---|---|']
        lines += [row(name, columns) for name, columns in rows.items()] + ['']
    if results['idle']:
        lines += ['## Idle keep-alive connections', '', '| | base MiB | KiB/conn at 1,000 | at 9,000 | idle CPU ms/s at 9,000 | |', '|---|---|---|---|---|---|']
        keys = ('base_mib', 'kib_per_conn_1000', 'kib_per_conn_9000', 'idle_cpu_ms_per_s_9000', 'error')
        lines += [f'| {name} | ' + ' | '.join(str(v.get(k, '')) for k in keys) + ' |' for name, v in results['idle'].items()] + ['']
    if results['instructions']:
        names = list(next(iter(results['instructions'].values())))
        lines += ['## User instructions per request (callgrind)', '', '| | ' + ' | '.join(names) + ' |', '|---' * (len(names) + 1) + '|']
        lines += [f'| {name} | ' + ' | '.join(str(v.get(w, '')) for w in names) + ' |' for name, v in results['instructions'].items()] + ['']
    if results['router']:
        lines += ['## Router lookup', '', '```', results['router'].rstrip(), '```', '']
    return '\n'.join(lines)


def row(name, columns):
    def number(column, form):
        return form.format(columns[column][0]) if column in columns else ''
    cpu = '{:.2f} [{:.2f}-{:.2f}]'.format(*columns['cpu_us']) if name != 'direct' else ''
    cells = [name, cpu, number('rate', '{:,.0f}'), number('busy', '{:.2f}'), number('p50', '{:.0f}'), number('p99', '{:.0f}'), columns.get('error', '')]
    return '| ' + ' | '.join(cells) + ' |'


def write(results):
    results['when'] = datetime.datetime.now().strftime('%Y-%m-%d %H:%M')
    results['machine'] = machine()
    stem = os.path.join(places.RESULTS, datetime.datetime.now().strftime('%Y%m%d-%H%M%S'))
    with open(stem + '.json', 'w') as file:
        json.dump(results, file, indent=1)
    text = markdown(results)
    for name in (stem + '.md', os.path.join(places.RESULTS, 'latest.md')):
        with open(name, 'w') as file:
            file.write(text)
    print(text)
    print(f'written: {os.path.relpath(stem)}.md and .json')
