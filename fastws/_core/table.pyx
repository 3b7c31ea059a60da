"""A table: rows by key, typed columns, and per cell the tick at which it last changed.

Setting a cell stores a number and marks its row; nothing else happens until `seal`, which
compares what is open with what was sealed, gives the cells that really differ the next tick
and makes them visible. Everything that goes on the wire is read from sealed values. Rows that
were removed leave a tombstone; what changed after any tick at or above ``floor`` can be said.

Source: the algorithm in docs/architecture.md, "Two kinds of channel".
"""

from collections import deque

from libc.stdint cimport int8_t, int64_t, uint8_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

cdef int DEF_CAPACITY = 64
TOMBSTONE_SECONDS = 60.0
TOMBSTONES = 4096

cdef int GONE = -1

cdef enum Kind:
    DECIMAL = 0
    INT = 1
    ENUM = 2
    FLOAT = 3
    TEXT = 4

_KINDS = {"decimal": DECIMAL, "int": INT, "enum": ENUM, "float": FLOAT, "text": TEXT}


class Column:
    """A column: its name and its kind, ``decimal``, ``int``, ``enum``, ``float`` or ``text``.

    A decimal cell is a pair (mantissa, exponent): the number mantissa * 10**exponent.
    """

    __slots__ = ("kind", "name")

    def __init__(self, name, kind):
        """`ValueError` for a kind that does not exist."""
        if kind not in _KINDS:
            raise ValueError(f"no such kind of column: {kind}")
        self.name = name
        self.kind = kind

    def __repr__(self):
        return f"Column({self.name!r}, {self.kind!r})"


cdef struct Cell:
    int64_t mantissa   # of a float: its bits
    int64_t tick       # at which the sealed value last changed
    int8_t exponent


