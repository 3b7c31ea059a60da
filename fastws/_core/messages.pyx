"""Frames in, messages out: what RFC 6455 and 7692 ask of a sequence of frames. No socket, no clock.

The frame parser (picows) refuses unmasked frames, unknown opcodes, long or fragmented control
frames and lengths spelt badly. Everything that needs the frames before it, or the bytes of the
payload, is here: fragments (section 5.4), reserved bits (5.2), UTF-8 (8.1), the size of a whole
message, close codes (7.4), compressed messages (RFC 7692 section 6.2). A failure ends the conversation: the caller takes nothing after it.
"""

import zlib

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

NORMAL_CLOSURE = 1000
PROTOCOL_ERROR = 1002
NO_STATUS = 1005
INVALID_TEXT = 1007
TOO_BIG = 1009


cdef class Messages:
    """Puts the messages of one connection together.

    ``max_message`` is in bytes, as sent and as inflated, ``max_fragments`` the frames one message
    may come in, ``inflates`` whether messages may be compressed, each for itself. After `feed` says ``text`` or ``binary``, ``data`` is the message; after ``ping`` or ``pong`` the
    payload; after ``close`` or ``failure``, ``code`` and ``reason`` say what and why. ``inflated``
    is the size of the last message if it had to be inflated, else 0.
    """

    def __init__(self, Py_ssize_t max_message, int max_fragments=64, bint inflates=False):
        """`ValueError` unless both are positive."""
        if max_message <= 0 or max_fragments <= 0:
            raise ValueError("max_message and max_fragments must be positive")
        self._max_message = max_message
        self._max_fragments = max_fragments
        self._inflates = inflates
        self._parts = None
        self.data = b""
        self.code = 0
        self.reason = ""

    def feed(self, int opcode, bint fin, int reserved, bytes payload not None):
        """Take one frame; the name of what it completes, or ``""`` for nothing yet.

        ``reserved`` are the bits RSV1 (4) to RSV3 (1).
        """
        return _NAMES[self.take(opcode, fin, reserved, payload, len(payload))]

    @property
    def waiting(self):
        """Bytes of the unfinished message held."""
        return 0 if self._parts is None else len(self._parts)

    cdef Event take(self, int opcode, bint fin, int reserved, const char* payload,
                    Py_ssize_t size) except *:
        cdef bint packed = reserved == RSV1 and self._inflates
        if reserved and not (packed and (opcode == TEXT or opcode == BINARY)):
            return self._fail(PROTOCOL_ERROR, "Reserved bits that were not agreed on")
        if opcode == TEXT or opcode == BINARY:
            if self._parts is None:
                self._packed = packed
            return self._data(opcode == TEXT, fin, payload, size)
        if opcode == 0:
            return self._continue(fin, payload, size)
        if opcode == CLOSE:
            return self._close(payload, size)
        if opcode == PING or opcode == PONG:
            self.data = PyBytes_FromStringAndSize(payload, size)
            return PING if opcode == PING else PONG
        return self._fail(PROTOCOL_ERROR, "Unknown opcode")

    cdef Event _data(self, bint text, bint fin, const char* payload, Py_ssize_t size) except *:
        if self._parts is not None:
            return self._fail(PROTOCOL_ERROR, "A new message inside a fragmented one")
        if size > self._max_message:
            return self._fail(TOO_BIG, "Message too big")
        if fin:
            return self._whole(text, PyBytes_FromStringAndSize(payload, size))
        self._text = text
        self._fragments = 1
        self._parts = bytearray(PyBytes_FromStringAndSize(payload, size))
        return NOTHING

    cdef Event _continue(self, bint fin, const char* payload, Py_ssize_t size) except *:
        if self._parts is None:
            return self._fail(PROTOCOL_ERROR, "A continuation of nothing")
        self._fragments += 1
        if len(self._parts) + size > self._max_message:
            return self._fail(TOO_BIG, "Message too big")
        if self._fragments > self._max_fragments:
            return self._fail(TOO_BIG, "Message in too many fragments")
        self._parts += PyBytes_FromStringAndSize(payload, size)
        if not fin:
            return NOTHING
        whole = bytes(self._parts)
        self._parts = None
        return self._whole(self._text, whole)

    cdef Event _whole(self, bint text, bytes data) except *:
        self.inflated = 0
        if self._packed:
            try:
                data = inflate(data, self._max_message)
            except zlib.error:
                return self._fail(INVALID_TEXT, "Invalid compressed data")
            if data is None:
                return self._fail(TOO_BIG, "Message too big")
            self.inflated = len(data)
        if text and not is_utf8(data, len(data)):
            return self._fail(INVALID_TEXT, "Invalid UTF-8")
        self.data = data
        return TEXT if text else BINARY

    cdef Event _close(self, const char* payload, Py_ssize_t size) except *:
        if size == 0:
            self.code, self.reason = NO_STATUS, ""
            return CLOSE
        if size == 1:
            return self._fail(PROTOCOL_ERROR, "A close code of one byte")
        cdef int code = (<unsigned char> payload[0] << 8) | <unsigned char> payload[1]
        if not may_close_with(code):
            return self._fail(PROTOCOL_ERROR, "Invalid close code")
        if not is_utf8(payload + 2, size - 2):
            return self._fail(INVALID_TEXT, "Invalid UTF-8")
        self.code = code
        self.reason = PyUnicode_DecodeUTF8(payload + 2, size - 2, NULL)
        return CLOSE

    cdef Event _fail(self, int code, str reason) except *:
        self._parts = None
        self.code, self.reason = code, reason
        return FAILURE


cdef bytes TAIL = b"\0\0\xff\xff"  # RFC 7692 section 7.2.1: the sender cuts it off
cdef bytes EMPTY = b"\0" + TAIL

_NAMES = {NOTHING: "", TEXT: "text", BINARY: "binary", CLOSE: "close", PING: "ping",
          PONG: "pong", FAILURE: "failure"}


cdef inline bint may_close_with(int code):
    """Codes a peer may send (RFC 6455 section 7.4 and the IANA registry)."""
    return (1000 <= code <= 1003) or (1007 <= code <= 1014) or (3000 <= code <= 4999)


cdef bytes inflate(bytes data, Py_ssize_t most):
    """A compressed message of at most that many bytes, None for a longer one.

    Never makes more than that, however much the data would become. Raises `zlib.error`.
    """
    made = zlib.decompressobj(-15)
    whole = made.decompress(data + TAIL, most + 1)
    if len(whole) > most:
        return None
    if made.eof and made.unused_data != EMPTY:  # section 7.2.3.5: a final block, an empty one
        raise zlib.error("blocks behind the final one")
    return whole


cdef bint is_utf8(const char* text, Py_ssize_t size) except *:
    """ASCII eight bytes at a time; anything else by the decoder of the interpreter."""
    cdef uint64_t eight
    cdef Py_ssize_t at = 0
    while at + 8 <= size:
        memcpy(&eight, text + at, 8)
        if eight & <uint64_t> 0x8080808080808080:
            break
        at += 8
    while at < size and not text[at] & 0x80:
        at += 1
    if at == size:
        return True
    try:
        PyUnicode_DecodeUTF8(text + at, size - at, NULL)
    except UnicodeDecodeError:
        return False
    return True
