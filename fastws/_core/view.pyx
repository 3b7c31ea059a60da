"""A view: some columns of a table, with chunks and checksums of their own.

Followers of one view are served from the same chunks. Most tables have one view, all columns;
others exist because some roles may see less. Columns of a view are numbered from 0 in the
order of the table; masks and hashes on the wire use these numbers.
"""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcmp, memcpy, memset

from fastws._core.cells cimport DECIMAL, Moves, Sealed, again
from fastws._core.encode cimport BinaryEncoder, Encoder, Shape
from fastws._core.encode_json cimport JsonEncoder
from fastws._core.packing cimport cell_hash, lowest
from fastws._core.table cimport Observer, Table

VIEWS = 4
SHARED_FRAMES = 64
cdef uint64_t ONE = 1


@cython.final
cdef class View(Observer):
    """Columns of ``table`` by name, all of them by default; at most four views of a table.

    ``checksum`` is that of everything sealed. A view lives as long as its table.
    """

    def __cinit__(self, Table table not None, columns=None):
        """`KeyError` for an unknown column, `ValueError` for none or for a fifth view."""
        cdef int column
        names = {one.name for one in table.columns} if columns is None else set(columns)
        for name in names:
            if name not in table.index:
                raise KeyError(name)
        if not names or len(table.observers) >= VIEWS:
            raise ValueError("a view has a column, and a table at most four views")
        self.table = table
        self.columns = tuple(one for one in table.columns if one.name in names)
        for column in range(table.width):
            if table.columns[column].name in names:
                self.shape.number[column] = self.shape.count
                self.shape.column[self.shape.count] = column
                self.shape.decimals |= <uint64_t> (table.kind[column] == DECIMAL) << self.shape.count
                self.shape.count += 1
                self.shape.mask |= ONE << column
        self.shape.every = ~(<uint64_t> 0) >> (64 - self.shape.count)
        self._choose_common()
        self.binary = BinaryEncoder.__new__(BinaryEncoder)
        self.json = JsonEncoder.__new__(JsonEncoder)
        self.binary.table = self.json.table = table
        self.binary.shape = self.json.shape = &self.shape
        self._frames = {}
        if table.capacity:
            self.grown(table.capacity)
        for row in table.visible.values():
            self.hashes[<int> row] = self.hash_cells(row)
            self.checksum += self.hashes[<int> row]
        table.observers.append(self)

    def __dealloc__(self):
        free(self.hashes)
        free(self.cell_hashes)

    def _choose_common(self):
        """The common sets as this view sees them; what of one it does not see is left out."""
        cdef uint64_t mask
        masks = []
        for names in self.table.common:
            mask = 0
            for name in names:
                mask |= ONE << <int> self.table.index[name]
            mask = self.project(mask)
            if mask and mask not in masks:
                self.shape.common[self.shape.commons] = mask
                self.shape.commons += 1
                masks.append(mask)

    def describe(self):
        """What a client must know to read frames: ``columns`` with their kinds, ``common`` masks."""
        return {
            "columns": [{"name": one.name, "kind": one.kind} for one in self.columns],
            "common": [self.shape.common[number] for number in range(self.shape.commons)],
        }

    def hash_of(self, key):
        """The share of a row in ``checksum``; 0 if there is no such row."""
        row = self.table.visible.get(key)
        return 0 if row is None else self.hashes[<int> row]

    # -- what the table tells ----------------------------------------------------------------

    cdef int grown(self, int capacity) except -1:
        self.hashes = <uint32_t*> again(self.hashes, capacity * sizeof(uint32_t))
        self.cell_hashes = <uint32_t*> again(
            self.cell_hashes, <size_t> capacity * self.shape.count * sizeof(uint32_t))
        self.binary.grown(capacity)
        return self.json.grown(capacity)

    cdef int changed(self, int row, uint64_t mask, Moves* moves) except -1:
        cdef Sealed* cell = &self.table.sealed[row * self.table.width]
        cdef uint64_t seen = self.project(mask)
        cdef uint64_t left = seen
        cdef uint32_t* hashes = &self.cell_hashes[row * self.shape.count]
        cdef uint32_t hashed, difference = 0
        cdef int number, column
        if not seen:
            return 0
        while left:
            number = lowest(left)
            left &= left - 1
            column = self.shape.column[number]
            hashed = cell_hash(row, number, cell[column].mantissa, cell[column].exponent)
            difference += hashed - hashes[number]
            hashes[number] = hashed
        self.hashes[row] += difference
        self.checksum += difference
        if self.binary.users:
            self.binary.changed(row, seen, moves, self.table.moved_at)
        return 0

    cdef int born(self, int row) except -1:
        self.hashes[row] = self.hash_cells(row)
        self.checksum += self.hashes[row]
        if self.binary.users:
            self.binary.born(row, self.table.moved_at)
        return 0

    cdef int removed(self, int row) except -1:
        self.checksum -= self.hashes[row]
        self.hashes[row] = 0
        return 0

    cdef int emptied(self) except -1:
        self.checksum = 0
        self._frames_of = -1
        self.binary.forget_chunks()
        return self.json.forget_chunks()

    cdef uint64_t project(self, uint64_t mask) noexcept:
        """A mask of the table's columns in the view's numbers."""
        cdef uint64_t seen = 0
        mask &= self.shape.mask
        if self.shape.count == self.table.width:
            return mask
        while mask:
            seen |= ONE << self.shape.number[lowest(mask)]
            mask &= mask - 1
        return seen

    cdef uint32_t hash_cells(self, int row) noexcept:
        cdef Sealed* cell = &self.table.sealed[row * self.table.width]
        cdef uint32_t* hashes = &self.cell_hashes[row * self.shape.count]
        cdef uint32_t total = 0
        cdef int number, column
        for number in range(self.shape.count):
            column = self.shape.column[number]
            hashes[number] = cell_hash(
                row, number, cell[column].mantissa, cell[column].exponent)
            total += hashes[number]
        return total

    # -- what followers ask --------------------------------------------------------------------

    cdef Encoder encoder(self, bint json):
        return self.json if json else self.binary

    cdef int begin(self) except -1:
        """Forget frames of older ticks."""
        if self._frames_of != self.table.tick:
            self._frames_of = self.table.tick
            self._frames.clear()
            self.laggards = 0
            self.last_made = None
        return 0

    cdef tuple made(self, const Place* place):
        """(frame, cursor after it, whether it had a checksum) for who stands there, or None.

        Most ask for what was asked for last: a comparison of memory instead of a look-up."""
        if self.last_made is None or memcmp(place, &self.last, sizeof(Place)):
            self.last_made = self._frames.get((<const char*> place)[:sizeof(Place)])
            memcpy(&self.last, place, sizeof(Place))
        return self.last_made

    cdef int keep(self, const Place* place, tuple made, bint late) except -1:
        """A frame that others may want, too."""
        if len(self._frames) < SHARED_FRAMES:
            self._frames[(<const char*> place)[:sizeof(Place)]] = made
            self.laggards += late
        self.last_made = made
        return 0
