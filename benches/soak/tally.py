"""What happened, counted; everything that should not have happened, kept with its words."""
import collections
import time

KEPT = 40


class Tally:
    def __init__(self):
        self.done = collections.Counter()
        self.failed = collections.Counter()
        self.words = []
        self.start = time.monotonic()
        #: From here on connections may end between two requests.
        self.ending = False
        self.over = False

    def now(self):
        return time.monotonic() - self.start

    def count(self, kind):
        self.done[kind] += 1

    def fail(self, kind, why):
        self.failed[kind] += 1
        if len(self.words) < KEPT:
            self.words.append(f'{self.now():7.2f}s {kind}: {why!s:.300}' if str(why) else f'{self.now():7.2f}s {kind}: {why!r:.300}')

    def expect(self, kind, true, why):
        self.count(kind) if true else self.fail(kind, why)
