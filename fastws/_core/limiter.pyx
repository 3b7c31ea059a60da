"""Token buckets. The caller owns the clock; nothing here reads the time or sleeps.

A bucket holds up to ``burst`` tokens and gains ``rate`` a second. Times are seconds of any
steady clock, answers are milliseconds because clients read them.
"""

cimport cython
from cpython.dict cimport PyDict_GetItemWithError
from cpython.object cimport PyObject
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.math cimport ceil

cdef double LONGEST = 2e9  # milliseconds: what fits into an int


@cython.final
cdef class Bucket:
    """One token bucket: starts full."""

    def __init__(self, double rate, double burst):
        """``rate`` tokens a second up to ``burst``; `ValueError` unless both are positive."""
        if not (rate > 0 and burst > 0):
            raise ValueError("rate and burst must be positive")
        self.rate = rate
        self.burst = burst
        self._level = burst
        self._at = -1.0

    cdef void _fill(self, double now) noexcept:
        if self._at >= 0 and now > self._at:
            self._level += (now - self._at) * self.rate
            if self._level > self.burst:
                self._level = self.burst
        if now > self._at:
            self._at = now

    cpdef int wait(self, double now, double cost=1.0) noexcept:
        """Milliseconds until ``cost`` tokens are there, 0 if they are; takes nothing.

        A cost above ``burst`` is that of a full bucket: nothing is refused for ever.
        """
        cdef double missing, wait
        self._fill(now)
        missing = (cost if cost < self.burst else self.burst) - self._level
        if missing <= 0:
            return 0
        wait = ceil(missing / self.rate * 1000.0)
        if wait > LONGEST:
            return <int> LONGEST
        return <int> wait if wait >= 1 else 1

    cpdef int take(self, double now, double cost=1.0) noexcept:
        """Take ``cost`` tokens: 0 if granted, else `wait`; a refusal takes nothing."""
        cdef int wait = self.wait(now, cost)
        if not wait:
            self._level -= cost if cost < self.burst else self.burst
        return wait

    cpdef double remaining(self, double now) noexcept:
        """Tokens there now."""
        self._fill(now)
        return self._level

    cpdef int reset_ms(self, double now) noexcept:
        """Milliseconds until the bucket is full."""
        cdef double wait
        self._fill(now)
        wait = ceil((self.burst - self._level) / self.rate * 1000.0)
        return <int> LONGEST if wait > LONGEST else <int> wait


cpdef int take_all(tuple buckets, double now, double cost=1.0) except -2:
    """Take ``cost`` of each of the buckets, or of none.

    Returns -1 if granted, else the place of the bucket that takes longest to have it. No bucket
    may be named twice; `TypeError` for what is no bucket.
    """
    cdef Py_ssize_t at
    cdef Py_ssize_t count = PyTuple_GET_SIZE(buckets)
    cdef int wait
    cdef int longest = 0
    cdef int refuses = -1
    cdef Bucket bucket
    for at in range(count):
        bucket = <Bucket?> <object> PyTuple_GET_ITEM(buckets, at)
        wait = bucket.wait(now, cost)
        if wait > longest:
            longest, refuses = wait, <int> at
    if refuses < 0:
        for at in range(count):
            (<Bucket> PyTuple_GET_ITEM(buckets, at)).take(now, cost)
    return refuses


@cython.final
cdef class Buckets:
    """Buckets by key (an address, a user, an operation), all alike.

    Holds at most ``capacity`` keys: full buckets are forgotten first (they say nothing), and
    if all are in use the oldest goes. So whoever keeps a `bucket` for later may hold one that
    the others no longer see: ask by key each time.
    """

    def __init__(self, double rate, double burst, Py_ssize_t capacity=65536):
        """Like `Bucket`, for up to ``capacity`` keys."""
        if not (rate > 0 and burst > 0 and capacity > 0):
            raise ValueError("rate, burst and capacity must be positive")
        self.rate = rate
        self.burst = burst
        self.capacity = capacity
        self._buckets = {}

    def __len__(self):
        return len(self._buckets)

    cpdef Bucket bucket(self, object key, double now):
        """The bucket of ``key``, made if need be; to be asked and let go."""
        cdef PyObject* found = PyDict_GetItemWithError(self._buckets, key)
        if found is not NULL:
            return <Bucket> found
        if len(self._buckets) >= self.capacity:
            self._make_room(now)
        made = Bucket(self.rate, self.burst)
        self._buckets[key] = made
        return made

    cpdef int take(self, object key, double now, double cost=1.0) except -1:
        """Take from the bucket of ``key``; answers as `Bucket.take`."""
        cdef PyObject* found = PyDict_GetItemWithError(self._buckets, key)
        if found is not NULL:
            return (<Bucket> found).take(now, cost)
        return self.bucket(key, now).take(now, cost)

    cpdef double remaining(self, object key, double now) except -1:
        """Tokens of ``key`` now."""
        cdef PyObject* found = PyDict_GetItemWithError(self._buckets, key)
        return self.burst if found is NULL else (<Bucket> found).remaining(now)

    cpdef int reset_ms(self, object key, double now) except -1:
        """Milliseconds until the bucket of ``key`` is full."""
        cdef PyObject* found = PyDict_GetItemWithError(self._buckets, key)
        return 0 if found is NULL else (<Bucket> found).reset_ms(now)

    cdef _make_room(self, double now):
        cdef Bucket bucket
        kept = {}
        for key, item in self._buckets.items():
            bucket = <Bucket> item
            if bucket.remaining(now) < self.burst:
                kept[key] = bucket
        # at most half stays, so that a flood of keys pays for one sweep in many
        excess = len(kept) - self.capacity // 2
        if excess > 0:
            for key in list(kept)[:excess]:
                del kept[key]
        self._buckets = kept
