"""What the other compiled modules see of the cells of a table."""

from libc.stdint cimport int8_t, int64_t, uint64_t

cdef enum Kind:
    DECIMAL = 0
    INT = 1
    ENUM = 2
    FLOAT = 3
    TEXT = 4

cdef enum:
    GONE = -1      # `born` of a row that was removed
    COLUMNS = 48   # at most; a mask of columns is a number that JavaScript has


cdef struct Cell:
    int64_t mantissa   # of a float: its 32 bits; of a sealed text: see `text_number`
    int8_t exponent


cdef struct Sealed:
    int64_t mantissa
    int64_t tick       # at which the sealed value last changed
    int8_t exponent


cdef struct Moves:       # of the cells of a row that a seal changed
    int64_t[48] by         # what was added to the number
    uint64_t jumped        # columns where that cannot be said: another exponent, or too far


cdef struct Row:
    int64_t tick       # newest cell tick; 0: never sealed
    int64_t born       # tick of its first seal; 0: never sealed, GONE: removed


cdef class Cells:
    cdef readonly str name
    cdef readonly tuple columns
    cdef int width
    cdef int capacity
    cdef int used              # rows ever taken
    cdef uint64_t every        # mask of all columns
    cdef Cell* open
    cdef Sealed* sealed
    cdef Row* row
    cdef int[64] kind
    cdef dict index            # column name -> number
    cdef list texts            # row * width + column -> open str
    cdef list sealed_texts
    cdef uint64_t* _dirty      # row -> columns written since the last seal
    cdef uint64_t* _touched    # bit for each row: any of them written

    cpdef int set_decimal(self, int row, int column, int64_t mantissa, int exponent) except -1
    cdef int _store(self, int row, int column, int64_t mantissa, int exponent) except -1
    cdef int _put(self, int row, int column, object value) except -1
    cdef int _put_text(self, int row, int column, object value) except -1
    cdef void _mark(self, int row, int column) noexcept
    cdef uint64_t seal_cells(self, int row, bint whole, int64_t tick, Moves* moves) except? 0
    cdef void fetch(self, int row) noexcept
    cdef object _value(self, int row, int column)
    cdef int _grow(self) except -1
    cdef int _clear(self, int row) except -1


cdef void* again(void* block, size_t size) except NULL
