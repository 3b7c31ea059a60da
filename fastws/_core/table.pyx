"""A table: rows by key, typed columns, and per cell the tick at which it last changed.

Setting a cell stores a number and marks its row; nothing else happens until `seal`, which
compares what is open with what was sealed, gives the cells that really differ the next tick
and makes them visible. Everything that goes on the wire is read from sealed values. Rows that
were removed leave a tombstone; what changed after any tick at or above ``floor`` can be said.

Source: the algorithm in docs/architecture.md, "Two kinds of channel".
"""

from collections import deque

from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport free

from fastws._core.cells cimport GONE, Cells, Moves, Sealed, again
from fastws._core.packing cimport lowest

from fastws._core.cells import Column

TOMBSTONE_SECONDS = 60.0
TOMBSTONES = 4096

cdef uint64_t ONE = 1


cdef class Observer:
    """Is told of every row that a seal changes: removals first, then rows in ascending order."""

    cdef int grown(self, int capacity) except -1:
        return 0

    cdef int changed(self, int row, uint64_t mask, Moves* moves) except -1:
        return 0

    cdef int born(self, int row) except -1:
        return 0

    cdef int removed(self, int row) except -1:
        return 0

    cdef int emptied(self) except -1:
        """All rows go at once, and ticks may begin anew: a replica loads another state."""
        return 0


