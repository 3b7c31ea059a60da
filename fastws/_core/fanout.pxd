"""What a fan-out is made of."""

cimport cython
from libc.stdint cimport int64_t

from fastws._core.follower cimport Follower
from fastws._core.line cimport Line


@cython.final
cdef class Lane:
    cdef readonly Line line
    cdef readonly Follower follower     # None for a stream
    cdef public int64_t cursor          # of a stream: the offset of the last message sent
    cdef public bint live
    cdef public bint paused
    cdef readonly bint packed           # snapshots are sent compressed
    cdef Py_ssize_t at                  # its place in the fan-out; -1: in none


@cython.final
cdef class Fanout:
    cdef list _lanes
    cdef list _late                     # lanes behind the last tick, in this pass
    cdef Py_ssize_t _next
    cdef object _pack
    cdef dict _frames                   # payload of many -> the frame of it
    cdef dict _packs                    # snapshot frame -> the same compressed
    cdef double _spent                  # seconds given to laggards in this pass
    cdef readonly long long messages
    cdef readonly long long bytes
    cdef readonly long long skipped
    cdef readonly long long postponed   # laggards left for the next pass

    cdef void warm(self) noexcept
    cdef int serve(self, Lane lane, double now) except -1
    cdef bytes shared(self, bytes payload, bint json)
    cdef bytes compressed(self, bytes frame, bint json)
