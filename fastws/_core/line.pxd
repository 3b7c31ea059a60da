"""What sockets and the fan-out see of a line."""

cimport cython


@cython.final
cdef class Traffic:
    cdef public long long messages
    cdef public long long bytes
    cdef public long long received
    cdef public long long received_bytes


@cython.final
cdef class Cork:
    cdef object _call_soon
    cdef list _lines             # that have something to write
    cdef Py_ssize_t _next        # the first of them that has not been written
    cdef bint _called

    cdef int hold(self, Line line) except -1
    cdef void warm(self, Py_ssize_t count) noexcept
    cpdef int flush(self, int most=*) except -1


@cython.final
cdef class Line:
    cdef readonly Cork cork
    cdef public Traffic traffic  # of all lines of an endpoint
    cdef public bint full        # the transport holds bytes
    cdef readonly bint open
    cdef readonly long long messages
    cdef readonly long long bytes
    cdef readonly long long received
    cdef public object tap       # tap(payload, opcode) of each message, or None
    cdef int fd                  # -1 under TLS, and once the end has begun
    cdef object _write
    cdef object _is_closing
    cdef object _size_waiting
    cdef bytes _first            # a frame that is not written yet; mostly the only one
    cdef list _parts             # frames and pieces of frames behind it
    cdef Py_ssize_t _corked      # their bytes
    cdef long long _written      # bytes of frames ever put here
    cdef bint _held              # the cork knows of it

    cdef int count(self, Py_ssize_t size) except -1
    cpdef took(self, Py_ssize_t size)
    cdef int put(self, bytes frame, Py_ssize_t size) except -1
    cdef int hold(self, bytes part) except -1
    cpdef int flush(self) except -1
    cdef void forget_parts(self) noexcept
    cdef Py_ssize_t try_send(self) noexcept
    cdef int leave(self, Py_ssize_t sent) except -1


cdef Py_ssize_t head(unsigned char* into, int opcode, Py_ssize_t size) noexcept
cdef bytes framed(int opcode, bytes payload)
cdef double seconds() noexcept
cdef void near(void* line) noexcept
