"""Rows to bytes: the chunk of each row that changed at a tick, and frames made of rows.

A chunk is encoded once, at the seal, and copied into the frame of everybody who stands at the
tick before. Whoever stands elsewhere gets the cells that changed since, one by one and
absolute. Ids are written when the frame is made, as gaps, so a chunk does not contain its own.
The binary layout is in docs/wire.md, "Table frames".
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from fastws._core.cells cimport DECIMAL, ENUM, FLOAT, INT, TEXT, Moves, Sealed, again
from fastws._core.packing cimport (
    SLACK, Buffer, append, lowest, put_varint, reserve, zigzag,
)

cdef uint64_t ONE = 1


cdef class Encoder:
    """What both codecs share. One for each view and codec; it makes one frame at a time."""

    def __dealloc__(self):
        free(self.rows.data)
        free(self.chunks.data)
        free(self.chunk)

    cdef int grown(self, int capacity) except -1:
        self.chunk = <Chunk*> again(self.chunk, capacity * sizeof(Chunk))
        memset(&self.chunk[self.room], 0, (capacity - self.room) * sizeof(Chunk))
        self.room = capacity
        return 0

    cdef int forget_chunks(self) except -1:
        self.chunks_of = -1
        self.since = 0
        if self.room:
            memset(self.chunk, 0, self.room * sizeof(Chunk))
        return 0

    cdef int join(self) except -1:
        """One follower more: from the next seal on there are chunks."""
        if self.users == 0:
            self.since = self.table.tick
        self.users += 1
        return 0

    cdef int leave(self) except -1:
        self.users -= 1
        return 0

    cdef bint has_chunks(self) except -1:
        """Whether the rows of the table's present tick are there as chunks."""
        return self.since < self.table.tick

    cdef uint64_t late(self, int row, int64_t since) noexcept:
        """Columns of the view that changed after ``since``, in the view's numbers."""
        cdef Sealed* cell = &self.table.sealed[row * self.table.width]
        cdef uint64_t mask = 0
        cdef int column
        for column in range(self.shape.count):
            mask |= <uint64_t> (cell[self.shape.column[column]].tick > since) << column
        return mask

    cdef Chunk* new_chunk(self, int row, int64_t tick) noexcept:
        cdef Chunk* chunk = &self.chunk[row]
        if self.chunks_of != tick:
            self.chunks_of = tick
            self.chunks.size = 0
        chunk.tick = tick
        chunk.start = <uint32_t> self.chunks.size
        return chunk

    cdef int changed(self, int row, uint64_t mask, Moves* moves, int64_t tick) except -1:
        """Cells of a row changed at ``tick``; ``mask`` in the view's numbers, not empty."""
        return 0

    cdef int born(self, int row, int64_t tick) except -1:
        return 0

    cdef int begin(self) except -1:
        """A new frame."""
        self.rows.size = 0
        self.last = -1
        self.count = 0
        self.relative = False
        return 0

    cdef int gather(self, const int32_t* ids, int count) except -1:
        """Add those of these rows (ascending) that changed at the table's present tick."""
        return 0

    cdef int cells(self, int row, int64_t since) except -1:
        """Add the cells of a row that changed after ``since``, if any."""
        return 0

    cdef int full(self, int row) except -1:
        """Add a row with its key and every cell."""
        return 0

    cdef bytes finish(self, Head* head, list gone, str label):
        """The frame with the rows that were added and the ids that are gone."""
        raise NotImplementedError


