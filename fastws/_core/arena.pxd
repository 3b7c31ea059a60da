"""What the other compiled modules see of an arena."""

from libc.stdint cimport int32_t, int64_t, uint64_t

from fastws._core.table cimport Table

cdef enum:
    MOST = 16
    SLOTS = 8              # shots of one plane in the air at once


cdef struct Plane:
    int64_t x, y
    int32_t heading, speed, state, health, ammo, cooldown, reload, timer, score, deaths
    int32_t throttle, turn, fire, latched
    int64_t seq


cdef struct Shot:
    int64_t x, y, vx, vy
    int64_t from_x, from_y, fired
    int32_t heading, speed, flying, seen, shown


cdef struct Rules:
    int64_t width, height, reach
    int32_t slowest, fastest, pickup, turn, shot_speed, shot_steps
    int32_t cooldown, reload, down, shield, health, damage, magazine, score, steps


cdef class Arena:
    cdef Plane[MOST] plane
    cdef Shot[MOST * SLOTS] shot
    cdef Rules rules
    cdef uint64_t random
    cdef readonly uint64_t digest
    cdef readonly int planes, hz
    cdef readonly int64_t steps
    cdef list _events

    cdef void control(self, int seat, int64_t seq, int throttle, int turn, bint fire) noexcept
    cdef Plane* _of(self, int seat) except NULL
    cpdef bint step(self)
    cpdef show(self, Table table, int game, int first)
    cpdef show_own(self, Table table, int first)
    cdef int fly(self, int seat) except -1
    cdef void steer(self, Plane* plane) noexcept
    cdef void shoot(self, int seat) noexcept
    cdef int move_shot(self, int number) except -1
    cdef int hit(self, int seat, int by) except -1
    cdef void enter(self, Plane* plane) noexcept
    cdef int64_t nearest(self, int64_t x, int64_t y) noexcept
    cdef int64_t drawn(self, int64_t below) noexcept
    cdef void digest_all(self) noexcept
    cdef void mix(self, int64_t word) noexcept
    cdef int64_t ready_at(self, Plane* plane, int left) noexcept
