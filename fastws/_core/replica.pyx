"""A table that another process owns: fed with the owner's frames, same ids, ticks and epoch.

A client may therefore resume at any of them. Frames are taken strictly: what is old is dropped,
what does not follow from the replica's tick asks for the owner's `state`, which has every
cell's tick; the follower at the owner's end of the line then goes on from that tick. Comparing
values would not do: 1, 2, 1 looks like no change to whoever missed the 2.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int8_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from fastws._core.cells cimport DECIMAL, ENUM, FLOAT, TEXT, Cell, Sealed
from fastws._core.encode cimport (
    ABSOLUTE, CHECKSUM, FULL, MASKED, PARTIAL, REMOVED, SKIPPED, SNAPSHOT, TABLE_FRAME,
)
from fastws._core.packing cimport (
    Buffer, Bytes, append, get_text, get_varint, lowest, need, put_varint, reserve, text_number,
    unzigzag, zigzag,
)
from fastws._core.table cimport Observer, Table
from fastws._core.view cimport View

MAX_ROWS = 1 << 20
cdef bytes MAGIC = b"fwt1"


def state(Table table not None):
    """All that is sealed, with cell ticks, births, tombstones and floor, for a replica."""
    cdef Buffer into
    cdef int row, column
    cdef Sealed* cell
    cdef double seconds
    memset(&into, 0, sizeof(into))
    try:
        append(&into, <const char*> MAGIC, 4)
        for number in (table.epoch, table.tick, table.floor, table.width, len(table.visible)):
            _put(&into, number)
        for key, row in table.visible.items():
            _put(&into, row)
            _put_text(&into, key)
            _put(&into, table.row[row].born)
            for column in range(table.width):
                cell = &table.sealed[row * table.width + column]
                _put(&into, cell.tick)
                if table.kind[column] == TEXT:
                    _put_text(&into, table.sealed_texts[row * table.width + column])
                else:
                    _put(&into, zigzag(cell.mantissa))
                    _put(&into, <uint8_t> cell.exponent)
        _put(&into, len(table.tombstones))
        for tick, seconds, row, key in table.tombstones:
            _put(&into, tick)
            append(&into, &seconds, sizeof(seconds))
            _put(&into, row)
            _put_text(&into, key or "")
        return PyBytes_FromStringAndSize(<char*> into.data, into.size)
    finally:
        free(into.data)


cdef int _put(Buffer* into, uint64_t value) except -1:
    reserve(into, 10)
    into.size = put_varint(into.data + into.size, value) - into.data
    return 0


cdef int _put_text(Buffer* into, str text) except -1:
    cdef Py_ssize_t size
    cdef const char* data = PyUnicode_AsUTF8AndSize(text, &size)
    _put(into, size)
    return append(into, data, size)


cdef class Replica(Table):
    """Begins empty, with epoch 0: the first frame asks for the owner's state.

    Columns and common sets are the owner's. ``view`` shows all columns.
    """

    def __cinit__(self, name, columns, epoch=0, common=()):
        self.epoch = 0
        self._strict = True
        self.view = View(self)

    def seal(self, double now):
        """The tick; what makes a replica move are the owner's frames."""
        return self.tick

    def add(self, str key not None, **values):
        """`TypeError`: only the owner writes."""
        raise TypeError("a replica is written by its owner's frames")

    def remove(self, str key not None):
        """`TypeError`: only the owner writes."""
        raise TypeError("a replica is written by its owner's frames")

    def set_row(self, str key not None, values):
        """`TypeError`: only the owner writes."""
        raise TypeError("a replica is written by its owner's frames")

    cpdef int set_decimal(self, int row, int column, int64_t mantissa, int exponent) except -1:
        raise TypeError("a replica is written by its owner's frames")

    # -- frames ----------------------------------------------------------------------------------

    def apply(self, int64_t epoch, bytes block not None, double now):
        """Take one block in: ``"applied"``, ``"old"`` (dropped) or ``"gap"``: fetch the state.

        `ValueError` for bytes that are no frame of this table; fetch the state then, too.
        """
        cdef Bytes data
        cdef int flags, row, head, shift
        cdef int64_t tick, base
        cdef uint32_t checksum = 0
        cdef list strangers = []
        data.at = <const uint8_t*> <const char*> block
        data.end = data.at + len(block)
        if get_varint(&data) != <uint64_t> (data.end - data.at):
            raise ValueError("not one block")
        if get_varint(&data) != TABLE_FRAME:
            raise ValueError("not a table frame")
        get_varint(&data)
        need(&data, 1)
        flags = data.at[0]
        data.at += 1
        tick = get_varint(&data)
        base = tick - <int64_t> get_varint(&data)
        if epoch < self.epoch or (epoch == self.epoch and tick <= self.tick):
            return "old"
        if epoch != self.epoch or flags & (SNAPSHOT | PARTIAL) or base != self.tick:
            return "gap"
        if flags & SKIPPED:
            get_varint(&data)
        if flags & CHECKSUM:
            need(&data, 4)
            for shift in range(4):
                checksum |= <uint32_t> data.at[shift] << (8 * shift)
            data.at += 4
        if flags & REMOVED:
            self.take_removed(&data, strangers)
        row = -1
        while data.at < data.end:
            head = _row(get_varint(&data))
            row = _row(row + 1 + <uint64_t> (head >> 3))
            self.take_row(&data, row, head & 7)
        for row in strangers:
            self.tombstones.append((tick, now, row, None))
            self.buried_at = tick
        self._seal(tick, now)
        if self.tick != tick:
            self.previous, self.tick, self.sealed_at = self.tick, tick, now
        if flags & CHECKSUM and checksum != self.view.checksum:
            return "gap"
        return "applied"

    cdef int take_removed(self, Bytes* data, list strangers) except -1:
        """Rows that are gone; ``strangers`` were born and removed between two frames."""
        cdef int row = -1
        cdef uint64_t count = get_varint(data)
        while count:
            count -= 1
            row = _row(row + 1 + get_varint(data))
            if row < self.used and self.row[row].born > 0:
                self.row[row].born = -2  # not twice
                key = self.keys[row]
                self._rows.pop(key, None)
                self._removed.append((row, key))
            else:
                strangers.append(row)
        return 0

    cdef int take_row(self, Bytes* data, int row, int code) except -1:
        cdef uint64_t mask
        if code == FULL:
            self.take_birth(row, get_text(data))
            return self.take_cells(data, row, self.every, False)
        if code < self.view.shape.commons:
            mask = self.view.shape.common[code]
        elif code == MASKED or code == ABSOLUTE:
            mask = get_varint(data)
        else:
            raise ValueError("a row of no known kind")
        if not mask or mask & ~self.every or row >= self.used or self.row[row].born <= 0:
            raise ValueError("a row or columns that do not exist")
        return self.take_cells(data, row, mask, code <= MASKED)

    cdef int take_cells(self, Bytes* data, int row, uint64_t mask, bint relative) except -1:
        cdef Cell* cell
        cdef int column, shift
        cdef int64_t number
        while mask:
            column = lowest(mask)
            mask &= mask - 1
            cell = &self.open[row * self.width + column]
            if self.kind[column] == TEXT:
                self.texts[row * self.width + column] = get_text(data)
            elif self.kind[column] == FLOAT:
                need(data, 4)
                cell.mantissa = 0
                for shift in range(4):
                    cell.mantissa |= <int64_t> data.at[shift] << (8 * shift)
                data.at += 4
            else:
                number = get_varint(data)
                if self.kind[column] != ENUM:
                    number = unzigzag(<uint64_t> number)
                if self.kind[column] == DECIMAL:
                    if relative:
                        number = <int64_t> (<uint64_t> number + <uint64_t> cell.mantissa)
                    else:
                        need(data, 1)
                        cell.exponent = <int8_t> data.at[0]
                        data.at += 1
                cell.mantissa = number
            self._mark(row, column)
        return 0

    cdef int take_birth(self, int row, str key) except -1:
        """A row with its key. A number that had a tombstone has none any more: the floor rises."""
        if row >= MAX_ROWS:
            raise ValueError("more rows than a table has")
        if self._rows.get(key, row) != row:
            raise ValueError("a key under two numbers")
        if row < self.used and self.row[row].born > 0:
            if self.keys[row] != key:
                raise ValueError("a number under two keys")
            return 0
        while any(buried == row for _, _, buried, _ in self.tombstones):
            self.floor = self.tombstones.popleft()[0]
        return self._take(row, key)

    cdef int _forget(self, double now) except -1:
        Table._forget(self, now)
        self._free.clear()  # numbers are the owner's to give
        return 0

    # -- the owner's state -----------------------------------------------------------------------

    def load(self, bytes data not None, double now):
        """Become what `state` said; a state older than what is here is dropped (False).

        ``now`` is Unix seconds, as `Table.seal` takes them.

        `ValueError` for bytes that are no state of a table with these columns.
        """
        cdef Bytes bytes
        cdef Observer observer
        cdef int64_t epoch, tick, floor
        cdef int row
        cdef uint64_t count
        cdef double seconds
        if data[:4] != MAGIC:
            raise ValueError("not the state of a table")
        bytes.at = <const uint8_t*> <const char*> data + 4
        bytes.end = bytes.at + len(data) - 4
        epoch, tick, floor = get_varint(&bytes), get_varint(&bytes), get_varint(&bytes)
        if get_varint(&bytes) != <uint64_t> self.width:
            raise ValueError("a table of other columns")
        if (epoch, tick) < (self.epoch, self.tick):
            return False
        self.forget_all()
        self.epoch, self.tick, self.floor, self.previous = epoch, tick, floor, -1
        self.sealed_at = now
        self.moved_at = 0
        count = get_varint(&bytes)
        while count:
            count -= 1
            self.load_row(&bytes)
        count = get_varint(&bytes)
        while count:
            count -= 1
            tick = get_varint(&bytes)
            need(&bytes, sizeof(seconds))
            memcpy(&seconds, bytes.at, sizeof(seconds))
            bytes.at += sizeof(seconds)
            row = _row(get_varint(&bytes))
            self.tombstones.append((tick, seconds, row, get_text(&bytes) or None))
            self.buried_at = tick
        for row in self.visible.values():
            for observer in self.observers:
                observer.born(row)
        for key in [key for key in self.waiting if key in self.visible]:
            for follower in self.waiting.pop(key):
                follower.adopt(self.visible[key])
        return True

    cdef int forget_all(self) except -1:
        cdef Observer observer
        cdef int row
        for observer in self.observers:
            observer.emptied()
        for row in range(self.used):
            self._clear(row)
            self._dirty[row] = 0
            self._touched[row >> 6] = 0
        self.buried_at = 0
        self._rows.clear()
        self.visible.clear()
        self.tombstones.clear()
        self._removed.clear()
        return 0

    cdef int load_row(self, Bytes* data) except -1:
        cdef int row = _row(get_varint(data))
        cdef int column, at
        cdef Sealed* cell
        cdef Py_ssize_t size
        cdef const char* text
        if row >= MAX_ROWS:
            raise ValueError("more rows than a table has")
        key = get_text(data)
        self._take(row, key)
        self.visible[key] = row
        self.row[row].born = get_varint(data)
        for column in range(self.width):
            at = row * self.width + column
            cell = &self.sealed[at]
            cell.tick = get_varint(data)
            self.row[row].tick = max(self.row[row].tick, cell.tick)
            if self.kind[column] == TEXT:
                self.texts[at] = self.sealed_texts[at] = get_text(data)
                text = PyUnicode_AsUTF8AndSize(self.texts[at], &size)
                cell.mantissa = text_number(text, size)
            else:
                cell.mantissa = unzigzag(get_varint(data))
                cell.exponent = <int8_t> get_varint(data)
            self.open[at].mantissa = cell.mantissa
            self.open[at].exponent = cell.exponent
        self._dirty[row] = 0
        self._touched[row >> 6] = 0
        return 0


cdef int _row(uint64_t number) except -1:
    if number > 0x7FFFFFFF:
        raise ValueError("a row number beyond 2**31")
    return <int> number
