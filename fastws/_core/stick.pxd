"""What a stick keeps."""

cimport cython
from libc.stdint cimport int64_t

from fastws._core.arena cimport Arena
from fastws._core.limiter cimport Bucket


@cython.final
cdef class Stick:
    cdef readonly int number
    cdef readonly int64_t applied, late, limited, clamped, fast
    cdef public Bucket bucket
    cdef public object on_refused
    cdef Arena _arena
    cdef list _changes
    cdef int _throttle, _turn
    cdef bint _fire, _latched, _playing, _refused
    cdef int64_t _seq, _clock_t
    cdef double _clock_at

    cpdef bint put(self, double now, int64_t seq, int64_t t, int throttle, int turn, bint fire)
    cdef void watch(self, double now, int64_t t) noexcept
