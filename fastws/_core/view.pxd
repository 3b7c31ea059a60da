"""What followers see of a view."""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

from fastws._core.cells cimport Moves
from fastws._core.encode cimport BinaryEncoder, Encoder, Shape
from fastws._core.encode_json cimport JsonEncoder
from fastws._core.table cimport Observer, Table


cdef struct Place:           # where a follower of everything stands: who stands there gets one frame
    int64_t epoch, base, since, skipped
    int channel, cursor
    bint json, fresh, resumed, proof, quiet


@cython.final
cdef class View(Observer):
    cdef readonly Table table
    cdef readonly tuple columns
    cdef readonly uint32_t checksum      # of all rows
    cdef Shape shape
    cdef uint32_t* hashes                # of each row
    cdef uint32_t* cell_hashes           # of each cell
    cdef BinaryEncoder binary
    cdef JsonEncoder json
    cdef dict _frames                    # what was made at `_frames_of`, for the next who needs it
    cdef int64_t _frames_of
    cdef Place last                      # of the frame that was asked for last
    cdef tuple last_made
    cdef int laggards                    # frames made at that tick for bases of their own

    cdef uint64_t project(self, uint64_t mask) noexcept
    cdef uint32_t hash_cells(self, int row) noexcept
    cdef Encoder encoder(self, bint json)
    cdef int begin(self) except -1
    cdef tuple made(self, const Place* place)
    cdef int keep(self, const Place* place, tuple made, bint late) except -1
