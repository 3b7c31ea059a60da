"""What the fan-out sees of a follower."""

cimport cython
from libc.stdint cimport int64_t, uint32_t

from fastws._core.encode cimport Encoder, Head
from fastws._core.rowset cimport RowSet
from fastws._core.table cimport Table
from fastws._core.view cimport View


@cython.final
cdef class Follower:
    cdef readonly View view
    cdef readonly int channel
    cdef readonly str label
    cdef readonly bint json
    cdef readonly bint all
    cdef readonly int64_t epoch
    cdef readonly int64_t base           # tick named in the last frame sent
    cdef readonly int64_t synced         # nothing is owed up to here
    cdef readonly int64_t skipped
    cdef readonly int version            # of the row set, where the server chooses it
    cdef public int pace                 # ticks from frame to frame
    cdef public bint paused
    cdef Table table
    cdef bint fresh_start                # the next frame is a snapshot's first page
    cdef bint resumed                    # the next frame names all tombstones
    cdef bint unproved                   # the next whole frame carries a checksum
    cdef bint closed
    cdef int frames                      # since the last checksum
    cdef double period
    cdef double sent                     # seconds of the last frame
    cdef int cursor                      # follows all: rows below it are held
    cdef set keys                        # follows some
    cdef RowSet rows
    cdef set left                        # ids the client is to drop

    cpdef bint due(self, double now)
    cdef bint late(self) noexcept
    cpdef bytes flush(self, double now, bint writable=*)
    cpdef restart(self)
    cpdef adopt(self, int row)
    cdef bytes make(self, double now, int64_t since, int64_t base, int64_t skipped)
    cdef bytes make_shared(self, double now)
    cdef list bury(self, int64_t since)
    cdef int put_all(self, Encoder encoder, int64_t since) except -1
    cdef int moved_below(self, int end) noexcept
    cdef int put_some(self, Encoder encoder, int64_t since) except -1
    cdef bint page_has_room(self, Encoder encoder, int row, int fulls) except -1
    cdef bint partial(self)
    cdef bint wants_proof(self)
    cdef uint32_t proof(self)
    cdef int64_t rounded(self)
    cdef bytes sent_now(self, bytes frame, double now, bint proved)
    cdef int choose(self) except -1
