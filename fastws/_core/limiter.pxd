cimport cython


@cython.final
cdef class Bucket:
    cdef readonly double rate
    cdef readonly double burst
    cdef double _level
    cdef double _at

    cdef void _fill(self, double now) noexcept
    cpdef int take(self, double now, double cost=*) noexcept
    cpdef double remaining(self, double now) noexcept
    cpdef int reset_ms(self, double now) noexcept
    cpdef int wait(self, double now, double cost=*) noexcept


cpdef int take_all(tuple buckets, double now, double cost=*) except -2


@cython.final
cdef class Buckets:
    cdef readonly double rate
    cdef readonly double burst
    cdef readonly Py_ssize_t capacity
    cdef dict _buckets

    cpdef Bucket bucket(self, object key, double now)
    cpdef int take(self, object key, double now, double cost=*) except -1
    cpdef double remaining(self, object key, double now) except -1
    cpdef int reset_ms(self, object key, double now) except -1
    cdef _make_room(self, double now)
