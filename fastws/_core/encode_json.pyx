"""The JSON form of table frames: the same facts, one object a frame, every cell absolute.

A row is ``[id, mask, value, …]``, one value for each bit of the mask, or ``[id, key, value, …]``
with a value for every column. A decimal is ``[mantissa, exponent]``.
"""

from datetime import datetime, timezone

import json

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fastws._core.cells cimport DECIMAL, FLOAT, TEXT, Sealed
from fastws._core.encode cimport CHECKSUM, PARTIAL, SNAPSHOT, Chunk, Encoder, Head
from fastws._core.packing cimport Buffer, append, lowest, reserve

cdef bytes ESCAPES = b"0123456789abcdef"


@cython.final
cdef class JsonEncoder(Encoder):
    """Frames as UTF-8 text."""

    cdef bint has_chunks(self) except -1:
        return self.table.moved_at == self.table.tick

    cdef int prepare(self) except -1:
        """Chunks of the rows of the present tick, made for the first who wants them."""
        cdef int64_t tick = self.table.tick
        cdef Chunk* chunk
        cdef uint64_t mask
        cdef bint whole
        cdef int number, row
        if self.chunks_of == tick:
            return 0
        self.chunks_of = tick
        self.chunks.size = 0
        for number in range(self.table.moves):
            row = self.table.moved[number]
            whole = self.table.row[row].born == tick
            mask = self.shape.every if whole else self.late(row, tick - 1)
            if mask:
                chunk = self.new_chunk(row, tick)
                self.put_row(&self.chunks, row, mask, whole)
                chunk.size = <uint32_t> (self.chunks.size - chunk.start)
        return 0

    cdef int gather(self, const int32_t* ids, int count) except -1:
        cdef int number
        cdef Chunk* chunk
        self.prepare()
        for number in range(count):
            chunk = &self.chunk[ids[number]]
            if chunk.tick == self.table.tick:
                self.comma()
                append(&self.rows, self.chunks.data + chunk.start, chunk.size)
        return 0

    cdef int cells(self, int row, int64_t since) except -1:
        cdef uint64_t mask = self.late(row, since)
        if mask:
            self.comma()
            self.put_row(&self.rows, row, mask, False)
        return 0

    cdef int full(self, int row) except -1:
        self.comma()
        return self.put_row(&self.rows, row, self.shape.every, True)

    cdef int comma(self) except -1:
        if self.count:
            append(&self.rows, b",", 1)
        self.count += 1
        return 0

    cdef int put_row(self, Buffer* into, int row, uint64_t mask, bint whole) except -1:
        append(into, b"[", 1)
        _put_number(into, row)
        append(into, b",", 1)
        if whole:
            _put_text(into, self.table.keys[row])
        else:
            _put_number(into, <int64_t> mask)
        while mask:
            append(into, b",", 1)
            self.put_cell(into, row, self.shape.column[lowest(mask)])
            mask &= mask - 1
        return append(into, b"]", 1)

    cdef int put_cell(self, Buffer* into, int row, int column) except -1:
        cdef Sealed* cell = &self.table.sealed[row * self.table.width + column]
        cdef int kind = self.table.kind[column]
        cdef bytes text
        if kind == DECIMAL:
            append(into, b"[", 1)
            _put_number(into, cell.mantissa)
            append(into, b",", 1)
            _put_number(into, cell.exponent)
            append(into, b"]", 1)
        elif kind == TEXT:
            _put_text(into, self.table.sealed_texts[row * self.table.width + column])
        elif kind == FLOAT:
            text = repr(self.table._value(row, column)).encode()
            append(into, <const char*> text, len(text))
        else:
            _put_number(into, cell.mantissa)
        return 0

    cdef bytes finish(self, Head* head, list gone, str label):
        cdef dict fields = {
            "type": "table",
            "channel": label,
            "timestamp": _iso(self.table.sealed_at),
            "epoch": head.epoch,
            "tick": head.tick,
            "base": head.base,
        }
        if head.flags & SNAPSHOT:
            fields["snapshot"] = True
            fields["columns"] = [
                {"name": self.table.columns[self.shape.column[number]].name,
                 "kind": self.table.columns[self.shape.column[number]].kind}
                for number in range(self.shape.count)]
        if head.skipped:
            fields["skipped"] = head.skipped
        if head.flags & CHECKSUM:
            fields["checksum"] = head.checksum
        if head.flags & PARTIAL:
            fields["partial"] = True
        if gone:
            fields["removed"] = gone
        front = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).removesuffix("}") + ',"rows":['
        return front.encode() + PyBytes_FromStringAndSize(
            <char*> self.rows.data, self.rows.size) + b"]}"


cdef str _iso(double seconds):
    moment = datetime.fromtimestamp(max(seconds, 0.0), timezone.utc)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


cdef int _put_number(Buffer* into, int64_t number) except -1:
    cdef uint8_t[20] digits
    cdef int count = 0
    cdef uint64_t rest = <uint64_t> number
    if number < 0:
        append(into, b"-", 1)
        rest = -rest
    while True:
        count += 1
        digits[20 - count] = <uint8_t> (48 + rest % 10)
        rest //= 10
        if rest == 0:
            return append(into, &digits[20 - count], count)


cdef int _put_text(Buffer* into, str text) except -1:
    cdef Py_ssize_t size, at
    cdef const char* data = PyUnicode_AsUTF8AndSize(text, &size)
    cdef const char* hexadecimal = ESCAPES
    cdef uint8_t byte
    cdef uint8_t* to
    reserve(into, 6 * size + 2)
    to = into.data + into.size
    to[0] = 34
    to += 1
    for at in range(size):
        byte = <uint8_t> data[at]
        if byte < 32:
            memcpy(to, b"\\u00", 4)
            to[4] = hexadecimal[byte >> 4]
            to[5] = hexadecimal[byte & 15]
            to += 6
            continue
        if byte == 34 or byte == 92:
            to[0] = 92
            to += 1
        to[0] = byte
        to += 1
    to[0] = 34
    into.size = to + 1 - into.data
    return 0