cdef class Table:
    """One writer's table. ``epoch`` numbers the owner's lease, ``tick`` the last non-empty seal."""

    cdef readonly str name
    cdef readonly tuple columns
    cdef readonly int64_t epoch
    cdef readonly int64_t tick
    cdef readonly int64_t floor
    cdef int _width
    cdef int _capacity
    cdef int _used             # rows ever taken
    cdef Cell* _open
    cdef Cell* _sealed
    cdef int64_t* _rtick       # newest cell tick of a row; 0: never sealed
    cdef int64_t* _born        # tick of its first seal; 0: never sealed, GONE: removed
    cdef uint8_t* _dirty
    cdef uint8_t[64] _kind
    cdef dict _index           # column name -> number
    cdef dict _rows            # key -> row, as set
    cdef dict _visible         # key -> row, as sealed
    cdef list _keys            # row -> key
    cdef list _texts           # row * width + column -> open str
    cdef list _sealed_texts
    cdef list _changed         # rows marked since the last seal
    cdef list _removed         # (row, key) since the last seal
    cdef list _free
    cdef object _tombstones    # of (tick, seconds, row, key)

    def __cinit__(self, name, columns, epoch=1):
        """Columns have names of their own; at most 64."""
        cdef int number
        self.name = name
        self.columns = tuple(columns)
        self._width = len(self.columns)
        if not 0 < self._width <= 64:
            raise ValueError("a table has 1 to 64 columns")
        self._index = {}
        for number, column in enumerate(self.columns):
            self._index[column.name] = number
            self._kind[number] = _KINDS[column.kind]
        if len(self._index) != self._width:
            raise ValueError("two columns have the same name")
        self.epoch = epoch
        self._rows, self._visible = {}, {}
        self._keys, self._texts, self._sealed_texts = [], [], []
        self._changed, self._removed, self._free = [], [], []
        self._tombstones = deque()

    def __dealloc__(self):
        free(self._open)
        free(self._sealed)
        free(self._rtick)
        free(self._born)
        free(self._dirty)

    def __len__(self):
        return len(self._visible)

    def __contains__(self, key):
        return key in self._visible

    # -- writing ---------------------------------------------------------------------------

    def add(self, str key not None, **values):
        """A new row with these cells (others are zero or empty); its number.

        `ValueError` if the key is there already.
        """
        cdef int row
        if key in self._rows:
            raise ValueError(f"{key!r} is there already")
        for name in values:
            if name not in self._index:
                raise KeyError(name)
        if self._free:
            row = self._free.pop()
            self._keys[row] = key
        else:
            row = self._used
            if row == self._capacity:
                self._grow()
            self._used += 1
            self._keys.append(key)
            self._texts.extend([""] * self._width)
            self._sealed_texts.extend([""] * self._width)
        self._clear(row)
        self._rows[key] = row
        self._mark(row)
        for name, value in values.items():
            self._put(row, self._index[name], value)
        return row

    def remove(self, str key not None):
        """Take a row away at the next seal; its key may be added again at once."""
        cdef int row = self._rows.pop(key)
        self._removed.append((row, key))

    def set_row(self, str key not None, values):
        """Set the named cells of a row; `KeyError` for an unknown key or column."""
        cdef int row = self._rows[key]
        for name, value in values.items():
            self._put(row, self._index[name], value)

    cpdef int set_decimal(self, int row, int column, int64_t mantissa, int exponent) except -1:
        """Set a decimal cell by numbers, the way sources write thousands a second."""
        cdef Cell* cell
        if not (0 <= row < self._used and 0 <= column < self._width):
            raise IndexError("no such cell")
        if self._kind[column] != DECIMAL or not -100 <= exponent <= 100:
            raise ValueError("not a decimal cell, or an exponent beyond 100")
        cell = &self._open[row * self._width + column]
        if cell.mantissa != mantissa or cell.exponent != exponent:
            cell.mantissa = mantissa
            cell.exponent = exponent
            self._mark(row)
        return 0

    cdef int _put(self, int row, int column, object value) except -1:
        cdef Cell* cell = &self._open[row * self._width + column]
        cdef uint8_t kind = self._kind[column]
        cdef int64_t number
        cdef double real
        if kind == DECIMAL:
            return self.set_decimal(row, column, value[0], value[1])
        if kind == TEXT:
            if not isinstance(value, str):
                raise TypeError("a text cell takes a str")
            if self._texts[row * self._width + column] != value:
                self._texts[row * self._width + column] = value
                self._mark(row)
            return 0
        if kind == FLOAT:
            real = value
            memcpy(&number, &real, sizeof(number))
        else:
            number = value
        if cell.mantissa != number:
            cell.mantissa = number
            self._mark(row)
        return 0

    cdef inline void _mark(self, int row):
        if not self._dirty[row]:
            self._dirty[row] = 1
            self._changed.append(row)

    # -- sealing ---------------------------------------------------------------------------

    def seal(self, double now):
        """Make what was set visible; the tick, which grows only if something changed.

        ``now`` is Unix or monotonic seconds, used for the age of tombstones alone.
        """
        cdef int64_t following = self.tick + 1
        cdef bint moved = False
        cdef int row
        for row, key in self._removed:
            if self._seal_removal(row, key, following, now):
                moved = True
        for row in self._changed:
            self._dirty[row] = 0
            if self._born[row] != GONE and self._seal_row(row, following):
                moved = True
        self._removed.clear()
        self._changed.clear()
        if moved:
            self.tick = following
        self._forget(now)
        return self.tick

    cdef bint _seal_removal(self, int row, object key, int64_t following, double now):
        cdef bint seen = self._born[row] != 0
        self._born[row] = GONE  # whoever still writes to that number changes nothing
        if not seen:
            self._free.append(row)
            return False
        if self._visible.get(key) == row:
            del self._visible[key]
        self._tombstones.append((following, now, row, key))
        return True

    cdef bint _seal_row(self, int row, int64_t following):
        cdef int column
        cdef int at = row * self._width
        cdef Cell* fresh = &self._open[at]
        cdef Cell* old = &self._sealed[at]
        cdef bint moved = False
        cdef bint birth = self._born[row] == 0
        for column in range(self._width):
            if self._kind[column] == TEXT:
                if not birth and self._texts[at + column] == self._sealed_texts[at + column]:
                    continue
                self._sealed_texts[at + column] = self._texts[at + column]
            elif (not birth and fresh[column].mantissa == old[column].mantissa
                    and fresh[column].exponent == old[column].exponent):
                continue
            old[column].mantissa = fresh[column].mantissa
            old[column].exponent = fresh[column].exponent
            old[column].tick = following
            moved = True
        if moved:
            self._rtick[row] = following
            if birth:
                self._born[row] = following
                self._visible[self._keys[row]] = row
        return moved

    cdef void _forget(self, double now):
        """Old tombstones raise the floor; only then is their row number free again."""
        while len(self._tombstones) > TOMBSTONES:
            tick, buried, row, _ = self._tombstones[0]
            if now - buried < TOMBSTONE_SECONDS:
                return
            self._tombstones.popleft()
            self.floor = tick
            self._free.append(row)

    # -- reading what is sealed ------------------------------------------------------------

    def get(self, key):
        """The sealed cells of a row by column name, or None."""
        row = self._visible.get(key)
        if row is None:
            return None
        return {column.name: self._value(row, number)
                for number, column in enumerate(self.columns)}

    cdef object _value(self, int row, int column):
        cdef Cell* cell = &self._sealed[row * self._width + column]
        cdef uint8_t kind = self._kind[column]
        cdef double real
        if kind == DECIMAL:
            return (cell.mantissa, cell.exponent)
        if kind == TEXT:
            return self._sealed_texts[row * self._width + column]
        if kind == FLOAT:
            memcpy(&real, &cell.mantissa, sizeof(real))
            return real
        return cell.mantissa

    def rows(self):
        """Sealed keys and their row numbers."""
        return dict(self._visible)

    def rtick(self, key):
        """Tick at which any cell of the row last changed; 0 if there is no such row."""
        row = self._visible.get(key)
        if row is None:
            return 0
        return self._rtick[<int> row]

    def ctick(self, key, name):
        """Tick at which one cell last changed; 0 if there is no such row."""
        row = self._visible.get(key)
        if row is None:
            return 0
        return self._sealed[<int> row * self._width + <int> self._index[name]].tick

    def changed(self, int64_t since):
        """Keys of rows that changed or were born after tick ``since``.

        ``since`` below ``floor`` cannot be answered by a difference: ask for 0, everything.
        """
        return [key for key, row in self._visible.items() if self._rtick[<int> row] > since]

    def removed(self, int64_t since):
        """Keys of rows removed after tick ``since``, oldest first."""
        return [key for tick, _, _, key in self._tombstones if tick > since]

    # -- memory ----------------------------------------------------------------------------

    cdef int _grow(self) except -1:
        cdef int capacity = self._capacity * 2 if self._capacity else DEF_CAPACITY
        cdef size_t cells = <size_t> capacity * self._width
        cdef void* got
        got = realloc(self._open, cells * sizeof(Cell))
        if got == NULL:
            raise MemoryError
        self._open = <Cell*> got
        got = realloc(self._sealed, cells * sizeof(Cell))
        if got == NULL:
            raise MemoryError
        self._sealed = <Cell*> got
        got = realloc(self._rtick, capacity * sizeof(int64_t))
        if got == NULL:
            raise MemoryError
        self._rtick = <int64_t*> got
        got = realloc(self._born, capacity * sizeof(int64_t))
        if got == NULL:
            raise MemoryError
        self._born = <int64_t*> got
        got = realloc(self._dirty, capacity)
        if got == NULL:
            raise MemoryError
        self._dirty = <uint8_t*> got
        self._capacity = capacity
        return 0

    cdef void _clear(self, int row):
        cdef int at = row * self._width
        memset(&self._open[at], 0, self._width * sizeof(Cell))
        memset(&self._sealed[at], 0, self._width * sizeof(Cell))
        self._rtick[row] = self._born[row] = 0
        self._dirty[row] = 0
        for at in range(at, at + self._width):
            self._texts[at] = self._sealed_texts[at] = ""