cdef class Table(Cells):
    """One writer's table. ``epoch`` numbers the owner's lease, ``tick`` the last non-empty seal.

    ``previous`` is the tick before it. ``common`` are sets of columns that often change
    together; a row in which exactly one of them changed is a byte shorter on the wire.
    """

    def __cinit__(self, name, columns, epoch=1, common=()):
        """Columns have names of their own; at most 48. At most three common sets."""
        self.common = tuple(tuple(names) for names in common)
        if len(self.common) > 3 or not all(names for names in self.common):
            raise ValueError("a table has at most three common sets of columns, none empty")
        for names in self.common:
            for one in names:
                if one not in self.index:
                    raise KeyError(one)
        self.epoch = epoch
        self._rows, self.visible, self.waiting = {}, {}, {}
        self.keys, self._removed, self._free, self.observers = [], [], [], []
        self.tombstones = deque()

    def __dealloc__(self):
        free(self.moved)

    def __len__(self):
        return len(self.visible)

    def __contains__(self, key):
        return key in self.visible

    # -- writing ---------------------------------------------------------------------------

    def add(self, str key not None, **values):
        """A new row with these cells (others are zero or empty); its number.

        `ValueError` if the key is there already.
        """
        cdef int row
        cdef Py_ssize_t size
        if key in self._rows:
            raise ValueError(f"{key!r} is there already")
        PyUnicode_AsUTF8AndSize(key, &size)
        for name in values:
            if name not in self.index:
                raise KeyError(name)
        row = self._free.pop() if self._free else self.used
        self._take(row, key)
        for name, value in values.items():
            self._put(row, self.index[name], value)
        return row

    cdef int _take(self, int row, str key) except -1:
        """Give a number that is free, or lies above all, to a key."""
        while row >= self.capacity:
            self._grow()
        while self.used <= row:
            self.used += 1
            self.keys.append("")
            self.texts.extend([""] * self.width)
            self.sealed_texts.extend([""] * self.width)
        self.keys[row] = key
        self._clear(row)
        self._rows[key] = row
        return 0

    cdef int _grow(self) except -1:
        cdef Observer observer
        Cells._grow(self)
        self.moved = <int32_t*> again(self.moved, self.capacity * sizeof(int32_t))
        for observer in self.observers:
            observer.grown(self.capacity)
        return 0

    def remove(self, str key not None):
        """Take a row away at the next seal; its key may be added again at once."""
        cdef int row = self._rows.pop(key)
        self._removed.append((row, key))

    def set_row(self, str key not None, values):
        """Set the named cells of a row; `KeyError` for an unknown key or column."""
        cdef int row = self._rows[key]
        if type(values) is dict:
            for name, value in (<dict> values).items():
                self._put(row, self.index[name], value)
        else:
            for name, value in values.items():
                self._put(row, self.index[name], value)

    # -- sealing ---------------------------------------------------------------------------

    def seal(self, double now):
        """Make what was set visible; the tick, which grows only if something changed.

        ``now`` is Unix seconds; ages of tombstones and the time in JSON frames come of it.
        """
        return self._seal(self.tick + 1, now)

    cdef int64_t _seal(self, int64_t following, double now) except -1:
        cdef bint moved = False
        cdef int word, row
        cdef uint64_t bits
        for row, key in self._removed:
            if self._seal_removal(row, key, following, now):
                moved = True
        self._removed.clear()
        for word in range((self.used + 63) >> 6):
            bits = self._touched[word]
            self._touched[word] = 0
            while bits:
                row = (word << 6) + lowest(bits)
                bits &= bits - 1
                if bits:  # what the next row needs comes from afar meanwhile
                    self.fetch((word << 6) + lowest(bits))
                if self.row[row].born == GONE:
                    self._dirty[row] = 0
                elif self._seal_row(row, following):
                    moved = True
        if moved:
            self.previous = self.tick
            self.tick = following
            self.sealed_at = now
        self._forget(now)
        return self.tick

    cdef bint _seal_removal(self, int row, object key, int64_t following, double now) except -1:
        cdef Observer observer
        cdef bint seen = self.row[row].born != 0
        self.row[row].born = GONE  # whoever still writes to that number changes nothing
        if not seen:
            self._free.append(row)
            return False
        if self.visible.get(key) == row:
            del self.visible[key]
        self.tombstones.append((following, now, row, key))
        self.buried_at = following
        for observer in self.observers:
            observer.removed(row)
        return True

    cdef bint _seal_row(self, int row, int64_t following) except -1:
        cdef Moves moves
        cdef Py_ssize_t number
        cdef bint birth = self.row[row].born == 0
        cdef uint64_t changed = self.seal_cells(row, birth or self._strict, following, &moves)
        if not changed:
            return False
        if self.moved_at != following:
            self.moved_at = following
            self.moves = 0
        self.moved[self.moves] = row
        self.moves += 1
        self.row[row].tick = following
        if birth:
            self.row[row].born = following
            self._born(row)
        else:
            for number in range(len(self.observers)):
                (<Observer> self.observers[number]).changed(row, changed, &moves)
        return True

    cdef int _born(self, int row) except -1:
        cdef Observer observer
        self.visible[self.keys[row]] = row
        for observer in self.observers:
            observer.born(row)
        for follower in self.waiting.pop(self.keys[row], ()):
            follower.adopt(row)
        return 0

    cdef int _forget(self, double now) except -1:
        """Old tombstones raise the floor; only then is their row number free again."""
        while len(self.tombstones) > TOMBSTONES:
            tick, buried, row, _ = self.tombstones[0]
            if now - buried < TOMBSTONE_SECONDS:
                return 0
            self.tombstones.popleft()
            self.floor = tick
            self._free.append(row)
        return 0

    # -- reading what is sealed ------------------------------------------------------------

    def get(self, key):
        """The sealed cells of a row by column name, or None."""
        row = self.visible.get(key)
        if row is None:
            return None
        return {column.name: self._value(row, number)
                for number, column in enumerate(self.columns)}

    def rows(self):
        """Sealed keys and their row numbers."""
        return dict(self.visible)

    def rtick(self, key):
        """Tick at which any cell of the row last changed; 0 if there is no such row."""
        row = self.visible.get(key)
        if row is None:
            return 0
        return self.row[<int> row].tick

    def ctick(self, key, name):
        """Tick at which one cell last changed; 0 if there is no such row."""
        row = self.visible.get(key)
        if row is None:
            return 0
        return self.sealed[<int> row * self.width + <int> self.index[name]].tick

    def changed(self, int64_t since):
        """Keys of rows that changed or were born after tick ``since``.

        ``since`` below ``floor`` cannot be answered by a difference: ask for 0, everything.
        """
        return [key for key, row in self.visible.items() if self.row[<int> row].tick > since]

    def numbers(self, name, int64_t since):
        """(key, mantissa, exponent) of the sealed cells of a column that changed after a tick."""
        cdef int column = self.index[name]
        cdef Sealed* cell
        found = []
        for key, row in self.visible.items():
            if self.row[<int> row].tick > since:
                cell = &self.sealed[<int> row * self.width + column]
                if cell.tick > since:
                    found.append((key, cell.mantissa, cell.exponent))
        return found

    def removed(self, int64_t since):
        """Keys of rows removed after tick ``since``, oldest first."""
        return [key for tick, _, _, key in self.tombstones if tick > since]

    # -- followers of keys that are not there yet --------------------------------------------

    cdef void watch(self, object key, object follower):
        self.waiting.setdefault(key, set()).add(follower)

    cdef void unwatch(self, object key, object follower):
        cdef set who = self.waiting.get(key)
        if who is not None:
            who.discard(follower)
            if not who:
                del self.waiting[key]

