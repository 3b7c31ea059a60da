"""What one player steers with: judges each input and hands what counts to the arena.

An input of twelve bytes is read, limited, put in order and applied without a Python call: eight
hundred players send twenty-four thousand a second (docs/wire.md, "SkyDuel").
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int8_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy

from fastws._core.arena cimport Arena
from fastws._core.limiter cimport Bucket
from fastws._core.line cimport seconds

cdef enum:
    KIND = 0x10
    SIZE = 12

INPUT, INPUT_BYTES = KIND, SIZE
"""First byte of a binary input, and how many it has."""

CLOCK_SECONDS = 5.0
"""Of the server, over which a client's clock is compared with ours."""

CHANGES = 200_000
"""Changes that a recording has; who steers more often than that steers unrecorded."""

cdef double WINDOW = CLOCK_SECONDS


@cython.final
cdef class Stick:
    """Of the player in seat ``number``. ``bucket`` limits his inputs, if there is one.

    ``on_refused()`` is called at the first input that is one too many, and not again before one
    was taken. Figures: ``applied``, ``late`` (their number did not grow), ``limited`` (too
    many), ``clamped`` (beyond their range), ``fast`` (windows in which his clock ran a tenth
    faster than ours).
    """

    def __cinit__(self, int number):
        self.number = number
        self._seq = -1

    @property
    def controls(self):
        """(throttle, turn, fire) of the last input."""
        return self._throttle, self._turn, self._fire

    def begin(self, Arena arena=None, list changes=None):
        """Steer from now on: in ``arena``, where each change is added to ``changes`` as (steps so
        far, seat, throttle, turn, fire), or what a game finds out by `read`. `IndexError` for a
        seat that the arena has not."""
        if arena is not None:
            arena._of(self.number)
        self._arena = arena
        self._changes = changes
        self._playing = True

    def end(self):
        """Steer nothing any more."""
        self._playing = False
        self._arena = None

    def read(self):
        """(seq, throttle, turn, fire) for a step; a shot that was asked for since the last one is
        asked for, though the button may be up again."""
        fire = self._latched
        self._latched = self._fire
        return self._seq, self._throttle, self._turn, fire

    def renew(self):
        """Another client steers: its numbers and its clock begin anew."""
        self._seq = -1
        self._clock_at = 0.0

    def take(self, bytes data not None, double now=0.0):
        """Judge a binary input; False if it is none. ``now`` is monotonic seconds, 0: look."""
        cdef const uint8_t* at = <const uint8_t*> PyBytes_AS_STRING(data)
        cdef uint32_t seq, t
        cdef int throttle, turn
        if PyBytes_GET_SIZE(data) != SIZE or at[0] != KIND:
            return False
        memcpy(&seq, at + 1, 4)
        memcpy(&t, at + 5, 4)
        throttle = <int8_t> at[9]
        turn = <int8_t> at[10]
        if now == 0.0:
            now = seconds()
        if self.bucket is not None and self.bucket.take(now):
            self.limited += 1
            if not self._refused:
                self._refused = True
                if self.on_refused is not None:
                    self.on_refused()
            return True
        self._refused = False
        self.put(now, seq, t, throttle, turn, at[11] & 1)
        return True

    cpdef bint put(self, double now, int64_t seq, int64_t t, int throttle, int turn, bint fire):
        """Steer like this from the next step on; False if the number ``seq`` comes late.

        ``t`` is the client's clock in ms. What is beyond its range is taken as the end of it.
        """
        if seq <= self._seq:
            self.late += 1
            return False
        self._seq = seq
        if not 0 <= throttle <= 127 or not -127 <= turn <= 127:
            self.clamped += 1
            throttle = min(max(throttle, 0), 127)
            turn = min(max(turn, -127), 127)
        self.watch(now, t)
        self.applied += 1
        if not self._playing:
            return True
        self._latched |= fire
        if self._arena is not None:
            self._arena.control(self.number, seq, throttle, turn, fire)
        if throttle != self._throttle or turn != self._turn or fire != self._fire:
            self._throttle = throttle
            self._turn = turn
            self._fire = fire
            if self._arena is not None and self._changes is not None and (
                    len(self._changes) < CHANGES):
                self._changes.append((self._arena.steps, self.number, throttle, turn, bool(fire)))
        return True

    cdef void watch(self, double now, int64_t t) noexcept:
        if self._clock_at == 0.0 or t < self._clock_t:
            self._clock_at = now
            self._clock_t = t
        elif now - self._clock_at >= WINDOW:
            if (t - self._clock_t) / 1000.0 > 1.1 * (now - self._clock_at) + 0.25:
                self.fast += 1
            self._clock_at = now
            self._clock_t = t
