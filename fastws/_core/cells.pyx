"""Typed cells by row number and column: what is open, what was sealed, and when it changed.

Setting a cell stores a number and marks it; no Python object is made of it. Who owns the keys
of the rows and decides when cells become visible is `fastws._core.table`.
"""

from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.math cimport isfinite
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from fastws._core.packing cimport fetch, lowest, text_number

cdef int FIRST_CAPACITY = 64
cdef int64_t SAFE = (<int64_t> 1 << 53) - 1
cdef uint64_t ONE = 1

_KINDS = {"decimal": DECIMAL, "int": INT, "enum": ENUM, "float": FLOAT, "text": TEXT}


class Column:
    """A column: its name and its kind, ``decimal``, ``int``, ``enum``, ``float`` or ``text``.

    A decimal cell is a pair (mantissa, exponent): the number mantissa * 10**exponent. Whole
    numbers lie within 2**53 - 1, where JavaScript still counts one by one; an enum is not
    negative; a float has 32 bits and is finite.
    """

    __slots__ = ("kind", "name")

    def __init__(self, name, kind):
        """`ValueError` for a kind that does not exist."""
        if kind not in _KINDS:
            raise ValueError(f"no such kind of column: {kind}")
        self.name = name
        self.kind = kind

    def __repr__(self):
        return f"Column({self.name!r}, {self.kind!r})"


