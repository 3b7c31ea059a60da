"""A client's line: what it is sent in one turn of the loop leaves in one write.

A `Line` holds frames back until its `Cork` is flushed, at the end of the turn, and then sends
them by its own ``writev(2)``; what the kernel does not take goes to the transport. While that
holds bytes the line is ``full``. Descriptors are reused as soon as they are closed: a line asks
its transport before it writes, and forgets its descriptor before anything closes it.
Source: tables.md, "Sockets"; RFC 6455 section 5.2 (heads of frames).
"""

import asyncio
import logging

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from libc.string cimport memcpy
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

cdef extern from "<sys/uio.h>" nogil:
    struct iovec:
        void* iov_base
        size_t iov_len
    ssize_t writev(int fd, const iovec* parts, int count)

cdef extern from "<sys/socket.h>" nogil:
    int MSG_DONTWAIT
    int MSG_NOSIGNAL
    ssize_t send(int fd, const void* data, size_t size, int flags)

cdef extern from *:
    """
    #define WARM(object) __builtin_prefetch((const void *)(object))
    #define SELF(method) (PyMethod_Check(method) ? PyMethod_GET_SELF(method) : \
        PyCFunction_Check(method) ? PyCFunction_GET_SELF(method) : (method))
    """
    void WARM(void* object) noexcept
    void* SELF(object method) noexcept

CORKED = 16384
"""Bytes a line holds back at most: what is more leaves at once."""

COMPRESSED = 0x40
"""RSV1: the payload of the message is compressed (RFC 7692)."""

SLICE_LINES = 200
SLICE_SECONDS = 0.001

log = logging.getLogger("fastws.line")

cdef Py_ssize_t MOST = CORKED
cdef Py_ssize_t COPIED = 8192        # a longer payload is not copied to stand behind its head
cdef enum:
    PARTS = 64                       # of one writev
    AHEAD = 6                        # lines whose memory is fetched while others are written


@cython.final
cdef class Traffic:
    """Messages and payload bytes that left, and that came, for whoever shares it."""


