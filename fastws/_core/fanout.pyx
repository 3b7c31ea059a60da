"""The subscribers of one channel, served from C: shared frames, gathered frames, laggards.

Each subscriber has a `Lane`: a line to write to, and a cursor (stream) or a follower (table).
A full line is skipped, nothing is queued for it: a stream's cursor stays, a follower is owed
one frame from where it stands. Whoever stands at the last tick is served first; laggards, whose
frames are made one by one, come after, oldest first and for `LATE_SECONDS` a pass.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from libc.stdint cimport int64_t

from fastws._core.follower cimport Follower
from fastws._core.line cimport Line, framed, near, seconds

LATE_SECONDS = 0.002
"""Seconds of a pass given to those who fell behind."""

PAGES = 16
"""Pages of a snapshot sent at once to a line that takes them."""

PACKED_BYTES = 1024
"""Snapshots shorter than this are not compressed."""

cdef double LATE = LATE_SECONDS
cdef Py_ssize_t SHORT = PACKED_BYTES
cdef enum:
    TEXT = 1
    BINARY = 2
    PACKS = 64
    AHEAD = 6                        # lanes whose memory is fetched while others are served


@cython.final
cdef class Lane:
    """One subscriber's place: silent until it is ``live``, and while it is ``paused``.

    With ``packed`` its snapshots are compressed, if the fan-out can.
    """

    def __cinit__(self, Line line not None, Follower follower=None, bint packed=False):
        self.line = line
        self.follower = follower
        self.packed = packed
        self.at = -1


@cython.final
cdef class Fanout:
    """Lanes in no order. ``pack(block)`` makes a compressed block of a block (wire.md)."""

    def __cinit__(self, pack=None):
        self._lanes = []
        self._late = []
        self._pack = pack
        self._packs = {}
        self._frames = {}

    def __len__(self):
        return len(self._lanes)

    def add(self, Lane lane not None):
        """`ValueError` for a lane that is in a fan-out already."""
        if lane.at >= 0:
            raise ValueError("the lane is in use")
        lane.at = len(self._lanes)
        self._lanes.append(lane)

    def remove(self, Lane lane not None):
        """Serve it no more; harmless when it is not here."""
        cdef Py_ssize_t hole = lane.at
        cdef Py_ssize_t last = len(self._lanes) - 1
        lane.live = False
        if hole < 0:
            return
        if hole < self._next:  # who fills the hole must have been served in this pass, too
            self._next -= 1
            if hole != self._next:
                self._move(self._next, hole)
            hole = self._next
        if hole != last:
            self._move(last, hole)
        self._lanes.pop()
        lane.at = -1

    def _move(self, Py_ssize_t at, Py_ssize_t to):
        cdef Lane lane = self._lanes[at]
        self._lanes[to] = lane
        lane.at = to

    # -- streams -----------------------------------------------------------------------------

    def publish(self, bytes message not None, int64_t offset):
        """Give a stream's message to everybody whose cursor is before it; how many got it.

        Whoever stands elsewhere, or takes nothing now, catches up later by himself.
        """
        cdef bytes frame = framed(TEXT, message)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(message)
        cdef Py_ssize_t at
        cdef Py_ssize_t count = PyList_GET_SIZE(self._lanes)
        cdef int given = 0
        cdef Lane lane
        for at in range(count):
            if at + AHEAD < count:
                near(<void*> PyList_GET_ITEM(self._lanes, at + AHEAD))
                near(<void*> (<Lane> PyList_GET_ITEM(self._lanes, at + AHEAD // 2)).line)
            lane = <Lane> PyList_GET_ITEM(self._lanes, at)
            if not lane.live or lane.paused:
                continue
            if lane.line.full:
                self.skipped += 1
                continue
            if lane.cursor != offset - 1:
                continue
            lane.line.put(frame, size)
            lane.cursor = offset
            given += 1
        self.messages += given
        self.bytes += given * size
        return given

    def waiting(self, int64_t offset):
        """Lanes that still want something of a stream whose last message is ``offset``."""
        cdef Py_ssize_t at
        cdef Lane lane
        found = []
        for at in range(PyList_GET_SIZE(self._lanes)):
            lane = <Lane> PyList_GET_ITEM(self._lanes, at)
            if lane.live and not lane.paused and lane.cursor < offset:
                found.append(lane)
        return found

    # -- tables ------------------------------------------------------------------------------

    def begin(self):
        """A new pass over all lanes; what was left of the last one is left for this one."""
        self._next = 0
        self._late.clear()
        self._packs.clear()
        self._frames.clear()
        self._spent = 0.0

    def go_on(self, double now, int most):
        """Serve until ``most`` frames are made or the pass is over; how many were made.

        ``now`` is monotonic seconds. Fewer than ``most``: the pass is over.
        """
        cdef int made = 0
        cdef Lane lane
        cdef Follower follower
        while self._next < PyList_GET_SIZE(self._lanes) and made < most:
            if self._next + AHEAD < PyList_GET_SIZE(self._lanes):
                self.warm()
            lane = <Lane> PyList_GET_ITEM(self._lanes, self._next)
            self._next += 1
            follower = lane.follower
            if not lane.live or lane.paused or not follower.due(now):
                continue
            if lane.line.full:
                self.skipped += 1
                follower.flush(now, False)
            elif not follower.base == 0 and follower.late():
                self._late.append(lane)
            else:
                made += self.serve(lane, now)
        if made < most and self._late:
            made += self.serve_late(now, most - made)
        return made

    def leave_now(self):
        """Write what its lanes hold at once, before what others wrote earlier in this turn."""
        cdef Py_ssize_t at
        for at in range(PyList_GET_SIZE(self._lanes)):
            (<Lane> PyList_GET_ITEM(self._lanes, at)).line.flush()

    cdef void warm(self) noexcept:
        """Fetch what the next lanes need, one step of the way a lane: itself, its follower and
        its line, the numbers of the rows it follows."""
        cdef Lane lane
        near(<void*> PyList_GET_ITEM(self._lanes, self._next + AHEAD))
        lane = <Lane> PyList_GET_ITEM(self._lanes, self._next + 2 * AHEAD // 3)
        near(<void*> lane.line)
        near(<void*> lane.follower)
        near(<char*> <void*> lane.follower + 192)
        lane = <Lane> PyList_GET_ITEM(self._lanes, self._next + AHEAD // 3)
        near(<void*> lane.follower.rows.ids)

    def serve_late(self, double now, int most):
        """Those who fell behind, oldest first, while the pass has time for them."""
        cdef int made = 0
        cdef double begun = seconds()
        self._late.sort(key=_synced, reverse=True)
        while self._late and made < most:
            if self._spent + seconds() - begun >= LATE:
                self.postponed += len(self._late)
                self._late.clear()
                break
            lane = <Lane> self._late.pop()
            if lane.live and not lane.paused and not lane.line.full:
                made += self.serve(lane, now)
        self._spent += seconds() - begun
        return made

    def catch_up(self, Lane lane not None, double now):
        """First frame of a lane, or further pages of its snapshot, while its line takes them."""
        cdef int page = 0
        while page < PAGES and lane.live and not lane.paused and lane.line.open:
            page += 1
            if lane.line.full or not self.serve(lane, now) or not lane.follower.partial():
                return
            lane.line.flush()

    cdef int serve(self, Lane lane, double now) except -1:
        cdef Follower follower = lane.follower
        cdef bint whole = follower.fresh_start or follower.partial()
        cdef bytes payload = follower.flush(now, True)
        cdef bytes frame
        cdef Py_ssize_t size
        if payload is None:
            return 0
        if whole and lane.packed and PyBytes_GET_SIZE(payload) >= SHORT:
            frame = self.compressed(payload, follower.json)
        elif follower.all:
            frame = self.shared(payload, follower.json)
        else:
            frame = framed(TEXT if follower.json else BINARY, payload)
        size = PyBytes_GET_SIZE(payload)
        lane.line.put(frame, size)
        self.messages += 1
        self.bytes += size
        return 1

    cdef bytes shared(self, bytes payload, bint json):
        """The frame of a payload that others get, too."""
        found = self._frames.get(payload)
        if found is None:
            found = framed(TEXT if json else BINARY, payload)
            if len(self._frames) < PACKS:
                self._frames[payload] = found
        return <bytes> found

    cdef bytes compressed(self, bytes frame, bint json):
        if json or self._pack is None:
            return framed(TEXT if json else BINARY, frame)
        found = self._packs.get(frame)
        if found is None:
            found = framed(BINARY, self._pack(frame))
            if len(self._packs) < PACKS:
                self._packs[frame] = found
        return <bytes> found


def _synced(Lane lane):
    return lane.follower.synced
