"""One subscription to a table: what it is owed, and the next frame that pays it.

Sans I/O: the fan-out calls `flush` and sends what it returns. While a socket is full nothing is
made and nothing queued; the next frame goes from where the client stands to the present.

1. For every row the client holds and is not owed whole, its values are the sealed values at
   ``synced``, and none of them changed in (``base``, ``synced``].
2. Frames name ``base``, the tick of the last frame sent, never ``synced``: a client that was
   owed nothing was told nothing.
3. Differences are sent only to whoever is synced to the table's previous tick.
4. Absolute cells may be repeated, so an older base is as right as the exact one.
"""

cimport cython
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport free
from libc.string cimport memset

from fastws._core.cells cimport TEXT
from fastws._core.encode cimport CHECKSUM, PARTIAL, SNAPSHOT, Encoder, Head
from fastws._core.rowset cimport drop, find, insert, mark
from fastws._core.table cimport Table
from fastws._core.view cimport Place, View

PAGE = 16384
QUIET_SECONDS = 15.0
CHECK_EVERY = 16
LAGGARD_FRAMES = 8

cdef list NOBODY = []
cdef int WHOLE = 0x7FFFFFFF  # a cursor above all rows: no page is missing


@cython.final
cdef class Follower:
    """Follows ``keys`` of a view, or all. ``channel`` and ``label`` name the channel in frames.

    ``keys`` that are not there yet are followed once they are. ``version`` numbers a set of rows
    that the server chooses, ``period`` is seconds from seal to seal, ``pace`` ticks from frame to
    frame. It starts with a snapshot, unless `resume` finds the client's place.
    """

    def __cinit__(self, View view not None, int channel, str label, *, bint json=False,
                  keys=None, int pace=1, int version=0, double period=0.1):
        self.view = view
        self.table = view.table
        self.channel = channel
        self.label = label
        self.json = json
        self.pace = pace
        self.version = version
        self.period = period
        self.sent = -1e18
        self.left, self.keys = set(), set()
        self.all = keys is None
        self.view.encoder(json).join()
        if keys is not None:
            self.keys.update(keys)
        self.restart()

    def __dealloc__(self):
        free(self.rows.ids)
        free(self.rows.fresh)

    def close(self):
        """Follow nothing any more; harmless when closed already."""
        if not self.closed:
            self.closed = True
            self.view.encoder(self.json).leave()
            for key in self.keys:
                self.table.unwatch(key, self)

    # -- what the client asks ------------------------------------------------------------------

    @property
    def unknown(self):
        """Keys that are followed and not there."""
        return sorted(key for key in self.keys if key not in self.table.visible)

    @property
    def held(self):
        """Ids of the rows a client that has everything would hold."""
        if self.all:
            return sorted(self.table.visible.values())
        return [self.rows.ids[at] for at in range(self.rows.count)]

    @property
    def more(self):
        """Whether further pages wait for the socket."""
        return self.partial()

    cpdef restart(self):
        """Begin again with a snapshot: a new epoch, a base too old, a client that disagrees."""
        self.fresh_start = self.unproved = True
        self.resumed = False
        self.epoch = self.table.epoch
        self.base = 0
        self.synced = self.table.tick
        self.left.clear()
        self.cursor = 0
        self.choose()
        for at in range(self.rows.count):
            mark(&self.rows, at, True)

    def resume(self, int64_t epoch, int64_t tick, new=(), int version=0):
        """Go on from ``tick`` of ``epoch`` for every key not in ``new``; False: a snapshot."""
        cdef int at
        cdef set others = set(new)
        known = (epoch == self.table.epoch and 0 < tick <= self.table.tick
                 and tick >= self.table.floor and version == self.version)
        self.restart()
        if not known:
            return False
        self.fresh_start = False
        self.resumed = True
        self.base = self.synced = tick
        self.cursor = WHOLE
        for at in range(self.rows.count):
            mark(&self.rows, at, self.table.keys[self.rows.ids[at]] in others)
        return True

    def follow(self, keys, int version=0):
        """Replace the set of keys; None: all. Only what is new is sent, what left is named."""
        cdef int at
        if keys is None or self.all:
            for key in self.keys:
                self.table.unwatch(key, self)
            self.all = keys is None
            self.keys = set(keys or ())
            self.version = version
            self.restart()
            return
        wanted = set(keys)
        for key in self.keys - wanted:
            self.table.unwatch(key, self)
        for at in range(self.rows.count - 1, -1, -1):
            if self.table.keys[self.rows.ids[at]] not in wanted:
                if not self.rows.fresh[at]:
                    self.left.add(self.rows.ids[at])
                drop(&self.rows, at)
        for key in wanted - self.keys:
            row = self.table.visible.get(key)
            if row is None:
                self.table.watch(key, self)
            else:
                insert(&self.rows, row, True)
        self.keys = wanted
        self.version = version
        self.unproved = True

    def look(self, View view not None):
        """Other columns of the same table: a role changed. Begins again."""
        if view.table is not self.table:
            raise ValueError("a view of another table")
        view.encoder(self.json).join()
        self.view.encoder(self.json).leave()
        self.view = view
        self.restart()

    cpdef adopt(self, int row):
        """A key that was waited for is there; the table tells. `IndexError` for no such row."""
        if not 0 <= row < self.table.used or self.table.row[row].born <= 0:
            raise IndexError("no such row")
        insert(&self.rows, row, True)

    # -- the flush -----------------------------------------------------------------------------

    cpdef bint due(self, double now):
        """Whether there may be something to send: a tick of its pace, a page, a sign of life."""
        cdef int64_t tick = self.table.tick
        if self.paused or self.closed:
            return False
        if self.fresh_start or self.rows.owed or self.left or self.partial():
            return True
        if self.synced != tick:
            return (self.pace <= 1 or tick // self.pace != self.synced // self.pace
                    or self.table.epoch != self.epoch
                    or now - self.sent >= 2 * self.period * self.pace)
        return self.epoch != self.table.epoch or now - self.sent >= QUIET_SECONDS

    cdef bint late(self) noexcept:
        """Whether it missed a tick of its pace: few others stand where it stands."""
        return self.synced < (self.table.previous if self.pace <= 1 else
                              (self.table.tick // self.pace - 1) * self.pace)

    cpdef bytes flush(self, double now, bint writable=True):
        """The next frame, or None. ``now`` is monotonic seconds; not ``writable``: it is full."""
        if not self.due(now):
            return None
        if not writable:
            self.skipped += 1
            return None
        if self.epoch != self.table.epoch or self.synced < self.table.floor:
            self.restart()
        if self.all:
            return self.make_shared(now)
        return self.make(now, self.synced, self.base, self.skipped)

    cdef bytes make_shared(self, double now):
        """Followers of everything who stand at one place share one frame."""
        cdef View view = self.view
        cdef bint late = self.late()
        cdef Place place
        view.begin()
        memset(&place, 0, sizeof(place))
        place.epoch, place.since, place.base = self.epoch, self.synced, self.base
        place.skipped = self.skipped
        if late and view.laggards >= LAGGARD_FRAMES and not (self.resumed or self.fresh_start):
            place.since = place.base = self.rounded()
            place.skipped = self.table.tick - place.since - 1
        place.channel, place.cursor, place.json = self.channel, self.cursor, self.json
        place.fresh, place.resumed, place.proof = self.fresh_start, self.resumed, self.wants_proof()
        place.quiet = now - self.sent >= QUIET_SECONDS
        found = view.made(&place)
        if found is not None:
            self.cursor = found[1]
            return self.sent_now(found[0], now, found[2])
        frame = self.make(now, place.since, place.base, place.skipped)
        if frame is not None:
            view.keep(&place, (frame, self.cursor, self.frames == 0), late)
        return frame

    cdef int64_t rounded(self):
        """An older base that many laggards can share, 2**k ticks back."""
        cdef int64_t back = 1
        while self.table.tick - back > self.base:
            back <<= 1
        return max(self.table.tick - back, <int64_t> 0)

    cdef bytes make(self, double now, int64_t since, int64_t base, int64_t skipped):
        cdef Encoder encoder = self.view.encoder(self.json)
        cdef Head head
        cdef bint proved = False
        cdef list gone = self.bury(since)
        encoder.begin()
        if self.all:
            self.put_all(encoder, since)
        else:
            self.put_some(encoder, since)
        if not (encoder.count or gone or self.fresh_start
                or now - self.sent >= QUIET_SECONDS):
            self.synced = self.table.tick
            return None
        head.channel, head.epoch = self.channel, self.epoch
        head.tick = self.table.tick
        head.base = base
        head.skipped = skipped
        head.checksum, head.flags = 0, SNAPSHOT * self.fresh_start
        if self.partial():
            head.flags |= PARTIAL
        elif self.wants_proof() or now - self.sent >= QUIET_SECONDS:
            head.flags |= CHECKSUM
            head.checksum = self.proof()
            proved = True
        return self.sent_now(encoder.finish(&head, gone, self.label), now, proved)

    cdef bytes sent_now(self, bytes frame, double now, bint proved):
        self.left.clear()
        self.fresh_start = self.resumed = False
        self.skipped = 0
        self.base = self.synced = self.table.tick
        self.sent = now
        self.frames = 0 if proved else self.frames + 1
        if proved:
            self.unproved = False
        return frame

    cdef list bury(self, int64_t since):
        """Ids that are gone; held rows among them are dropped, or followed under their new id."""
        cdef int at, row
        cdef set gone
        if not self.left and self.table.buried_at <= since:
            return NOBODY
        gone = set(self.left)
        if self.table.buried_at > since:
            for tick, _, row, key in reversed(self.table.tombstones):
                if tick <= since:
                    break
                if self.all:
                    if row < self.cursor:
                        gone.add(row)
                    continue
                at = find(&self.rows, row)
                if self.resumed or at >= 0:
                    gone.add(row)
                if at >= 0:
                    drop(&self.rows, at)
                    successor = self.table.visible.get(key)
                    if successor is None:
                        self.table.watch(key, self)
                    else:
                        insert(&self.rows, successor, True)
        return sorted(gone)

    cdef int put_all(self, Encoder encoder, int64_t since) except -1:
        cdef int row
        cdef int fulls = 0
        cdef int end = min(self.cursor, self.table.used)
        if since < self.table.tick:
            if since == self.table.previous and encoder.has_chunks():
                if self.table.moved_at == self.table.tick:
                    encoder.gather(self.table.moved, self.moved_below(end))
            else:
                for row in range(end):
                    if self.table.row[row].tick > since and self.table.row[row].born > 0:
                        if self.table.row[row].born > since:
                            encoder.full(row)
                        else:
                            encoder.cells(row, since)
        for row in range(end, self.table.used):
            if self.table.row[row].born > 0:
                if not self.page_has_room(encoder, row, fulls):
                    self.cursor = row
                    return 0
                encoder.full(row)
                fulls += 1
        self.cursor = WHOLE
        return 0

    cdef int moved_below(self, int end) noexcept:
        """How many of the rows that moved lie on pages that were sent."""
        cdef int count = self.table.moves
        while count and self.table.moved[count - 1] >= end:
            count -= 1
        return count

    cdef int put_some(self, Encoder encoder, int64_t since) except -1:
        cdef int at, row
        cdef int fulls = 0
        cdef bint chunks = since == self.table.previous and encoder.has_chunks()
        if not self.rows.owed:
            if since == self.table.tick:
                return 0
            if chunks:
                return encoder.gather(self.rows.ids, self.rows.count)
        for at in range(self.rows.count):
            row = self.rows.ids[at]
            if self.rows.fresh[at]:
                if not self.page_has_room(encoder, row, fulls):
                    continue
                encoder.full(row)
                mark(&self.rows, at, False)
                fulls += 1
            elif self.table.row[row].tick > since:
                if chunks:
                    encoder.gather(&self.rows.ids[at], 1)
                elif self.table.row[row].born > since:
                    encoder.full(row)
                else:
                    encoder.cells(row, since)
        return 0

    cdef bint page_has_room(self, Encoder encoder, int row, int fulls) except -1:
        """Whether a whole row fits the page; the first always does, or nothing would go on."""
        cdef size_t wide = 0
        cdef int column
        if not fulls or encoder.rows.size < <size_t> PAGE // 2:
            return True
        for column in range(self.table.width):
            wide += 22 if self.table.kind[column] != TEXT else (
                6 * len(self.table.sealed_texts[row * self.table.width + column]))
        wide += 6 * len(self.table.keys[row]) + 32
        return encoder.rows.size + wide + 512 < <size_t> PAGE

    # -- checksums -----------------------------------------------------------------------------

    cdef bint partial(self):
        return self.rows.owed > 0 or (self.all and self.cursor != WHOLE)

    cdef bint wants_proof(self):
        """The sixteenth frame, the first of a set; followers of all have it at one tick."""
        return (self.unproved or self.frames >= CHECK_EVERY - 1
                or (self.all and self.table.tick % CHECK_EVERY == 0))

    cdef uint32_t proof(self):
        cdef uint32_t total = 0
        cdef int at
        if self.all:
            return self.view.checksum
        for at in range(self.rows.count):
            total += self.view.hashes[self.rows.ids[at]]
        return total

    cdef int choose(self) except -1:
        """The rows of its keys from scratch; who waits, waits."""
        cdef list rows = []
        self.rows.count = self.rows.owed = 0
        for key in self.keys:
            row = self.table.visible.get(key)
            if row is None:
                self.table.watch(key, self)
            else:
                self.table.unwatch(key, self)
                rows.append(row)
        for row in sorted(rows):
            insert(&self.rows, row, False)
        return 0
