"""What is compared: how it is started, what it wants to be told."""
import os
import urllib.request

from harness import calls
from harness.calls import KEY, KEY_HASH, Sample

HERE = os.path.dirname(os.path.abspath(__file__))
PORTKEY = os.path.join(HERE, 'node_modules', '@portkey-ai', 'gateway', 'build', 'start-server.js')
LITELLM = os.path.join(HERE, 'venv', 'bin', 'litellm')
NAMES = ('bare', 'chat', 'guarded', 'portkey', 'litellm')


def available(gateway):
    """The names of those that can run here."""
    there = {'portkey': PORTKEY, 'litellm': LITELLM}
    return [name for name in NAMES if os.path.exists(there.get(name, gateway))]


class Model(Sample):
    """The model server behind all peers."""

    def __init__(self, gateway):
        super().__init__(gateway, 'model')

    def served(self):
        """How many calls it had since it was asked last."""
        request = urllib.request.Request(f'http://127.0.0.1:{self.port}/calls', method='DELETE')
        with urllib.request.urlopen(request) as answer:
            return int(answer.read().split(b':')[1].rstrip(b'}'))


class Peer(calls.Peer):
    def __init__(self, name, model, gateway):
        super().__init__(name, os.path.join(HERE, 'conf'))
        if name == 'portkey':
            self.arguments = ['node', PORTKEY, '--headless', f'--port={self.port}']
            self.environment = {'TRUSTED_CUSTOM_HOSTS': '127.0.0.1', 'NODE_ENV': 'production'}
            self.headers += ['x-portkey-provider: openai', f'x-portkey-custom-host: http://127.0.0.1:{model.port}/v1']
        elif name == 'litellm':
            config = self.fill('litellm.yml', 'litellm.yml', model=model.port, key=KEY)
            self.arguments = [LITELLM, '--config', config, '--host', '127.0.0.1', '--port', str(self.port), '--num_workers', '1']
            self.environment = {'LITELLM_LOCAL_MODEL_COST_MAP': 'True', 'LITELLM_LOG': 'ERROR', 'DISABLE_ADMIN_UI': 'True'}
        else:
            self.fill(f'{name}.routing.yml', f'{name}.routing.yml', model=model.port, hash=KEY_HASH)
            self.serve(gateway, '' if name == 'bare' else self.governed(peer=name))

    def ask(self, body):
        """One call, which must succeed; the first may take long where things are loaded when they are needed."""
        headers = dict(line.split(': ', 1) for line in [*self.headers, 'Content-Type: application/json'])
        request = urllib.request.Request(f'http://127.0.0.1:{self.port}/v1/chat/completions', body, headers)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.read()
