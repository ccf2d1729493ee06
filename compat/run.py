#!/usr/bin/env python3
"""Runs the fixtures of this folder against a binary that takes Traefik's flags.

    compat/run.py --bin target/debug/trilithon                       everything
    compat/run.py --bin /usr/local/bin/traefik home-lab              one configuration
    compat/run.py --bin target/debug/trilithon broken                the broken files, through the command `check`

README.md tells how a fixture is written. Python's standard library and openssl; nothing is left running or written outside a
temporary folder."""
import argparse
import collections
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from client import ask  # noqa: E402
from world import PLACEHOLDER, Backend, Certificates, free_port  # noqa: E402

PATIENCE = 10.0
FIXTURES = ['home-lab', 'saas-platform', 'enterprise-edge']


class Fixture:
    """One configuration, its gateway and its backends."""

    def __init__(self, name, binary, certificates):
        self.source, self.binary, self.certificates = os.path.join(HERE, name), binary, certificates
        self.folder = tempfile.mkdtemp(prefix=f'compat-{name}-')
        self.backends, self.ports, self.process = {}, {'dead': free_port()}, None
        self.install = next(f for f in sorted(os.listdir(self.source)) if f.startswith('traefik.'))
        self.rows = json.load(open(f'{self.source}/expect.json'))

    def __enter__(self):
        # Placeholders of the install file are the gateway's own ports; all others are backends.
        for name in PLACEHOLDER.findall(open(f'{self.source}/{self.install}').read()):
            self.ports.setdefault(name, free_port())
        for folder, _, files in os.walk(self.source):
            for file in files:
                if file != 'expect.json':
                    self.copy(os.path.relpath(os.path.join(folder, file), self.source))
        self.log = open(f'{self.folder}/out.log', 'wb')
        self.process = subprocess.Popen([self.binary, f'--configFile={self.folder}/{self.install}'], stdout=self.log,
                                        stderr=subprocess.STDOUT, cwd=self.folder, env={'PATH': os.environ['PATH'], 'HOME': self.folder,
                                                                              'STATE_DIRECTORY': f'{self.folder}/state'})
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.log.close()
        for backend in self.backends.values():
            backend.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def copy(self, file):
        text = self.fill(open(f'{self.source}/{file}').read())
        path = os.path.join(self.folder, file)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as out:
            out.write(text)

    def fill(self, text):
        text = text.replace('@DIR@', self.folder).replace('@CERTS@', self.certificates.folder)
        return PLACEHOLDER.sub(lambda match: str(self.port(match[1])), text)

    def port(self, name):
        if name not in self.ports:
            self.backends[name] = Backend(name, self.certificates)
            self.ports[name] = self.backends[name].port
        return self.ports[name]

    def tail(self):
        return open(f'{self.folder}/out.log', encoding='latin-1').read()[-800:]

    def ask(self, row):
        row = json.loads(self.fill(json.dumps(row)))
        return ask(row, self.ports[row.get('on', 'web')], self.certificates)

    def wait(self):
        """Ready when the first row is as expected; a text says why it never was."""
        differences = until(lambda: self.process.poll() is not None or not self.check(self.rows[0]))
        if self.process.poll() is not None:
            return f'the gateway ended with {self.process.returncode}: {self.tail()}'
        return None if differences else f'never ready: {self.check(self.rows[0])} {self.tail()}'

    def check(self, row):
        """The differences between what a row expects and what comes."""
        if 'sticky' in row:
            return self.check_sticky(row)
        before = self.backends[row['mirrored']].requests if 'mirrored' in row else 0
        answers = [self.ask(row) for _ in range(row.get('times', 1))]
        found = [difference for answer in answers for difference in self.differences(row, answer)]
        for key, of in (('statuses', lambda a: str(a.status)), ('backends', lambda a: str(a.backend))):
            if key in row and (got := dict(collections.Counter(map(of, answers)))) != row[key]:
                found.append(f'{key}: want {row[key]}, got {got}')
        if missing := set(row.get('reached', ())) - {str(answer.backend) for answer in answers}:
            found.append(f'never reached: {sorted(missing)}')
        if 'mirrored' in row and not until(lambda: self.backends[row['mirrored']].requests > before):
            found.append(f'`{row["mirrored"]}` was sent no copy')
        return found

    def differences(self, row, answer):
        if 'fails' in row or answer.failed:
            return [] if row.get('fails') == answer.failed else [f'want {row.get("fails", "an answer")}, got {answer.failed or answer.status}']
        found = []
        for name, got in (('status', answer.status), ('backend', answer.backend), ('target', answer.saw.get('target')),
                          ('text', answer.body.decode('latin-1'))):
            if name in row and not self.same(row[name], got):
                found.append(f'{name}: want {row[name]}, got {got!r:.200}')
        for part, get in (('response', answer.header), ('saw', answer.saw_header)):
            for name, want in row.get(part, {}).items():
                if not self.same(want, get(name)):
                    found.append(f'{part} {name}: want {want}, got {get(name)}')
        return found

    def same(self, want, got):
        """null: absent; `~text`: a regular expression found in it; else equal."""
        if isinstance(want, str):
            want = self.fill(want)
            if want.startswith('~'):
                return got is not None and re.search(want[1:], got) is not None
        return want == got

    def check_sticky(self, row):
        first = self.ask(row)
        cookie = (first.header('Set-Cookie') or '').split(';')[0]
        if not self.same(row['sticky'], first.header('Set-Cookie')):
            return [f'Set-Cookie: want {row["sticky"]}, got {first.header("Set-Cookie")}']
        again = {self.ask({**row, 'headers': {'Cookie': cookie}}).backend for _ in range(6)}
        return [] if again == {first.backend} else [f'`{first.backend}` then {again}']


