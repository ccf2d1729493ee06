#!/usr/bin/env python3
"""Compares a binary with the recorded contract, and fails for every difference that is not listed with its reason.

    compat/contract.py --bin target/debug/trilithon --contract ../shared/contract/contract.py [names…]

A scenario that differs is run once more, alone: what a busy machine spoils is not a difference."""
import argparse
import fnmatch
import glob
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
EXCEPTIONS = os.path.join(HERE, 'contract-exceptions.txt')


def exceptions():
    """{pattern of probe ids: reason}"""
    listed = {}
    for line in open(EXCEPTIONS):
        if line.strip() and not line.startswith('#'):
            pattern, _, reason = line.partition(' :: ')
            if not reason.strip():
                sys.exit(f'no reason in `{line.strip()}` of {EXCEPTIONS}')
            listed[pattern.strip()] = reason.strip()
    return listed


def matches(probe, pattern):
    return probe == pattern or fnmatch.fnmatchcase(probe, pattern)


def probes(contract, names):
    found = set()
    for file in glob.glob(os.path.join(os.path.dirname(contract), 'golden', '*.json')):
        stem = os.path.basename(file)[:-5]
        for scenario, recorded in json.load(open(file)).items():
            found |= {f'{stem}/{scenario}/{probe}' for probe in recorded}
    return {p for p in found if not names or any(p.startswith(n) for n in names)}


def differing(contract, binary, names, jobs):
    """{probe id: what was wanted and what came}"""
    command = [sys.executable, contract, 'check', '--bin', binary, '--jobs', str(jobs), *names]
    output = subprocess.run(command, capture_output=True, text=True).stdout
    found = {}
    for match in re.finditer(r'^DIFF (.*):\n((?:   (?:want|got).*\n?)+)', output, re.MULTILINE):
        found[match[1]] = match[2].rstrip()
    if not re.search(r'^\d+ of \d+ probes', output, re.MULTILINE):
        sys.exit('the contract did not run: ' + output[-500:])
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--bin', required=True)
    parser.add_argument('--contract', required=True)
    parser.add_argument('names', nargs='*')
    options = parser.parse_args()
    binary, listed = os.path.abspath(options.bin), exceptions()
    known = probes(options.contract, options.names)
    first = differing(options.contract, binary, options.names, jobs=3)
    scenarios = sorted({'/'.join(probe.split('/')[:2]) for probe in first if not any(matches(probe, p) for p in listed)})
    # A scenario's id is a prefix of others' at times; the intersection keeps only what differed twice.
    second = differing(options.contract, binary, scenarios, jobs=1) if scenarios else {}
    differs = {probe: second[probe] for probe in first if probe in second}
    excused = {probe for probe in first if any(matches(probe, p) for p in listed)}
    unlisted = {probe: text for probe, text in differs.items() if probe not in excused}
    for probe, text in sorted(unlisted.items()):
        print(f'DIFFERS {probe}\n{text}')
    for pattern in listed:
        hit = [probe for probe in known if matches(probe, pattern)]
        if not hit and not options.names:
            print(f'LISTED BUT UNKNOWN {pattern}')
        elif hit and not any(probe in first for probe in hit):
            print(f'LISTED BUT AS RECORDED {pattern}')
    print(f'{len(known) - len(unlisted) - len(excused)} of {len(known)} probes as recorded, {len(excused)} listed, {len(unlisted)} not listed differ')
    sys.exit(bool(unlisted))


if __name__ == '__main__':
    main()
