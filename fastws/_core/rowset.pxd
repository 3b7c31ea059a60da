"""A sorted set of row numbers, each marked if the client is owed the whole row."""

from libc.stdint cimport int32_t, uint8_t
from libc.string cimport memmove

from fastws._core.cells cimport again


cdef struct RowSet:
    int32_t* ids
    uint8_t* fresh
    int count
    int room
    int owed       # how many are fresh


cdef inline int find(RowSet* rows, int row) noexcept:
    """Where a row is; below zero: ``-1 - at``, where it would be."""
    cdef int low = 0, high = rows.count, middle
    while low < high:
        middle = (low + high) >> 1
        if rows.ids[middle] < row:
            low = middle + 1
        else:
            high = middle
    return low if low < rows.count and rows.ids[low] == row else -1 - low


cdef inline int mark(RowSet* rows, int at, bint fresh) noexcept:
    rows.owed += fresh - rows.fresh[at]
    rows.fresh[at] = fresh
    return 0


cdef inline int insert(RowSet* rows, int row, bint fresh) except -1:
    """Add a row; one that is there becomes fresh if ``fresh``."""
    cdef int at = find(rows, row)
    if at >= 0:
        return mark(rows, at, fresh or rows.fresh[at])
    at = -1 - at
    if rows.count == rows.room:
        rows.room = rows.room * 2 + 16
        rows.ids = <int32_t*> again(rows.ids, rows.room * sizeof(int32_t))
        rows.fresh = <uint8_t*> again(rows.fresh, rows.room)
    memmove(&rows.ids[at + 1], &rows.ids[at], (rows.count - at) * sizeof(int32_t))
    memmove(&rows.fresh[at + 1], &rows.fresh[at], rows.count - at)
    rows.ids[at] = row
    rows.fresh[at] = fresh
    rows.owed += fresh
    rows.count += 1
    return 0


cdef inline int drop(RowSet* rows, int at) noexcept:
    rows.owed -= rows.fresh[at]
    rows.count -= 1
    memmove(&rows.ids[at], &rows.ids[at + 1], (rows.count - at) * sizeof(int32_t))
    memmove(&rows.fresh[at], &rows.fresh[at + 1], rows.count - at)
    return 0