@cython.final
cdef class BinaryEncoder(Encoder):
    """Blocks of the binary format; several in a row are a message."""

    cdef int changed(self, int row, uint64_t mask, Moves* moves, int64_t tick) except -1:
        cdef Chunk* chunk = self.new_chunk(row, tick)
        reserve(&self.chunks, 10 + 10 * self.shape.count)
        chunk.code = self.put_moves(row, mask, moves)
        if chunk.code == ABSOLUTE:
            self.chunks.size = (
                put_varint(self.chunks.data + chunk.start, mask) - self.chunks.data)
            self.put_cells(&self.chunks, row, mask)
        chunk.size = <uint32_t> (self.chunks.size - chunk.start)
        return 0

    cdef int put_moves(self, int row, uint64_t mask, Moves* moves) except -1:
        """The relative form and its code; `ABSOLUTE` if it cannot be had or would gain nothing."""
        cdef int code = 0
        cdef int column
        cdef uint64_t decimals = mask & self.shape.decimals
        cdef uint8_t* at = self.chunks.data + self.chunks.size
        if not decimals:
            return ABSOLUTE
        while code < self.shape.commons and self.shape.common[code] != mask:
            code += 1
        if code == self.shape.commons:
            code = MASKED
            at = put_varint(at, mask)
        while mask:
            column = self.shape.column[lowest(mask)]
            if decimals & mask & -mask:
                if moves.jumped >> column & 1:
                    return ABSOLUTE
                at = put_varint(at, zigzag(moves.by[column]))
            else:
                self.chunks.size = at - self.chunks.data
                self.put_cells(&self.chunks, row, mask & -mask)
                reserve(&self.chunks, 10 * self.shape.count)
                at = self.chunks.data + self.chunks.size
            mask &= mask - 1
        self.chunks.size = at - self.chunks.data
        return code

    cdef int born(self, int row, int64_t tick) except -1:
        cdef Chunk* chunk = self.new_chunk(row, tick)
        chunk.code = FULL
        self.put_text(&self.chunks, self.table.keys[row])
        self.put_cells(&self.chunks, row, self.shape.every)
        chunk.size = <uint32_t> (self.chunks.size - chunk.start)
        return 0

    cdef int gather(self, const int32_t* ids, int count) except -1:
        cdef int64_t tick = self.table.tick
        cdef Chunk* chunk
        cdef uint8_t* at
        cdef int number, row, last = self.last, rows = 0, lowest_code = FULL
        reserve(&self.rows, self.chunks.size + 6 * <size_t> count)
        at = self.rows.data + self.rows.size
        for number in range(count):
            row = ids[number]
            chunk = &self.chunk[row]
            if chunk.tick != tick:
                continue
            at = put_varint(at, <uint64_t> (row - last - 1) << 3 | chunk.code)
            last = row
            rows += 1
            if chunk.code < lowest_code:
                lowest_code = chunk.code
            if chunk.size <= SLACK:  # a constant size is two instructions, not a call
                memcpy(at, self.chunks.data + chunk.start, SLACK)
            else:
                memcpy(at, self.chunks.data + chunk.start, chunk.size)
            at += chunk.size
        self.last = last
        self.count += rows
        self.relative |= lowest_code < ABSOLUTE
        self.rows.size = at - self.rows.data
        return 0

    cdef int cells(self, int row, int64_t since) except -1:
        cdef uint64_t mask = self.late(row, since)
        if mask:
            self.put_head(row, ABSOLUTE)
            self.rows.size = (
                put_varint(self.rows.data + self.rows.size, mask) - self.rows.data)
            self.put_cells(&self.rows, row, mask)
        return 0

    cdef int full(self, int row) except -1:
        self.put_head(row, FULL)
        self.put_text(&self.rows, self.table.keys[row])
        return self.put_cells(&self.rows, row, self.shape.every)

    cdef int put_head(self, int row, int code) except -1:
        reserve(&self.rows, 20)
        self.rows.size = put_varint(
            self.rows.data + self.rows.size, <uint64_t> (row - self.last - 1) << 3 | code
        ) - self.rows.data
        self.last = row
        self.count += 1
        return 0

    cdef int put_cells(self, Buffer* into, int row, uint64_t mask) except -1:
        """Absolute cells of the view's columns in ``mask``."""
        cdef Sealed* cells = &self.table.sealed[row * self.table.width]
        cdef Sealed* cell
        cdef int column, kind
        cdef uint8_t* at
        reserve(into, 11 * self.shape.count)
        at = into.data + into.size
        while mask:
            column = self.shape.column[lowest(mask)]
            cell = &cells[column]
            kind = self.table.kind[column]
            if kind == DECIMAL:
                at = put_varint(at, zigzag(cell.mantissa))
                at[0] = <uint8_t> cell.exponent
                at += 1
            elif kind == INT:
                at = put_varint(at, zigzag(cell.mantissa))
            elif kind == ENUM:
                at = put_varint(at, <uint64_t> cell.mantissa)
            elif kind == FLOAT:
                for kind in range(4):
                    at[kind] = <uint8_t> (cell.mantissa >> (8 * kind))
                at += 4
            else:
                into.size = at - into.data
                self.put_text(into, self.table.sealed_texts[row * self.table.width + column])
                reserve(into, 11 * self.shape.count)
                at = into.data + into.size
            mask &= mask - 1
        into.size = at - into.data
        return 0

    cdef int put_text(self, Buffer* into, str text) except -1:
        cdef Py_ssize_t size
        cdef const char* data = PyUnicode_AsUTF8AndSize(text, &size)
        reserve(into, size + 10)
        into.size = put_varint(into.data + into.size, size) - into.data
        return append(into, data, size)

    cdef bytes finish(self, Head* head, list gone, str label):
        cdef Buffer* rows = &self.rows
        cdef uint8_t[96] room
        cdef uint8_t* at = room
        cdef uint8_t[10] length
        cdef Buffer ids
        cdef int front
        cdef size_t body
        cdef bytes made
        cdef char* into
        head.flags |= (RELATIVE * self.relative | REMOVED * bool(gone)
                       | SKIPPED * (head.skipped > 0))
        at[0] = TABLE_FRAME
        at = put_varint(at + 1, head.channel)
        at[0] = <uint8_t> head.flags
        at = put_varint(at + 1, head.tick)
        at = put_varint(at, head.tick - head.base)
        if head.flags & SNAPSHOT:
            at = put_varint(at, head.epoch)
        if head.flags & SKIPPED:
            at = put_varint(at, head.skipped)
        if head.flags & CHECKSUM:
            for front in range(4):
                at[front] = <uint8_t> (head.checksum >> (8 * front))
            at += 4
        memset(&ids, 0, sizeof(ids))
        try:
            _put_ids(&ids, gone)
            body = (at - room) + ids.size + rows.size
            front = put_varint(length, body) - length
            made = PyBytes_FromStringAndSize(NULL, front + body)
            into = PyBytes_AS_STRING(made)
            memcpy(into, length, front)
            memcpy(into + front, room, at - room)
            into += front + (at - room)
            if ids.size:
                memcpy(into, ids.data, ids.size)
            if rows.size:
                memcpy(into + ids.size, rows.data, rows.size)
        finally:
            free(ids.data)
        return made


cdef int _put_ids(Buffer* into, list gone) except -1:
    """How many ids, and the gaps between them; nothing if there are none."""
    cdef int last = -1
    cdef int row
    if not gone:
        return 0
    reserve(into, 6 * (len(gone) + 1))
    into.size = put_varint(into.data, len(gone)) - into.data
    for row in gone:
        into.size = put_varint(into.data + into.size, row - last - 1) - into.data
        last = row
    return 0