def until(true, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while not (value := true()):
        if time.monotonic() > deadline:
            return value
        time.sleep(0.02)
    return value


def title(row):
    return row.get('name') or f'{row.get("method", "GET")} {row["host"]}{row.get("path", "/")}'


def run_fixture(name, binary, certificates):
    """(rows checked, failures as texts)"""
    with Fixture(name, binary, certificates) as fixture:
        if problem := fixture.wait():
            return len(fixture.rows), [f'{name}: {problem}'] * len(fixture.rows)
        failures = []
        for row in fixture.rows:
            differences = fixture.check(row)
            if differences and row.get('eventually'):
                until(lambda: not fixture.check(row))
                differences = fixture.check(row)
            if differences:
                failures.append(f'{name}: {title(row)}: ' + '; '.join(differences))
        return len(fixture.rows), failures


def run_broken(binary, certificates):
    """Each file's first line says what `check` must print: `# want: KIND LINE:COLUMN FRAGMENT`."""
    failures, files = [], sorted(f for f in os.listdir(f'{HERE}/broken') if f[0].isdigit())
    for file in files:
        source = os.path.join(HERE, 'broken', file)
        _, _, kind, place, fragment = open(source).readline().rstrip('\n').split(' ', 4)
        with tempfile.TemporaryDirectory(prefix='compat-broken-') as folder:
            text = open(source).read().replace('@CERTS@', certificates.folder).replace('@DIR@', folder)
            path, install = os.path.join(folder, file), os.path.join(folder, 'install.yml')
            open(path, 'w').write(text)
            open(install, 'w').write(f'entryPoints: {{web: {{address: ":8000"}}}}\nproviders: {{file: {{filename: {path}}}}}\n')
            done = subprocess.run([binary, 'check', f'--configFile={path if kind == "install" else install}'], capture_output=True, text=True,
                                  cwd=folder, env={'PATH': os.environ['PATH'], 'HOME': folder}, timeout=30)
        output = done.stdout + done.stderr
        line = re.compile(rf'{re.escape(file)}:{place}: (error|warning)\[[\w.-]+\]: .*{re.escape(fragment)}', re.IGNORECASE)
        if done.returncode != ('error[' in output):
            failures.append(f'broken/{file}: exit {done.returncode} does not go with what was printed')
        if not line.search(output):
            failures.append(f'broken/{file}: want {place} `{fragment}`, got:\n' + '\n'.join('    ' + o for o in output.splitlines()[:6]))
    return len(files), failures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--bin', required=True)
    parser.add_argument('names', nargs='*', help=' '.join([*FIXTURES, 'broken']) + '; default all')
    options = parser.parse_args()
    binary, total, failures = os.path.abspath(options.bin), 0, []
    with tempfile.TemporaryDirectory(prefix='compat-certs-') as folder:
        certificates = Certificates(folder)
        for name in options.names or [*FIXTURES, 'broken']:
            count, failed = run_broken(binary, certificates) if name == 'broken' else run_fixture(name, binary, certificates)
            print(f'{name}: {count - len(failed)} of {count}')
            total, failures = total + count, failures + failed
    for failure in dict.fromkeys(failures):
        print(f'DIFFERS {failure}')
    print(f'{total - len(failures)} of {total} as expected')
    sys.exit(bool(failures))


if __name__ == '__main__':
    main()
