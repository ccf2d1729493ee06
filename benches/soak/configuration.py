"""The configuration under test: what stays, and what is other with each version."""
import json
import os
import random

#: Requests a second, and how many at once, that the unchanged limit lets through.
RATE, BURST = 40, 25
IN_FLIGHT = 3
ACCEPT_GRACE, GRACE = 2, 4
ENDING_STATUS = 504
#: Longer than a version lasts; and how long it may take until an ill server is out.
CHECK = {'path': '/x/check', 'interval': '2s', 'timeout': '5s'}
KNOWN = 6
#: One in so many versions is no configuration at all, and must change nothing.
BROKEN = 10

INSTALL = '''
global: {{checkNewVersion: false, sendAnonymousUsage: false}}
log: {{level: WARN}}
accessLog: {{filePath: "{folder}/access.log"}}
metrics: {{prometheus: {{entryPoint: internal, addRoutersLabels: true}}}}
ping: {{entryPoint: web, terminatingStatusCode: {ending}}}
entryPoints:
  web: {{address: "127.0.0.1:{web}", transport: {{lifeCycle: {{requestAcceptGraceTimeout: {accept}s, graceTimeOut: {grace}s}}}}}}
  websecure:
    address: "127.0.0.1:{websecure}"
    http: {{tls: {{}}}}
    transport: {{lifeCycle: {{requestAcceptGraceTimeout: {accept}s, graceTimeOut: {grace}s}}}}
  internal: {{address: "127.0.0.1:{internal}", transport: {{lifeCycle: {{requestAcceptGraceTimeout: {accept}s, graceTimeOut: 60s}}}}}}
serversTransport: {{forwardingTimeouts: {{idleConnTimeout: 5s}}}}
providers:
  providersThrottleDuration: 100ms
  file: {{filename: "{folder}/routing.yml"}}
'''


def install(folder, ports):
    return INSTALL.format(folder=folder, ending=ENDING_STATUS, accept=ACCEPT_GRACE, grace=GRACE, **ports)


def servers(upstreams, names, version=None):
    """Server `c` has an address of its own in each version, as what is scheduled anew elsewhere has."""
    def address(name):
        return f'127.1.{version >> 8}.{version & 255}' if name == 'c' and version is not None else '127.0.0.1'
    return [{'url': f'http://{address(name)}:{upstreams[name]}'} for name in names]


def unchanged(upstreams):
    """Objects with state, the same in every version."""
    def prefix(name, middlewares=(), service=None):
        return {'rule': f'PathPrefix(`/{name}`)', 'service': service or name, 'middlewares': list(middlewares)}

    balancer = {'servers': servers(upstreams, 'abc')}
    return {
        'routers': {
            'limited': prefix('limited', ['limit'], 'steady'),
            'held': prefix('held', ['few'], 'steady'),
            'breaking': prefix('breaking', ['breaker'], 'fragile'),
            'sticky': prefix('sticky'),
            'steady': prefix('steady'),
            'checked': prefix('checked'),
        },
        'middlewares': {
            'limit': {'rateLimit': {'average': RATE, 'burst': BURST}},
            'few': {'inFlightReq': {'amount': IN_FLIGHT, 'sourceCriterion': {'requestHost': True}}},
            'breaker': {'circuitBreaker': {'expression': 'ResponseCodeRatio(500, 600, 0, 600) > 0.5', 'checkPeriod': '100ms',
                                           'fallbackDuration': '1h'}},
        },
        'services': {
            'steady': {'loadBalancer': balancer},
            'fragile': {'loadBalancer': {'servers': servers(upstreams, ['fragile'])}},
            'checked': {'loadBalancer': {'servers': servers(upstreams, ['a', 'sick']), 'healthCheck': CHECK}},
            'sticky': {'loadBalancer': {**balancer, 'sticky': {'cookie': {'name': 'soak'}}}},
        },
    }


def changing(upstreams, version, some):
    """Objects that are other in each version. Servers `a` and `b` are always there, `c` comes and goes."""
    present = 'abc' if version % 2 else 'ab'
    routers = {
        'moving': {'rule': 'PathPrefix(`/moving`)', 'service': 'canary', 'middlewares': ['stamp', 'press']},
        'growing': {'rule': 'PathPrefix(`/growing`)', 'service': 'growing', 'priority': 1000 + version % 7},
        'checking': {'rule': 'PathPrefix(`/checking`)', 'service': 'checking'},
    }
    for number in range(version, version + 25):
        routers[f'churn-{number}'] = {'rule': f'PathPrefix(`/churn/{number}`) && Header(`X-Version`, `{version}`)',
                                      'service': some.choice(['steady', 'canary']), 'middlewares': ['stamp', f'burst-{number % 5}']}
    # One that did not exist before and will not again, with load on it.
    name = f'fleeting-{version}'
    routers[name] = {'rule': 'PathPrefix(`/fleeting`)', 'service': name, 'middlewares': [name]}
    return {
        'routers': routers,
        'middlewares': {
            'stamp': {'headers': {'customResponseHeaders': {'X-Version': str(version)}}},
            'press': {'compress': {'minResponseBodyBytes': 1024 + version}},
            name: {'inFlightReq': {'amount': 1000 + version}},
            **{f'burst-{n}': {'rateLimit': {'average': 100 + version, 'burst': 50}} for n in range(5)},
        },
        'services': {
            'canary': {'weighted': {'services': [{'name': 'blue', 'weight': some.randint(1, 9)}, {'name': 'green', 'weight': some.randint(1, 9)}]}},
            'blue': {'loadBalancer': {'servers': servers(upstreams, present, version)}},
            'green': {'loadBalancer': {'strategy': 'p2c', 'servers': servers(upstreams, some.sample('abc', 2), version)}},
            name: {'loadBalancer': {'servers': servers(upstreams, 'abc', version)}},
            'growing': {'loadBalancer': {'servers': servers(upstreams, some.sample(present, len(present)), version), 'sticky': {'cookie': {'name': 'grow'}}}},
            'checking': {'loadBalancer': {'servers': servers(upstreams, ['a', 'sick', *present[2:]], version), 'healthCheck': CHECK}},
        },
    }


def routing(folder, upstreams, version):
    some = random.Random(version)
    keep, change = unchanged(upstreams), changing(upstreams, version, some)
    http = {}
    for kind in keep:
        # In another order each time: an object's place in the file is not part of it.
        objects = list({**keep[kind], **change[kind]}.items())
        some.shuffle(objects)
        http[kind] = dict(objects)
    # The same router on TLS, for those who come that way.
    certificate = {'certFile': f'{folder}/edge.crt', 'keyFile': f'{folder}/edge.key'}
    tls = {'certificates': [certificate], 'options': {'churn': {'minVersion': f'VersionTLS1{2 + version % 2}'}}}
    return json.dumps({'http': http, 'tls': tls}, indent=1)


def write(folder, upstreams, version):
    """Replaces the file as a whole, as whoever writes under load should. Now and then a version is broken."""
    text = routing(folder, upstreams, version)
    with open(f'{folder}/routing.new', 'w') as file:
        file.write(text[:len(text) // 2] if version % BROKEN == BROKEN - 1 else text)
    os.replace(f'{folder}/routing.new', f'{folder}/routing.yml')
