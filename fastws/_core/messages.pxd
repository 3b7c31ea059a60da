cdef enum Event:
    NOTHING = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10
    FAILURE = 16

cdef enum:
    RSV1 = 4                     # of the three reserved bits


cdef class Messages:
    cdef Py_ssize_t _max_message
    cdef int _max_fragments
    cdef int _fragments
    cdef bint _inflates
    cdef bint _text
    cdef bint _packed            # the message is compressed
    cdef bytearray _parts
    cdef readonly bytes data
    cdef readonly Py_ssize_t inflated
    cdef readonly int code
    cdef readonly str reason

    cdef Event take(self, int opcode, bint fin, int reserved, const char* payload,
                    Py_ssize_t size) except *
    cdef Event _data(self, bint text, bint fin, const char* payload, Py_ssize_t size) except *
    cdef Event _continue(self, bint fin, const char* payload, Py_ssize_t size) except *
    cdef Event _whole(self, bint text, bytes data) except *
    cdef Event _close(self, const char* payload, Py_ssize_t size) except *
    cdef Event _fail(self, int code, str reason) except *
