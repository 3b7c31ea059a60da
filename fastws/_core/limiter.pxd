cdef class Bucket:
    cdef readonly double rate
    cdef readonly double burst
    cdef double _level
    cdef double _at

    cdef void _fill(self, double now) noexcept
    cpdef int take(self, double now, double cost=*) noexcept
    cpdef double remaining(self, double now) noexcept
    cpdef int reset_ms(self, double now) noexcept
