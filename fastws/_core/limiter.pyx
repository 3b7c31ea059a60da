"""Token buckets. The caller owns the clock; nothing here reads the time or sleeps.

A bucket holds up to ``burst`` tokens and gains ``rate`` a second. Times are seconds of any
steady clock, answers are milliseconds because clients read them.
"""

from libc.math cimport ceil


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

    cpdef int take(self, double now, double cost=1.0) noexcept:
        """Take ``cost`` tokens: 0 if granted, else milliseconds until they would be there.

        A refusal takes nothing. A cost above ``burst`` is never granted: the answer is then
        the time to a full bucket.
        """
        cdef double missing, wait
        self._fill(now)
        if self._level >= cost:
            self._level -= cost
            return 0
        missing = (cost if cost < self.burst else self.burst) - self._level
        wait = ceil(missing / self.rate * 1000.0)
        if wait > 2e9:
            return 2000000000
        return <int> wait if wait >= 1 else 1

    cpdef double remaining(self, double now) noexcept:
        """Tokens there now."""
        self._fill(now)
        return self._level

    cpdef int reset_ms(self, double now) noexcept:
        """Milliseconds until the bucket is full."""
        cdef double wait
        self._fill(now)
        wait = ceil((self.burst - self._level) / self.rate * 1000.0)
        return 2000000000 if wait > 2e9 else <int> wait


cdef class Buckets:
    """Buckets by key (an address, a user, an operation), all alike.

    Holds at most ``capacity`` keys: full buckets are forgotten first (they say nothing), and
    if all are in use the oldest goes.
    """

    cdef readonly double rate
    cdef readonly double burst
    cdef readonly Py_ssize_t capacity
    cdef dict _buckets

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

    cpdef int take(self, object key, double now, double cost=1.0) except -1:
        """Take from the bucket of ``key``; answers as `Bucket.take`."""
        cdef Bucket bucket = <Bucket> self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= self.capacity:
                self._make_room(now)
            bucket = Bucket(self.rate, self.burst)
            self._buckets[key] = bucket
        return bucket.take(now, cost)

    cpdef double remaining(self, object key, double now) except -1:
        """Tokens of ``key`` now."""
        cdef Bucket bucket = <Bucket> self._buckets.get(key)
        return self.burst if bucket is None else bucket.remaining(now)

    cpdef int reset_ms(self, object key, double now) except -1:
        """Milliseconds until the bucket of ``key`` is full."""
        cdef Bucket bucket = <Bucket> self._buckets.get(key)
        return 0 if bucket is None else bucket.reset_ms(now)

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
