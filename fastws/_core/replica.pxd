"""What other compiled modules see of a replica."""

from libc.stdint cimport int64_t, uint64_t

from fastws._core.packing cimport Bytes
from fastws._core.table cimport Table
from fastws._core.view cimport View


cdef class Replica(Table):
    cdef readonly View view
    cdef int take_removed(self, Bytes* data, list strangers) except -1
    cdef int take_row(self, Bytes* data, int row, int code) except -1
    cdef int take_cells(self, Bytes* data, int row, uint64_t mask, bint relative) except -1
    cdef int take_birth(self, int row, str key) except -1
    cdef int forget_all(self) except -1
    cdef int load_row(self, Bytes* data) except -1
