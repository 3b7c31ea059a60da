"""One client's socket above picows: whole messages in, frames out, and an end that comes.

picows parses single frames; `Messages` makes messages of them. This room adds what needs the
socket itself: a budget of frames, PONGs that are never piled up, a closing handshake that is
bounded in time, and what the wheel of pings asks to tell the slow from the gone. What it sends
goes by its `Line`. It knows nothing of JSON, users or channels. Source: RFC 6455;
docs/architecture.md.
"""

import asyncio
import logging

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.string cimport memcpy

from picows.picows cimport WSFrame, WSListener, WSTransport

from fastws._core.limiter cimport Bucket
from fastws._core.line cimport Cork, Line
from fastws._core.messages cimport (
    BINARY, CLOSE, FAILURE, PING, PONG, TEXT, Event, Messages,
)
from fastws._core.outbox import Outbox

cdef extern from "<sys/ioctl.h>" nogil:
    int ioctl(int fd, unsigned long request, ...)

cdef extern from "<linux/sockios.h>" nogil:
    enum: SIOCOUTQ

CLOSE_SECONDS = 0.5
"""Seconds between our CLOSE and the end of the socket, whatever the peer does."""

cdef int PROTOCOL_ERROR = 1002
cdef int NO_STATUS = 1005
cdef int ABNORMAL = 1006
cdef int POLICY = 1008
cdef int PING_BYTES = 10
cdef int RECORD_BYTES = 128  # what TLS may add to a ping
cdef double INFLATED = 8192  # bytes that cost as much as a frame to whoever sends them compressed

log = logging.getLogger("fastws.socket")


