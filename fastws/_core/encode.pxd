"""What followers and views see of the encoders."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from fastws._core.cells cimport Moves
from fastws._core.packing cimport Buffer
from fastws._core.table cimport Table

cdef enum Flag:
    SNAPSHOT = 1
    RELATIVE = 2
    CHECKSUM = 4
    REMOVED = 8
    SKIPPED = 16
    PARTIAL = 32

cdef enum Code:      # of a row; 0, 1, 2: the common sets, relative
    MASKED = 3       # mask, relative
    ABSOLUTE = 4     # mask, absolute
    FULL = 5         # key, every column, absolute

cdef enum:
    TABLE_FRAME = 1  # type of the block


cdef struct Shape:
    int count                # columns of the view
    int[64] column           # number in the view -> in the table
    int[64] number           # number in the table -> in the view
    uint64_t mask            # of the view's columns, in the table's numbers
    uint64_t every           # the same in the view's numbers
    uint64_t decimals        # those that are, in the view's numbers
    int commons
    uint64_t[3] common       # common sets, in the view's numbers


cdef struct Head:
    int64_t epoch
    int64_t tick
    int64_t base
    int64_t skipped
    uint32_t checksum
    int flags
    int channel


cdef struct Chunk:
    int64_t tick             # of which this is the row; any other: the row did not change
    uint32_t start
    uint32_t size
    uint8_t code


cdef class Encoder:
    cdef Table table
    cdef Shape* shape        # the view's, who owns this encoder
    cdef Buffer rows         # of the frame in the making
    cdef Buffer chunks       # of the rows that changed at `chunks_of`
    cdef int64_t chunks_of
    cdef Chunk* chunk
    cdef int room            # rows of `chunk`
    cdef int last            # row of the frame before
    cdef int count           # rows of the frame
    cdef bint relative       # some of them are
    cdef int users
    cdef int64_t since       # chunks exist of the ticks after this

    cdef int grown(self, int capacity) except -1
    cdef int forget_chunks(self) except -1
    cdef int join(self) except -1
    cdef int leave(self) except -1
    cdef bint has_chunks(self) except -1
    cdef uint64_t late(self, int row, int64_t since) noexcept
    cdef Chunk* new_chunk(self, int row, int64_t tick) noexcept
    cdef int changed(self, int row, uint64_t mask, Moves* moves, int64_t tick) except -1
    cdef int born(self, int row, int64_t tick) except -1
    cdef int begin(self) except -1
    cdef int gather(self, const int32_t* ids, int count) except -1
    cdef int cells(self, int row, int64_t since) except -1
    cdef int full(self, int row) except -1
    cdef bytes finish(self, Head* head, list gone, str label)


@cython.final
cdef class BinaryEncoder(Encoder):
    cdef int put_moves(self, int row, uint64_t mask, Moves* moves) except -1
    cdef int put_head(self, int row, int code) except -1
    cdef int put_cells(self, Buffer* into, int row, uint64_t mask) except -1
    cdef int put_text(self, Buffer* into, str text) except -1
