"""Bytes of table frames: a buffer that grows, varints, the hash of a cell. Inlined everywhere."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memcpy

cdef extern from *:
    """
    static inline int fastws_lowest(unsigned long long bits) { return __builtin_ctzll(bits); }
    static inline void fastws_fetch(const void *at) { __builtin_prefetch(at, 1); }
    """
    void fetch "fastws_fetch"(const void* at) noexcept nogil
    int lowest "fastws_lowest"(uint64_t bits) noexcept nogil

cdef enum:
    SLACK = 16  # bytes behind every buffer that may be read and written


cdef struct Buffer:
    uint8_t* data
    size_t size
    size_t room


cdef inline int reserve(Buffer* buffer, size_t more) except -1:
    """Room for ``more`` bytes and the slack behind ``buffer.size``."""
    cdef size_t room
    cdef void* got
    if buffer.size + more + SLACK <= buffer.room:
        return 0
    room = (buffer.size + more + SLACK) * 2
    got = realloc(buffer.data, room)
    if got == NULL:
        raise MemoryError
    buffer.data = <uint8_t*> got
    buffer.room = room
    return 0


cdef inline int append(Buffer* buffer, const void* data, size_t size) except -1:
    reserve(buffer, size)
    memcpy(buffer.data + buffer.size, data, size)
    buffer.size += size
    return 0


cdef inline uint8_t* put_varint(uint8_t* at, uint64_t value) noexcept nogil:
    """At most ten bytes."""
    while value >= 0x80:
        at[0] = <uint8_t> (value | 0x80)
        at += 1
        value >>= 7
    at[0] = <uint8_t> value
    return at + 1


cdef inline uint64_t zigzag(int64_t value) noexcept nogil:
    return (<uint64_t> value << 1) ^ <uint64_t> (value >> 63)


cdef inline int64_t unzigzag(uint64_t value) noexcept nogil:
    return <int64_t> (value >> 1) ^ -<int64_t> (value & 1)


cdef inline uint32_t _round(uint32_t state, uint32_t word) noexcept nogil:
    word *= <uint32_t> 0xCC9E2D51
    word = (word << 15) | (word >> 17)
    state ^= word * <uint32_t> 0x1B873593
    state = (state << 13) | (state >> 19)
    return state * 5 + <uint32_t> 0xE6546B64


cdef inline uint32_t cell_hash(
    uint32_t row, uint32_t column, int64_t number, uint32_t exponent
) noexcept nogil:
    """Of a cell of a row: two murmur rounds and an end that mixes, since hashes are added."""
    cdef uint32_t state = (
        row * <uint32_t> 0x9E3779B1
        + (column << 8 | (exponent & 0xFF)) * <uint32_t> 0x85EBCA77
    )
    state = _round(state, <uint32_t> number)
    state = _round(state, <uint32_t> (<uint64_t> number >> 32))
    state ^= state >> 16
    state *= <uint32_t> 0x85EBCA6B
    return state ^ (state >> 13)


cdef inline int64_t text_number(const char* text, Py_ssize_t size) noexcept nogil:
    """What stands for a text in the hash: FNV-1a of its UTF-8 below, its bytes above."""
    cdef uint32_t state = <uint32_t> 0x811C9DC5
    cdef Py_ssize_t at
    for at in range(size):
        state = (state ^ <uint8_t> text[at]) * <uint32_t> 0x01000193
    return <int64_t> ((<uint64_t> size << 32) | state)


cdef struct Bytes:
    const uint8_t* at
    const uint8_t* end


cdef inline int need(Bytes* bytes, size_t size) except -1:
    if <size_t> (bytes.end - bytes.at) < size:
        raise ValueError("the bytes end too early")
    return 0


cdef inline uint64_t get_varint(Bytes* bytes) except? 0:
    cdef uint64_t value = 0
    cdef int shift = 0
    cdef uint8_t byte
    while True:
        need(bytes, 1)
        byte = bytes.at[0]
        bytes.at += 1
        value |= <uint64_t> (byte & 0x7F) << shift
        if byte < 0x80:
            return value
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than ten bytes")


cdef inline str get_text(Bytes* bytes):
    """`UnicodeDecodeError`, which is a `ValueError`, if it is not UTF-8."""
    cdef uint64_t size = get_varint(bytes)
    need(bytes, size)
    bytes.at += size
    return (<const char*> (bytes.at - size))[:size].decode()