cdef class Socket(WSListener):
    """A WebSocket of a client: the outlet of a connection, and its listener and logger.

    ``opened(socket)`` is called when the handshake is out and returns the receiver of the
    messages. picows tells of malformed frames by writing to its logger and in no other way,
    so this is the logger, too.
    """

    cdef object _opened
    cdef object _receiver
    cdef WSTransport _ws
    cdef object _wheel
    cdef Cork _cork
    cdef readonly Line line      # None before the handshake
    cdef public object instant   # instant(data) takes a binary message at once; False: it is not for it
    cdef object _clock
    cdef Messages _messages
    cdef Bucket _frames
    cdef object _deflater        # None: compression was not agreed on
    cdef object _outbox          # of long texts, if it was
    cdef Py_ssize_t _least       # bytes of a long text
    cdef bytes _owed             # payload of the latest PING that waits for a drained socket
    cdef object _abort_timer
    cdef bint _closing
    cdef int _code               # what the end was about, 0 while it is open
    cdef str _reason
    cdef double _heard
    cdef double _pinged          # when the PING went out that is not answered; 0 if none is
    cdef long long _taken        # bytes the peer had taken when it was pinged
    cdef readonly double rtt_ms

    def __init__(self, opened, wheel, Cork cork not None, *, Py_ssize_t max_message,
                 int max_fragments=64, double frame_rate=200.0, double frame_burst=1000.0,
                 deflater=None):
        """Sizes in bytes, rates in frames of any kind a second.

        With a ``deflater`` messages may be compressed in both directions.
        """
        self._opened = opened
        self._wheel = wheel
        self._clock = wheel.clock
        self._cork = cork
        self._messages = Messages(max_message, max_fragments, deflater is not None)
        self._deflater = deflater
        self._frames = Bucket(frame_rate, frame_burst)
        self._reason = ""

    # -- what a connection does with it ----------------------------------------------------

    @property
    def open(self):
        """Whether messages still come and go."""
        return self._ws is not None and not self._closing

    @property
    def pending(self):
        """Bytes taken from us that the kernel has not taken yet."""
        cdef Py_ssize_t held = 0 if self._outbox is None else self._outbox.held
        return held if self.line is None else self.line.pending + held

    @property
    def writable(self):
        """Whether nothing is pending."""
        return self.line is not None and self.line.open and not self.line.full

    def send(self, bytes data not None, bint binary=False):
        """Send one message; nothing happens once the end has begun."""
        if self.line is None:
            return
        if self._outbox is None or ((binary or len(data) < self._least) and not self._outbox.held):
            self.line.send(data, BINARY if binary else TEXT)
        else:
            self._outbox.send(data, binary)

    def close(self, int code, str reason not None):
        """Send CLOSE and take no more messages; the socket is gone within `CLOSE_SECONDS`."""
        if self._ws is None or self._closing:
            return
        self._end(code, reason)
        self._say_close(_close_body(code, reason))

    def abort(self):
        """Drop the socket now."""
        if self._ws is not None:
            self._closing = True
            self.line.forget()
            self._ws.underlying_transport.abort()

    def pause_reading(self):
        """Let the peer wait."""
        if self._ws is not None and not self._ws.underlying_transport.is_closing():
            self._ws.underlying_transport.pause_reading()

    def resume_reading(self):
        """Read again."""
        if self.open and not self._ws.underlying_transport.is_closing():
            self._ws.underlying_transport.resume_reading()

    # -- what picows tells it --------------------------------------------------------------

    cpdef on_ws_connected(self, WSTransport transport):
        """The 101 is out."""
        transport.request = transport.response = None  # 2 KiB a connection nobody reads again
        underlying = transport.underlying_transport
        underlying.set_write_buffer_limits(high=0)
        self._ws = transport
        self.line = Line(
            self._cork, transport._tr_write, -1 if transport.is_secure else transport._socket,
            underlying.is_closing, underlying.get_write_buffer_size)
        if self._deflater is not None:
            self._outbox = Outbox(self._deflater, self.line, self._go_on)
            self._least = self._outbox.least
        self._heard = self._clock()
        self._wheel.put(self, self._heard + self._wheel.idle)
        opened, self._opened = self._opened, None
        self._receiver = opened(self)

    cpdef on_ws_frame(self, WSTransport transport, WSFrame frame):
        """One frame, whole and unmasked; also those that came in one read with an end."""
        cdef Event event
        if self._closing:
            if <int> frame.msg_type == CLOSE:
                self._leave()  # the answer to our CLOSE
            return
        cdef double now = self._clock()
        self._heard = now
        if self._frames.take(now):
            self._refuse(POLICY, "Message rate limit exceeded")
            return
        event = self._messages.take(<int> frame.msg_type, frame.fin,
                                    frame.rsv1 << 2 | frame.rsv2 << 1 | frame.rsv3,
                                    frame.payload_ptr, frame.payload_size)
        if event == TEXT or event == BINARY:
            if self._messages.inflated and self._frames.take(now, self._messages.inflated / INFLATED):
                self._refuse(POLICY, "Message rate limit exceeded")
                return
            data, self._messages.data = self._messages.data, b""
            if (event == BINARY and self.instant is not None and self.line.tap is None
                    and self.instant(data)):
                self.line.took(len(<bytes> data))
            elif self._receiver is not None:
                self._receiver.receive(data, event == BINARY)
        elif event == PING:
            self._pong(self._messages.data)
        elif event == PONG:
            self._ponged(self._messages.data, now)
        elif event == CLOSE:
            self._answer_close()
        elif event == FAILURE:
            self._refuse(self._messages.code, self._messages.reason)

    cpdef on_ws_disconnected(self, WSTransport transport):
        """The socket is gone."""
        self._closing = True
        if self.line is not None:
            self.line.forget()
        self._wheel.drop(self)
        if self._abort_timer is not None:
            self._abort_timer.cancel()
            self._abort_timer = None
        if self._outbox is not None:
            self._outbox.drop()
        receiver, self._receiver = self._receiver, None
        self._ws = self._outbox = self._deflater = None
        if receiver is not None:
            receiver.closed(self._code or ABNORMAL, self._reason)

    cpdef pause_writing(self):
        """The socket is full."""
        if self.line is not None:
            self.line.full = True

    cpdef resume_writing(self):
        """The socket has taken everything."""
        if self.line is not None:
            self.line.full = self._outbox is not None and self._outbox.held
            if not self.line.full:
                self._go_on()

    def _go_on(self):
        if self._closing:
            return
        if self._owed is not None:
            owed, self._owed = self._owed, None
            self.line.send(owed, PONG)
        if self._receiver is not None:
            self._receiver.drained()

    # -- control frames --------------------------------------------------------------------

    cdef object _pong(self, bytes payload):
        # Only the latest PING needs an answer (section 5.5.3): nothing piles up.
        if self.line.full:
            self._owed = payload
        else:
            self.line.send(payload, PONG)

    cdef object _ponged(self, bytes payload, double now):
        cdef double sent
        if self._pinged and len(payload) == sizeof(double):
            memcpy(&sent, PyBytes_AS_STRING(payload), sizeof(double))
            if sent == self._pinged:
                self.rtt_ms = (now - sent) * 1000.0
                self._pinged = 0

    cdef object _answer_close(self):
        """The peer's CLOSE: say the same and leave."""
        cdef int code = self._messages.code
        self._end(code, self._messages.reason)
        self._say_close(b"" if code == NO_STATUS else _close_body(code, ""))
        self._leave()

    cdef object _refuse(self, int code, str reason):
        """The peer broke a rule: nothing is read from it any more."""
        self._end(code, reason)
        self._say_close(_close_body(code, reason))
        self.pause_reading()

    cdef object _say_close(self, bytes body):
        if self._outbox is not None:
            self._outbox.let_go()
        self.line.send(body, CLOSE)
        self.line.end()
        self._ws.is_close_frame_sent = True  # or picows would say it again
        self._abort_soon()

    cdef object _end(self, int code, str reason):
        self._closing = True
        self._code, self._reason = code, reason
        self._owed = None

    cdef object _leave(self):
        """Close once what is written has left; the timer ends it if that never comes."""
        if self._ws is not None:
            self._ws.underlying_transport.close()

    cdef object _abort_soon(self):
        if self._abort_timer is None:
            self._abort_timer = asyncio.get_running_loop().call_later(CLOSE_SECONDS, self.abort)

    # -- liveness --------------------------------------------------------------------------

    def look(self, double now):
        """Ping, close or wait, as the wheel's rule says; when to look again, 0 for never."""
        wheel = self._wheel
        if self._ws is None or self._closing:
            return 0
        cdef double due
        if self._pinged and self._heard <= self._pinged:
            # A ping may go out early, for its round trip: silence counts from the last frame.
            due = max(self._pinged, self._heard + wheel.idle) + wheel.timeout
            if now < due:
                return due
            if not self._progressed():
                wheel.closed += 1
                self.close(POLICY, "Heartbeat timeout")
                return 0
            self._heard = now  # slow, but it takes what it is sent
        if now - self._heard < wheel.idle and self.rtt_ms > 0:
            return self._heard + wheel.idle
        self._ping(now)
        return now + wheel.timeout

    cdef object _ping(self, double now):
        self._taken = self._taken_by_peer()
        self._pinged = now
        self.line.send(PyBytes_FromStringAndSize(<char*> &now, sizeof(double)), PING)

    cdef bint _progressed(self) except *:
        """Whether the peer took more than the PING since that went out."""
        cdef int ping = PING_BYTES + (RECORD_BYTES if self._ws.is_secure else 0)
        return self._taken_by_peer() - self._taken > ping

    cdef long long _taken_by_peer(self) except? -1:
        """Bytes the peer's kernel has acknowledged, as far as ours knows."""
        cdef int queued = 0
        if ioctl(self._ws._socket, SIOCOUTQ, &queued) < 0:
            queued = 0
        return self.line.accepted - queued

    # -- picows' logger --------------------------------------------------------------------

    def isEnabledFor(self, level):
        """Nothing but faults is of interest."""
        return False

    def log(self, level, message, *args):
        """Unused."""

    def debug(self, message, *args):
        """Unused."""

    def info(self, message, *args):
        """Unused: whoever connects and leaves has lines of his own."""

    def warning(self, message, *args):
        """A fault that costs nothing."""
        log.warning(message, *args)

    def error(self, message, *args):
        """The parser met a malformed frame; picows sends CLOSE next. Not worth a line."""
        if self._closing:
            return
        found = args[0] if args and isinstance(args[0], tuple) else ()
        if len(found) == 2 and isinstance(found[0], int):
            self._end(found[0], str(found[1]))
        else:
            self._end(PROTOCOL_ERROR, "Protocol error")
        if self.line is not None:
            self.line.end()  # before picows writes its CLOSE
        self.pause_reading()
        self._abort_soon()

    def exception(self, message, *args):
        """A fault of ours: picows sends CLOSE 1011 next."""
        log.exception(message, *args)
        if not self._closing:
            self._end(1011, "Internal error")
            if self.line is not None:
                self.line.end()
            self._abort_soon()


def _close_body(int code, str reason):
    """Code and reason of a CLOSE frame, at most 125 bytes, cut at a character."""
    text = reason.encode()
    if len(text) > 123:
        text = text[:123].decode("utf-8", "ignore").encode()
    return code.to_bytes(2, "big") + text
