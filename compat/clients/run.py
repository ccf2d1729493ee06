#!/usr/bin/env python3
"""Official clients before a gateway: `openai` and `anthropic`, in Python and in JavaScript, unmodified. They call the sample
model through the AI middlewares: chat, streams, tools, reasoning, refusals; each format to a server that speaks it, and translated to
one that speaks the other. The gateway holds the model's key, theirs is another.

    compat/clients/run.py --bin target/debug/trilithon

Needs the Python packages. Without Node.js or its packages (below `.ci/clients`) that half is left out."""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))
from world import free_port  # noqa: E402

PATIENCE = 60
KEY = 'key-of-the-model'

ROUTING = '''
http:
  routers:
    chat: {{rule: "Path(`/v1/chat/completions`)", middlewares: [chat], service: model}}
    responses: {{rule: "Path(`/v1/responses`)", middlewares: [responses], service: model}}
    messages: {{rule: "Path(`/v1/messages`)", middlewares: [messages], service: model}}
    chat-translated: {{rule: "Path(`/translated/v1/chat/completions`)", middlewares: [translated, to-messages], service: model}}
    messages-translated: {{rule: "Path(`/translated/v1/messages`)", middlewares: [translated, to-chat], service: model}}
    keyless: {{rule: "PathPrefix(`/keyless`)", middlewares: [strip], service: model}}
  middlewares:
    strip: {{stripPrefix: {{prefixes: [/keyless]}}}}
    translated: {{stripPrefix: {{prefixes: [/translated]}}}}
    to-messages: {{plugin: {{chat-completion: {{token: {key}, upstreamFormat: messagesAPI}}}}}}
    to-chat: {{plugin: {{messages-api: {{token: {key}, upstreamFormat: ccr}}}}}}
    chat: {{plugin: {{chat-completion: {{token: {key}}}}}}}
    responses: {{plugin: {{responses-api: {{token: {key}}}}}}}
    messages: {{plugin: {{messages-api: {{token: {key}, anthropicVersion: "2023-06-01"}}}}}}
  services:
    model: {{loadBalancer: {{servers: [{{url: "{model}"}}]}}}}
'''


def model(binary):
    """The sample model; its URL is the first line it prints."""
    process = subprocess.Popen([binary, 'sample', 'model', '--listen', '127.0.0.1:0', '--key', KEY],
                               stdout=subprocess.PIPE, text=True)
    return process, process.stdout.readline().strip()


def gateway(binary, folder, url):
    routing, port = os.path.join(folder, 'routing.yml'), free_port()
    with open(routing, 'w') as file:
        file.write(ROUTING.format(key=KEY, model=url))
    with open(os.path.join(folder, 'gateway.log'), 'w') as log:
        process = subprocess.Popen([binary, f'--entryPoints.web.address=127.0.0.1:{port}', f'--providers.file.filename={routing}',
                                    '--log.level=ERROR'], stdout=log, stderr=log, cwd=folder)
    return process, f'http://127.0.0.1:{port}'


def wait(url, process, folder):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(open(os.path.join(folder, 'gateway.log')).read())
        try:
            urllib.request.urlopen(f'{url}/keyless/calls', timeout=5).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit('the gateway did not come up')


def clients(url):
    """What each client reported: one JSON object a line."""
    halves = [[url], [f'{url}/translated', 'translated']]
    commands = [[sys.executable, f'{HERE}/client.py', *half] for half in halves]
    packages = f'{ROOT}/.ci/clients'
    if shutil.which('node') and os.path.isdir(f'{packages}/node_modules/openai'):
        # A module looks for its packages beside itself.
        script = shutil.copy(f'{HERE}/client.mjs', f'{packages}/client.mjs')
        commands += [['node', script, *half] for half in halves]
    else:
        print('no Node.js with `openai` and `@anthropic-ai/sdk`: that half is left out')
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE * 5)
        if done.returncode:
            sys.exit(done.stderr)
        yield from map(json.loads, done.stdout.splitlines())


def table(results):
    columns = list(dict.fromkeys(r['client'] for r in results))
    cells = {(r['case'], r['client']): 'as it should' if r['right'] else 'WRONG' for r in results}
    cases = list(dict.fromkeys(r['case'] for r in results))
    width = {column: max(len(column), len('as it should')) + 2 for column in columns}
    print(f'{"":16}' + ''.join(f'{column:>{width[column]}}' for column in columns))
    for case in cases:
        print(f'{case:16}' + ''.join(f'{cells.get((case, column), "-"):>{width[column]}}' for column in columns))


def keys_seen(url):
    """Every call reached the model with the gateway's key, and none with a client's."""
    with urllib.request.urlopen(f'{url}/keyless/calls') as answer:
        calls = json.load(answer)
    return [c for c in calls if KEY not in (c['headers'].get('authorization', '') + c['headers'].get('x-api-key', ''))
            or 'key-of-a-client' in json.dumps(c['headers'])]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--bin', required=True)
    binary = os.path.abspath(parser.parse_args().bin)
    running = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            process, upstream = model(binary)
            running.append(process)
            process, url = gateway(binary, folder, upstream)
            running.append(process)
            wait(url, process, folder)
            results = list(clients(url))
            strangers = keys_seen(url)
        finally:
            for process in running:
                process.kill()
                process.wait()
    table(results)
    wrong = [r for r in results if not r['right']]
    for r in wrong:
        print(f"{r['client']}, {r['case']}: {r['why']}")
    for call in strangers:
        print(f"call {call['number']} reached the model with another key")
    print(f'{len(results) - len(wrong)} of {len(results)} as they should')
    sys.exit(bool(wrong or strangers or not results))


if __name__ == '__main__':
    main()
