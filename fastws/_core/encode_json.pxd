"""What views see of the JSON encoder."""

cimport cython
from libc.stdint cimport uint64_t

from fastws._core.encode cimport Encoder
from fastws._core.packing cimport Buffer


@cython.final
cdef class JsonEncoder(Encoder):
    cdef int prepare(self) except -1
    cdef int comma(self) except -1
    cdef int put_row(self, Buffer* into, int row, uint64_t mask, bint whole) except -1
    cdef int put_cell(self, Buffer* into, int row, int column) except -1
