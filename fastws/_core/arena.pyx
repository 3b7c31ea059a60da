"""The step of a dogfight: planes, guns and shots, in whole numbers only.

The same seed and the same inputs give the same states on every machine, in this file, in its
twin and in a browser: there is no floating point, and every division is a shift or was done
once, when the arena was made. Units and rules are in docs/skyduel.md.

1 u = 1024 parts, in which positions and speeds (a step) are kept; a turn is 65536. What goes
into a table is coarser: eighths of a u, 4096 to a turn, speeds in sixteen parts.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memset

from fastws._core.table cimport Table

import math

PLANES, SHOTS = MOST, SLOTS
"""Seats of an arena, at most, and shots of one plane in the air at once."""

WIDTH, HEIGHT = 3200, 2000
"""Of the sky, in u."""

SLOWEST, FASTEST, PICKUP = 60, 180, 90
"""u/s, u/s and u/s²."""

TURN = 150
"""Degrees a second."""

SHOT_SPEED, SHOT_SECONDS, RADIUS = 480, 1.2, 14
"""u/s; how long a shot flies; u from the middle of a plane at which it is hit."""

MAGAZINE, COOLDOWN_SECONDS, RELOAD_SECONDS = 24, 0.2, 2.0
HEALTH, DAMAGE = 100, 20
DOWN_SECONDS, SHIELD_SECONDS = 3.0, 1.5

GONE, FLYING, DOWN, SHIELDED = range(4)
"""States of a plane; of a shot only the first two."""

HIT, DOWNED, RESPAWN = range(3)
"""Kinds of events."""

SINE = tuple(round(math.sin(angle * math.tau / 4096) * 16384) for angle in range(4096))

cdef enum:
    C_GONE = 0
    C_FLYING = 1
    C_DOWN = 2
    C_SHIELDED = 3

cdef int32_t[4096] sine
cdef int _angle
for _angle in range(4096):
    sine[_angle] = SINE[_angle]


@cython.final
cdef class Arena:
    """One game of ``planes`` (2 to 16), ``hz`` steps a second, that ends at a score or a time.

    ``score`` shots down, or ``seconds``, whichever comes first. `ValueError` for numbers beyond
    the rules.
    """

    def __init__(self, int planes, uint64_t seed, *, int hz=30, int score=10, int seconds=180):
        cdef int seat
        if not 2 <= planes <= MOST:
            raise ValueError("an arena has 2 to 16 planes")
        if not 20 <= hz <= 60 or not 1 <= score <= 1000 or not 1 <= seconds <= 3600:
            raise ValueError("20 to 60 steps a second, a score to 1000, an hour at most")
        memset(&self.plane, 0, sizeof(self.plane))
        memset(&self.shot, 0, sizeof(self.shot))
        self.planes, self.hz = planes, hz
        self.rules.width, self.rules.height = WIDTH * 1024, HEIGHT * 1024
        self.rules.slowest, self.rules.fastest = SLOWEST * 1024 // hz, FASTEST * 1024 // hz
        self.rules.pickup = PICKUP * 1024 // (hz * hz)
        self.rules.turn = TURN * 65536 // (360 * hz)
        self.rules.shot_speed = SHOT_SPEED * 1024 // hz
        self.rules.reach = (RADIUS * 8) ** 2
        self.rules.shot_steps = int(SHOT_SECONDS * hz)
        self.rules.cooldown = int(COOLDOWN_SECONDS * hz)
        self.rules.reload = int(RELOAD_SECONDS * hz)
        self.rules.down = int(DOWN_SECONDS * hz)
        self.rules.shield = int(SHIELD_SECONDS * hz)
        self.rules.health, self.rules.damage, self.rules.magazine = HEALTH, DAMAGE, MAGAZINE
        self.rules.score = score
        self.rules.steps = seconds * hz
        self.random = (seed ^ <uint64_t> 0x9E3779B97F4A7C15) | 1
        self.digest = <uint64_t> 0xCBF29CE484222325
        self._events = []
        for seat in range(planes):
            self.enter(&self.plane[seat])

    # -- what happens from outside ---------------------------------------------------------

    def input(self, int seat, int64_t seq, int throttle, int turn, bint fire):
        """What a pilot does from the next step on; ``throttle`` 0 to 127, ``turn`` -127 to 127.

        Of several before one step the last counts, but a shot that any of them asked for is fired.
        """
        self._of(seat)
        self.control(seat, seq, min(max(throttle, 0), 127), min(max(turn, -127), 127), fire)

    cdef void control(self, int seat, int64_t seq, int throttle, int turn, bint fire) noexcept:
        """`input` of a seat that there is, within the range."""
        cdef Plane* plane = &self.plane[seat]
        plane.seq = seq
        plane.throttle = throttle
        plane.turn = turn
        plane.fire = fire
        plane.latched |= fire

    def remove(self, int seat):
        """A pilot left for good; his shots fly on."""
        self._of(seat).state = C_GONE

    cdef Plane* _of(self, int seat) except NULL:
        if not 0 <= seat < self.planes:
            raise IndexError("no such seat")
        return &self.plane[seat]

    # -- the step --------------------------------------------------------------------------

    cpdef bint step(self):
        """A step on; False when the game is over, and then nothing happens any more."""
        cdef int number
        if self.over:
            return False
        self.steps += 1
        for number in range(self.planes):
            self.fly(number)
        for number in range(self.planes * SLOTS):
            if self.shot[number].flying and self.shot[number].fired != self.steps:
                self.move_shot(number)
        self.digest_all()
        return True

    @property
    def over(self):
        """Whether the time is over or somebody has the score."""
        cdef int seat
        for seat in range(self.planes):
            if self.plane[seat].score >= self.rules.score:
                return True
        return self.steps >= self.rules.steps

    cdef int fly(self, int seat) except -1:
        cdef Plane* plane = &self.plane[seat]
        if plane.state == C_GONE:
            return 0
        if plane.timer:
            plane.timer -= 1
            if not plane.timer:
                if plane.state == C_DOWN:
                    self.enter(plane)
                    self._events.append((RESPAWN, seat, seat))
                    return 0
                plane.state = C_FLYING
        if plane.state != C_DOWN:
            self.steer(plane)
            self.shoot(seat)
        plane.latched = plane.fire
        return 0

    cdef void steer(self, Plane* plane) noexcept:
        cdef int target, angle
        target = self.rules.slowest + (
            (self.rules.fastest - self.rules.slowest) * plane.throttle >> 7)
        plane.speed += min(max(target - plane.speed, -self.rules.pickup), self.rules.pickup)
        plane.heading = (plane.heading + (self.rules.turn * plane.turn >> 7)) & 65535
        angle = plane.heading >> 4
        plane.x += <int64_t> plane.speed * sine[(angle + 1024) & 4095] >> 14
        plane.y += <int64_t> plane.speed * sine[angle] >> 14
        if not (0 <= plane.x < self.rules.width and 0 <= plane.y < self.rules.height):
            plane.x = min(max(plane.x, <int64_t> 0), self.rules.width - 1)
            plane.y = min(max(plane.y, <int64_t> 0), self.rules.height - 1)
            plane.speed = self.rules.slowest

    cdef void shoot(self, int seat) noexcept:
        """Guns: one shot, or a step nearer to the next."""
        cdef Plane* plane = &self.plane[seat]
        cdef Shot* shot
        cdef int number, angle
        if plane.cooldown:
            plane.cooldown -= 1
        if plane.reload:
            plane.reload -= 1
            if not plane.reload:
                plane.ammo = self.rules.magazine
        elif plane.latched and not plane.cooldown:
            for number in range(seat * SLOTS, (seat + 1) * SLOTS):
                shot = &self.shot[number]
                if shot.flying:
                    continue
                angle = plane.heading >> 4
                shot.flying = shot.seen = 1
                shot.x = shot.from_x = plane.x
                shot.y = shot.from_y = plane.y
                shot.heading = plane.heading
                shot.speed = self.rules.shot_speed
                shot.vx = <int64_t> shot.speed * sine[(angle + 1024) & 4095] >> 14
                shot.vy = <int64_t> shot.speed * sine[angle] >> 14
                shot.fired = self.steps
                plane.cooldown = self.rules.cooldown
                plane.ammo -= 1
                if not plane.ammo:
                    plane.reload = self.rules.reload
                break

    cdef int move_shot(self, int number) except -1:
        cdef Shot* shot = &self.shot[number]
        cdef int64_t was_x = shot.x, was_y = shot.y
        cdef int seat
        shot.x += shot.vx
        shot.y += shot.vy
        for seat in range(self.planes):
            if (self.plane[seat].state == C_FLYING and seat != number // SLOTS
                    and struck(was_x >> 7, was_y >> 7, shot.x >> 7, shot.y >> 7,
                               self.plane[seat].x >> 7, self.plane[seat].y >> 7,
                               self.rules.reach)):
                shot.flying = shot.seen = 0
                return self.hit(seat, number // SLOTS)
        if (self.steps - shot.fired >= self.rules.shot_steps
                or not (0 <= shot.x < self.rules.width and 0 <= shot.y < self.rules.height)):
            shot.flying = 0
        return 0

    cdef int hit(self, int seat, int by) except -1:
        cdef Plane* plane = &self.plane[seat]
        plane.health -= self.rules.damage
        self._events.append((HIT, seat, by))
        if plane.health <= 0:
            plane.health = 0
            plane.state = C_DOWN
            plane.timer = self.rules.down
            plane.deaths += 1
            self.plane[by].score += 1
            self._events.append((DOWNED, seat, by))
        return 0

    cdef void enter(self, Plane* plane) noexcept:
        """Into the sky, where nobody is near: the best of four places."""
        cdef int64_t x, y, near, best = -1
        cdef int attempt
        for attempt in range(4):
            x = self.rules.width // 8 + self.drawn(self.rules.width // 4 * 3)
            y = self.rules.height // 8 + self.drawn(self.rules.height // 4 * 3)
            near = self.nearest(x, y)
            if near > best:
                best = near
                plane.x = x
                plane.y = y
        plane.heading = <int32_t> self.drawn(65536)
        plane.speed = self.rules.slowest
        plane.state = C_SHIELDED
        plane.timer = self.rules.shield
        plane.health = self.rules.health
        plane.ammo = self.rules.magazine
        plane.cooldown = plane.reload = plane.latched = 0

    cdef int64_t nearest(self, int64_t x, int64_t y) noexcept:
        """The square, in u, of how far the nearest plane is."""
        cdef int64_t found = <int64_t> 1 << 40, away, dx, dy
        cdef int seat
        for seat in range(self.planes):
            if self.plane[seat].state == C_FLYING or self.plane[seat].state == C_SHIELDED:
                dx = (self.plane[seat].x - x) >> 10
                dy = (self.plane[seat].y - y) >> 10
                away = dx * dx + dy * dy
                if away < found:
                    found = away
        return found

    cdef int64_t drawn(self, int64_t below) noexcept:
        """xorshift64* (Vigna 2016, doi 10.1145/2845077)."""
        self.random ^= self.random >> 12
        self.random ^= self.random << 25
        self.random ^= self.random >> 27
        return <int64_t> ((self.random * <uint64_t> 0x2545F4914F6CDD1D >> 33) % <uint64_t> below)

    cdef void digest_all(self) noexcept:
        """FNV-1a by words over what the step left: it names the whole game so far."""
        cdef int seat
        cdef Plane* plane
        for seat in range(self.planes):
            plane = &self.plane[seat]
            self.mix(plane.x)
            self.mix(plane.y)
            self.mix(<int64_t> plane.heading << 16 ^ plane.speed)
            self.mix(plane.state << 24 ^ plane.health << 16 ^ plane.ammo << 8 ^ plane.cooldown)
            self.mix(plane.score << 16 ^ plane.deaths)

    cdef inline void mix(self, int64_t word) noexcept:
        self.digest = (self.digest ^ <uint64_t> word) * <uint64_t> 0x100000001B3

    # -- what is seen ----------------------------------------------------------------------

    def take_events(self):
        """(kind, seat, by) since the last call, in order."""
        events, self._events = self._events, []
        return events

    def planes_now(self):
        """(x, y, heading, speed, state, health, ammo, score, deaths, seq) by seat."""
        return [
            (one.x, one.y, one.heading, one.speed, one.state, one.health, one.ammo, one.score,
             one.deaths, one.seq)
            for one in self.plane[:self.planes]
        ]

    def turn(self, Table table not None, Table own not None, double now):
        """A step on, shown in the rows from 1 on of ``table``, of which row 0 is the game's, and
        from 0 on of ``own``, both sealed at ``now`` (Unix seconds); whether there is more to say:
        something happened, or the game is over."""
        self.step()
        self.show(table, 0, 1)
        self.show_own(own, 0)
        table._seal(table.tick + 1, now)
        own._seal(own.tick + 1, now)
        return bool(self._events) or self.over

    cpdef show(self, Table table, int game, int first):
        """Set the cells of what everybody may see.

        ``game`` is the row of the game, ``first`` the first of ``planes`` rows of planes, which
        eight rows of shots for each follow. `IndexError` for a table without them.
        """
        cdef int number, row
        cdef Plane* plane
        cdef Shot* shot
        if not (0 <= game < table.used and 0 <= first
                and first + self.planes * (1 + SLOTS) <= table.used and table.width >= 9):
            raise IndexError("the table has no such rows")
        table._store(game, 4, self.steps, 0)
        for number in range(self.planes):
            plane = &self.plane[number]
            row = first + number
            if plane.state == C_GONE:
                table._store(row, 5, C_GONE, 0)
                continue
            table._store(row, 0, plane.x >> 7, 0)
            table._store(row, 1, plane.y >> 7, 0)
            table._store(row, 2, plane.heading >> 4, 0)
            table._store(row, 3, plane.speed >> 4, 0)
            table._store(row, 4, plane.seq, 0)
            table._store(row, 5, plane.state, 0)
            table._store(row, 6, plane.health, 0)
            table._store(row, 7, plane.score, 0)
            table._store(row, 8, plane.deaths, 0)
        for number in range(self.planes * SLOTS):
            shot = &self.shot[number]
            row = first + self.planes + number
            if shot.seen != shot.shown:
                shot.shown = shot.seen
                table._store(row, 5, shot.seen, 0)
            if shot.fired == self.steps and self.steps:
                table._store(row, 0, shot.from_x >> 7, 0)
                table._store(row, 1, shot.from_y >> 7, 0)
                table._store(row, 2, shot.heading >> 4, 0)
                table._store(row, 3, shot.speed >> 4, 0)
                table._store(row, 4, shot.fired, 0)

    cpdef show_own(self, Table table, int first):
        """Set what only the pilot may see, in ``planes`` rows from ``first`` on."""
        cdef int number
        cdef Plane* plane
        if not (0 <= first and first + self.planes <= table.used and table.width >= 3):
            raise IndexError("the table has no such rows")
        for number in range(self.planes):
            plane = &self.plane[number]
            table._store(first + number, 0, plane.ammo, 0)
            # Steps to go, named by their end: a number that changes when a shot is fired only.
            table._store(first + number, 1, self.ready_at(plane, plane.cooldown), 0)
            table._store(first + number, 2, self.ready_at(plane, plane.reload), 0)

    cdef int64_t ready_at(self, Plane* plane, int left) noexcept:
        return self.steps + left if left else 0


cdef bint struck(int64_t ax, int64_t ay, int64_t bx, int64_t by,
                 int64_t px, int64_t py, int64_t reach) noexcept:
    """Whether the way from a to b comes as near to p as the square of ``reach``; eighths of a u."""
    cdef int64_t dx = bx - ax, dy = by - ay, x = px - ax, y = py - ay
    cdef int64_t along = x * dx + y * dy, length = dx * dx + dy * dy, cross
    if along <= 0:
        return x * x + y * y <= reach
    if along >= length:
        return (px - bx) * (px - bx) + (py - by) * (py - by) <= reach
    cross = x * dy - y * dx
    return cross * cross <= reach * length
