"""What the other compiled modules see of a table."""

from libc.stdint cimport int32_t, int64_t, uint64_t

from fastws._core.cells cimport Cells, Moves


cdef class Observer:
    cdef int grown(self, int capacity) except -1
    cdef int changed(self, int row, uint64_t mask, Moves* moves) except -1
    cdef int born(self, int row) except -1
    cdef int removed(self, int row) except -1
    cdef int emptied(self) except -1


cdef class Table(Cells):
    cdef readonly tuple common
    cdef readonly int64_t epoch
    cdef readonly int64_t tick
    cdef readonly int64_t previous
    cdef readonly int64_t floor
    cdef readonly double sealed_at
    cdef int32_t* moved        # rows that changed at `moved_at`, ascending
    cdef int moves
    cdef int64_t moved_at
    cdef int64_t buried_at     # tick of the newest tombstone
    cdef dict visible          # key -> row, as sealed
    cdef list keys             # row -> key
    cdef object tombstones     # of (tick, seconds, row, key)
    cdef list observers
    cdef dict waiting          # key -> set of those who follow it once it is born
    cdef dict _rows            # key -> row, as set
    cdef list _removed         # (row, key) since the last seal
    cdef list _free
    cdef bint _strict          # every cell that was written counts as changed (a replica)

    cdef int _take(self, int row, str key) except -1
    cdef int64_t _seal(self, int64_t following, double now) except -1
    cdef bint _seal_removal(self, int row, object key, int64_t following, double now) except -1
    cdef bint _seal_row(self, int row, int64_t following) except -1
    cdef int _born(self, int row) except -1
    cdef int _forget(self, double now) except -1
    cdef void watch(self, object key, object follower)
    cdef void unwatch(self, object key, object follower)