@cython.final
cdef class Cork:
    """Lines with something to write, flushed at the end of the loop's turn, a slice at a time.

    ``call_soon(step)`` runs a step in the next turn; the running loop's by default.
    """

    def __cinit__(self, call_soon=None):
        self._call_soon = call_soon
        self._lines = []

    cdef int hold(self, Line line) except -1:
        self._lines.append(line)
        if not self._called:
            self._called = True
            if self._call_soon is None:
                asyncio.get_running_loop().call_soon(self._turn)
            else:
                self._call_soon(self._turn)
        return 0

    def _turn(self):
        self._called = False
        if self.flush(SLICE_LINES) and not self._called:
            self._called = True
            (self._call_soon or asyncio.get_running_loop().call_soon)(self._turn)

    cpdef int flush(self, int most=0x7FFFFFFF) except -1:
        """Write at most that many lines, within a slice; the number of those that still wait.

        Without ``most`` all of them are written, however long it takes.
        """
        cdef double begun = seconds() if most < 0x7FFFFFFF else 1e300
        cdef Py_ssize_t count = PyList_GET_SIZE(self._lines)
        cdef Line line
        while self._next < count and most > 0:
            self.warm(count)
            line = <Line> PyList_GET_ITEM(self._lines, self._next)
            self._next += 1
            most -= 1
            try:
                line.flush()
            except Exception:  # its fault is not that of the lines after it
                log.exception("A line could not be written")
                line.forget()
            if most & 15 == 0 and seconds() - begun >= SLICE_SECONDS:
                break
        if self._next >= PyList_GET_SIZE(self._lines):
            self._lines.clear()
            self._next = 0
        return <int> (PyList_GET_SIZE(self._lines) - self._next)


    cdef void warm(self, Py_ssize_t count) noexcept:
        """Fetch what the next lines need, one step of the way a line: itself, its frame and the
        method it asks, the transport behind the method."""
        cdef Line line
        if self._next + AHEAD < count:
            near(<void*> PyList_GET_ITEM(self._lines, self._next + AHEAD))
            line = <Line> PyList_GET_ITEM(self._lines, self._next + 2 * AHEAD // 3)
            WARM(<void*> line._is_closing)
            WARM(<void*> line._first)
            line = <Line> PyList_GET_ITEM(self._lines, self._next + AHEAD // 3)
            WARM(SELF(line._is_closing))


@cython.final
cdef class Line:
    """Frames of one client. ``write``, ``is_closing`` and ``size_waiting`` are its transport's.

    With a descriptor ``fd`` it writes by itself as long as the transport holds nothing; without
    (TLS) everything goes to the transport. ``messages`` and ``bytes`` count payloads of data
    frames, ``received`` messages that came; ``full`` is set by whoever hears `pause_writing` and `resume_writing`.
    """

    def __cinit__(self, Cork cork not None, write, int fd=-1, is_closing=None, size_waiting=None):
        self.cork = cork
        self.traffic = Traffic()
        self.open = True
        self.fd = fd
        self._write = write
        self._is_closing = is_closing
        self._size_waiting = size_waiting
        self._parts = []

    @property
    def pending(self):
        """Bytes the transport holds because the kernel did not take them."""
        return 0 if self._size_waiting is None else self._size_waiting()

    @property
    def corked(self):
        """Bytes that leave at the end of this turn."""
        return self._corked

    @property
    def accepted(self):
        """Bytes, heads included, that the kernel or a TLS layer has taken."""
        return self._written - self._corked - self.pending

    def send(self, bytes payload not None, int opcode=1):
        """Frame one message (or a control frame) and hold it; nothing once the end has begun.

        ``opcode`` may have `COMPRESSED` set.
        """
        cdef unsigned char[10] front
        cdef Py_ssize_t size = PyBytes_GET_SIZE(payload)
        if not self.open:
            return
        if opcode & 0x0F < 8:
            self.count(size)
            if self.tap is not None:
                self.tap(payload, opcode)
        if size <= COPIED:
            self.hold(framed(opcode, payload))
        else:
            self.hold(PyBytes_FromStringAndSize(<char*> front, head(front, opcode, size)))
            self.hold(payload)

    def end(self):
        """Write what is held and let go of the descriptor: it may soon be another's."""
        if self.open:
            self.flush()
            self.forget()

    def forget(self):
        """Write nothing any more, not even what is held."""
        self.open = False
        self.fd = -1
        self.forget_parts()
        self._written -= self._corked
        self._corked = 0
        self._write = self._is_closing = self._size_waiting = None

    cdef int count(self, Py_ssize_t size) except -1:
        self.messages += 1
        self.bytes += size
        self.traffic.messages += 1
        self.traffic.bytes += size
        return 0

    cpdef took(self, Py_ssize_t size):
        """A message of so many bytes came in."""
        self.received += 1
        self.traffic.received += 1
        self.traffic.received_bytes += size

    cdef int put(self, bytes frame, Py_ssize_t size) except -1:
        """Hold a frame of a message that is framed already; ``size`` is its payload's."""
        if self.open:
            self.count(size)
            self.hold(frame)
            if self.tap is not None:
                self.tap(frame[PyBytes_GET_SIZE(frame) - size:],
                         <unsigned char> PyBytes_AS_STRING(frame)[0] & 0x0F)
        return 0

    cdef int hold(self, bytes part) except -1:
        cdef Py_ssize_t size = PyBytes_GET_SIZE(part)
        if self._first is None:
            self._first = part
        else:
            self._parts.append(part)
        self._corked += size
        self._written += size
        if self._corked > MOST:
            return self.flush()
        if not self._held:
            self._held = True
            self.cork.hold(self)
        return 0

    cpdef int flush(self) except -1:
        """Write what is held; what the kernel does not take waits in the transport."""
        cdef Py_ssize_t sent = 0
        self._held = False
        if not self._corked:
            return 0
        if self._is_closing is not None and self._is_closing():
            self.forget()
            return 0
        if self.fd >= 0 and not self.full:
            sent = self.try_send()
            if sent == self._corked:
                self.forget_parts()
                self._corked = 0
                return 0
        return self.leave(sent)

    cdef void forget_parts(self) noexcept:
        self._first = None
        if PyList_GET_SIZE(self._parts):
            self._parts.clear()

    cdef Py_ssize_t try_send(self) noexcept:
        """Bytes the kernel took; 0 too for a broken socket, which the transport finds out."""
        cdef iovec[PARTS] parts
        cdef Py_ssize_t count = PyList_GET_SIZE(self._parts)
        cdef Py_ssize_t at
        cdef ssize_t sent
        if not count:
            sent = send(self.fd, PyBytes_AS_STRING(self._first), self._corked,
                        MSG_DONTWAIT | MSG_NOSIGNAL)
            return max(sent, <ssize_t> 0)
        count = min(count + 1, <Py_ssize_t> PARTS)
        for at in range(count):
            part = <bytes> PyList_GET_ITEM(self._parts, at - 1) if at else self._first
            parts[at].iov_base = <void*> PyBytes_AS_STRING(part)
            parts[at].iov_len = PyBytes_GET_SIZE(part)
        sent = writev(self.fd, parts, <int> count)
        return max(sent, <ssize_t> 0)

    cdef int leave(self, Py_ssize_t sent) except -1:
        """Give the transport everything behind the first ``sent`` bytes."""
        cdef Py_ssize_t size
        parts = [self._first, *self._parts]
        self.forget_parts()
        self._corked = 0
        for part in parts:
            size = PyBytes_GET_SIZE(part)
            if sent >= size:
                sent -= size
            elif sent:
                self._write(memoryview(part)[sent:])
                sent = 0
            else:
                self._write(part)
        return 0


cdef void near(void* object) noexcept:
    """Fetch what will be needed soon: of a thousand lines most lie outside of the caches.

    Most of a delivery's own time was spent waiting for memory (``perf annotate`` of ``python -m
    bench peers --only=broadcast``).
    """
    WARM(<char*> object)
    WARM(<char*> object + 64)
    WARM(<char*> object + 128)


cdef double seconds() noexcept:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec + now.tv_nsec * 1e-9


cdef Py_ssize_t head(unsigned char* into, int opcode, Py_ssize_t size) noexcept:
    """A server's frame head: FIN, no mask, the shortest length."""
    cdef int shift
    into[0] = 0x80 | opcode
    if size < 126:
        into[1] = <unsigned char> size
        return 2
    if size < 65536:
        into[1] = 126
        into[2], into[3] = <unsigned char> (size >> 8), <unsigned char> (size & 0xFF)
        return 4
    into[1] = 127
    for shift in range(8):
        into[2 + shift] = <unsigned char> ((size >> (56 - 8 * shift)) & 0xFF)
    return 10


cdef bytes framed(int opcode, bytes payload):
    """A whole frame."""
    cdef unsigned char[10] front
    cdef Py_ssize_t size = PyBytes_GET_SIZE(payload)
    cdef Py_ssize_t first = head(front, opcode, size)
    cdef bytes made = PyBytes_FromStringAndSize(NULL, first + size)
    memcpy(PyBytes_AS_STRING(made), front, first)
    memcpy(PyBytes_AS_STRING(made) + first, PyBytes_AS_STRING(payload), size)
    return made