cdef class Cells:
    """Rows of cells of the kinds that ``columns`` say; 1 to 48 columns, each with its own name."""

    def __cinit__(self, name, columns, *args, **more):
        cdef int number
        self.name = name
        self.columns = tuple(columns)
        self.width = len(self.columns)
        if not 0 < self.width <= COLUMNS:
            raise ValueError("a table has 1 to 48 columns")
        self.every = ~(<uint64_t> 0) >> (64 - self.width)
        self.index = {}
        for number, column in enumerate(self.columns):
            self.index[column.name] = number
            self.kind[number] = _KINDS[column.kind]
        if len(self.index) != self.width:
            raise ValueError("two columns have the same name")
        self.texts, self.sealed_texts = [], []

    def __dealloc__(self):
        free(self.open)
        free(self.sealed)
        free(self.row)
        free(self._dirty)
        free(self._touched)

    cpdef int set_decimal(self, int row, int column, int64_t mantissa, int exponent) except -1:
        """Set a decimal cell by numbers, the way sources write thousands a second."""
        if not (0 <= row < self.used and 0 <= column < self.width):
            raise IndexError("no such cell")
        if self.kind[column] != DECIMAL:
            raise ValueError("not a decimal cell")
        return self._store(row, column, mantissa, exponent)

    cdef inline int _store(self, int row, int column, int64_t mantissa, int exponent) except -1:
        cdef Cell* cell
        if not -100 <= exponent <= 100:
            raise ValueError("an exponent beyond 100")
        if not -SAFE <= mantissa <= SAFE:
            raise OverflowError("a mantissa lies within 2**53 - 1")
        cell = &self.open[row * self.width + column]
        if cell.mantissa != mantissa or cell.exponent != exponent:
            cell.mantissa = mantissa
            cell.exponent = exponent
            self._mark(row, column)
        return 0

    cdef int _put(self, int row, int column, object value) except -1:
        cdef Cell* cell = &self.open[row * self.width + column]
        cdef int kind = self.kind[column]
        cdef int64_t number
        cdef float real
        cdef uint32_t bits
        if kind == DECIMAL:
            if type(value) is tuple and len(<tuple> value) == 2:
                return self._store(row, column, (<tuple> value)[0], (<tuple> value)[1])
            mantissa, exponent = value  # checked, which an index is not here
            return self._store(row, column, mantissa, exponent)
        if kind == TEXT:
            return self._put_text(row, column, value)
        if kind == FLOAT:
            real = <float> <double> value
            if not isfinite(real):
                raise ValueError("a float cell takes a finite number of 32 bits")
            memcpy(&bits, &real, sizeof(bits))
            number = bits
        else:
            number = value
            if not (-SAFE if kind == INT else 0) <= number <= SAFE:
                raise OverflowError("an int lies within 2**53 - 1, an enum is not below zero")
        if cell.mantissa != number:
            cell.mantissa = number
            self._mark(row, column)
        return 0

    cdef int _put_text(self, int row, int column, object value) except -1:
        cdef Py_ssize_t size
        if not isinstance(value, str):
            raise TypeError("a text cell takes a str")
        PyUnicode_AsUTF8AndSize(value, &size)  # refuses half a surrogate pair, here not at the seal
        if self.texts[row * self.width + column] != value:
            self.texts[row * self.width + column] = value
            self._mark(row, column)
        return 0

    cdef inline void _mark(self, int row, int column) noexcept:
        self._dirty[row] |= ONE << column
        self._touched[row >> 6] |= ONE << (row & 63)

    cdef uint64_t seal_cells(self, int row, bint whole, int64_t tick, Moves* moves) except? 0:
        """Seal what was written of a row; the columns that changed, and by how much.

        ``whole``: every written cell counts as changed.
        """
        cdef Cell* fresh = &self.open[row * self.width]
        cdef Sealed* old = &self.sealed[row * self.width]
        cdef uint64_t written = self._dirty[row]
        cdef uint64_t changed = 0
        cdef int64_t move
        cdef int column, at
        cdef Py_ssize_t size
        cdef const char* text
        self._dirty[row] = 0
        moves.jumped = 0
        while written:
            column = lowest(written)
            written &= written - 1
            if self.kind[column] == TEXT:
                at = row * self.width + column
                if not whole and self.texts[at] == self.sealed_texts[at]:
                    continue
                self.sealed_texts[at] = self.texts[at]
                text = PyUnicode_AsUTF8AndSize(self.texts[at], &size)
                fresh[column].mantissa = text_number(text, size)
            elif (not whole and fresh[column].mantissa == old[column].mantissa
                    and fresh[column].exponent == old[column].exponent):
                continue
            move = fresh[column].mantissa - old[column].mantissa
            moves.by[column] = move
            if fresh[column].exponent != old[column].exponent or not -SAFE <= move <= SAFE:
                moves.jumped |= ONE << column
            old[column].mantissa = fresh[column].mantissa
            old[column].exponent = fresh[column].exponent
            old[column].tick = tick
            changed |= ONE << column
        return changed

    cdef void fetch(self, int row) noexcept:
        cdef size_t at = <size_t> row * self.width
        fetch(&self.open[at])
        fetch(&self.sealed[at])
        fetch(<char*> &self.sealed[at] + 64)
        fetch(&self.row[row])

    cdef object _value(self, int row, int column):
        cdef Sealed* cell = &self.sealed[row * self.width + column]
        cdef uint32_t bits
        cdef float real
        if self.kind[column] == DECIMAL:
            return (cell.mantissa, cell.exponent)
        if self.kind[column] == TEXT:
            return self.sealed_texts[row * self.width + column]
        if self.kind[column] == FLOAT:
            bits = <uint32_t> cell.mantissa
            memcpy(&real, &bits, sizeof(real))
            return real
        return cell.mantissa

    # -- memory ----------------------------------------------------------------------------

    cdef int _grow(self) except -1:
        """Twice the rows."""
        cdef int capacity = self.capacity * 2 if self.capacity else FIRST_CAPACITY
        cdef size_t cells = <size_t> capacity * self.width
        cdef int words = capacity >> 6
        self.open = <Cell*> again(self.open, cells * sizeof(Cell))
        self.sealed = <Sealed*> again(self.sealed, cells * sizeof(Sealed))
        self.row = <Row*> again(self.row, capacity * sizeof(Row))
        self._dirty = <uint64_t*> again(self._dirty, capacity * sizeof(uint64_t))
        self._touched = <uint64_t*> again(self._touched, words * sizeof(uint64_t))
        memset(&self.row[self.capacity], 0, (capacity - self.capacity) * sizeof(Row))
        memset(&self._dirty[self.capacity], 0, (capacity - self.capacity) * sizeof(uint64_t))
        memset(&self._touched[self.capacity >> 6], 0,
               (words - (self.capacity >> 6)) * sizeof(uint64_t))
        self.capacity = capacity
        return 0

    cdef int _clear(self, int row) except -1:
        """All cells zero or empty, never sealed, and written."""
        cdef int at = row * self.width
        memset(&self.open[at], 0, self.width * sizeof(Cell))
        memset(&self.sealed[at], 0, self.width * sizeof(Sealed))
        self.row[row].tick = self.row[row].born = 0
        for at in range(at, at + self.width):
            self.texts[at] = self.sealed_texts[at] = ""
        self._dirty[row] = self.every
        self._touched[row >> 6] |= ONE << (row & 63)
        return 0


cdef void* again(void* block, size_t size) except NULL:
    """``realloc`` that says when there is no memory; the old block stays the caller's then."""
    cdef void* got = realloc(block, size)
    if got == NULL:
        raise MemoryError
    return got
