/* A crowd of WebSocket clients in one process that only reads, counts and checks.

   generator PORT PATH CLIENTS MODE [MESSAGES]

   PATH may hold one %d, the client's number. MODE says what frames are:
     same   each carries "seq":N and "at":NS; every client gets the same bytes, N grows by one
     rows   the same fields; N never goes back
     table  binary table frames of fastws (docs/wire.md); each goes on from the tick before it
   MESSAGES is a file with a line for each client, sent after the handshake.

   Says "ready" when all are connected. Each line on stdin ("mark") is answered by one line of
   JSON with what came since the last, and the counters begin anew. Ends with stdin. Times are
   nanoseconds of CLOCK_MONOTONIC. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES (1 << 18)
#define SEEN 256           /* frames kept to compare those of other clients with */
#define SEEN_BYTES 512
#define SUB 64             /* parts of an octave in the histogram of delays */
#define BUCKETS (64 * SUB)

typedef struct {
    int fd;
    uint8_t *held;         /* the beginning of a frame whose end has not come */
    size_t have, room;
    int64_t last;          /* seq or tick, -1 before the first */
} Client;

enum { SAME, ROWS, TABLE };

static struct {
    uint64_t frames, bytes, disorder, wrong, closed, other, delays;
    int64_t first, last;
} told;

static uint32_t histogram[BUCKETS];
static struct { int64_t seq; size_t size; uint8_t bytes[SEEN_BYTES]; } seen[SEEN];
static uint8_t fresh[READ_BYTES];
static int mode;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void die(const char *what) { perror(what); exit(1); }

/* ── delays ─────────────────────────────────────────────────────────────────────────── */

static void delay(int64_t ns) {
    if (ns < 1) ns = 1;
    int octave = 63 - __builtin_clzll((uint64_t)ns);
    int part = octave < 6 ? 0 : (int)((ns >> (octave - 6)) & (SUB - 1));
    histogram[octave * SUB + part]++;
    told.delays++;
}

static double quantile(double q) {
    uint64_t wanted = (uint64_t)(q * told.delays), sum = 0;
    for (int i = 0; i < BUCKETS; i++) {
        sum += histogram[i];
        if (sum > wanted) {
            double base = (double)(1ULL << (i / SUB));
            return base + base * (i % SUB) / SUB;
        }
    }
    return 0;
}

/* ── frames ─────────────────────────────────────────────────────────────────────────── */

static int64_t number_after(const uint8_t *data, size_t size, const char *name) {
    const uint8_t *at = memmem(data, size, name, strlen(name));
    if (at == NULL) return -1;
    const uint8_t *end = data + size;
    int64_t value = 0;
    for (at += strlen(name); at < end && *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (*at - '0');
    return value;
}

static void count(int64_t place) {
    told.frames++;
    if (told.first < 0 || place < told.first) told.first = place;
    if (place > told.last) told.last = place;
}

static void take_text(Client *c, const uint8_t *data, size_t size, int64_t now) {
    int64_t seq = number_after(data, size, "\"seq\":");
    if (seq < 0) { told.other++; return; }
    if (c->last >= 0 && (mode == SAME ? seq != c->last + 1 : seq < c->last)) told.disorder++;
    c->last = seq;
    if (data[size - 1] != '}') told.wrong++;
    if (mode == SAME && size <= SEEN_BYTES) {
        int slot = (int)(seq % SEEN);
        if (seen[slot].seq != seq) {
            seen[slot].seq = seq;
            seen[slot].size = size;
            memcpy(seen[slot].bytes, data, size);
        } else if (seen[slot].size != size || memcmp(seen[slot].bytes, data, size)) {
            told.wrong++;
        }
    }
    int64_t at = number_after(data, size, "\"at\":");
    if (at > 0) delay(now - at);
    count(seq);
}

static uint64_t varint(const uint8_t **at, const uint8_t *end) {
    uint64_t value = 0;
    for (int shift = 0; *at < end && shift < 63; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) return value;
    }
    told.wrong++;
    return 0;
}

static void take_table(Client *c, const uint8_t *at, size_t size) {
    const uint8_t *end = at + size;
    while (at < end) {
        uint64_t length = varint(&at, end);
        if (length > (size_t)(end - at)) { told.wrong++; return; }
        const uint8_t *inner = at, *stop = at + length;
        at = stop;
        if (inner == stop || *inner++ != 1) { told.other++; continue; }
        varint(&inner, stop);
        int snapshot = inner < stop && (*inner++ & 1);
        int64_t tick = (int64_t)varint(&inner, stop);
        int64_t base = tick - (int64_t)varint(&inner, stop);
        if (c->last >= 0 && !snapshot && base != c->last) told.disorder++;
        if (c->last < 0 && !snapshot) told.disorder++;
        c->last = tick;
        count(tick);
    }
}

/* Whole frames at `data` are taken; the bytes that they are, are returned. */
static size_t take(Client *c, const uint8_t *data, size_t have, int64_t now) {
    size_t done = 0;
    while (have - done >= 2) {
        const uint8_t *at = data + done;
        size_t head = 2, size = at[1] & 0x7f;
        if (size == 126) head = 4;
        if (size == 127) head = 10;
        if (have - done < head) break;
        if (head == 4) size = (size_t)at[2] << 8 | at[3];
        if (head == 10) for (int i = size = 0; i < 8; i++) size = size << 8 | at[2 + i];
        if (have - done < head + size) break;
        int opcode = at[0] & 15;
        if (at[1] & 0x80) told.wrong++;          /* a server masks nothing */
        if (opcode == 2 && mode == TABLE) take_table(c, at + head, size);
        else if ((opcode == 1 || opcode == 2) && size) take_text(c, at + head, size, now);
        else told.other++;
        done += head + size;
    }
    return done;
}

static void drain(Client *c, int poller) {
    ssize_t got = recv(c->fd, fresh, sizeof fresh, 0);
    if (got <= 0) {
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        told.closed++;
        epoll_ctl(poller, EPOLL_CTL_DEL, c->fd, NULL);
        close(c->fd);
        c->fd = -1;
        return;
    }
    int64_t now = now_ns();
    told.bytes += (uint64_t)got;
    const uint8_t *data = fresh;
    size_t have = (size_t)got;
    if (c->have) {
        if (c->room < c->have + have) {
            c->room = (c->have + have) * 2;
            c->held = realloc(c->held, c->room);
            if (c->held == NULL) die("memory");
        }
        memcpy(c->held + c->have, fresh, have);
        data = c->held;
        have += c->have;
    }
    size_t done = take(c, data, have, now);
    size_t rest = have - done;
    if (rest && data == fresh && c->room < rest) {
        c->room = rest * 2;
        c->held = realloc(c->held, c->room);
        if (c->held == NULL) die("memory");
    }
    if (rest) memmove(c->held, data + done, rest);
    c->have = rest;
}

/* ── connections ────────────────────────────────────────────────────────────────────── */

static void say(int fd, const char *text, size_t size) {
    uint8_t head[8] = {0x81};
    size_t n = 2;
    head[1] = 0x80 | (size < 126 ? (uint8_t)size : 126);
    if (size >= 126) { head[2] = (uint8_t)(size >> 8); head[3] = (uint8_t)size; n = 4; }
    memset(head + n, 0, 4);                      /* a mask of zeros changes nothing */
    if (write(fd, head, n + 4) < 0 || write(fd, text, size) < 0) die("write");
}

static int join(int port, const char *path, int index) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (fd < 0) die("socket");
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(0x7f010000u + (uint32_t)(index / 250) * 256 + index % 250 + 1);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)port);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(fd, (void *)&from, sizeof from)) die("bind");
    if (connect(fd, (void *)&to, sizeof to)) die("connect");
    char target[256], request[1024], answer[2048];
    snprintf(target, sizeof target, path, index);
    int size = snprintf(request, sizeof request,
        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        target, port);
    if (write(fd, request, (size_t)size) != size) die("write");
    size_t have = 0;                             /* a byte at a time: frames follow at once */
    while (have < 4 || memcmp(answer + have - 4, "\r\n\r\n", 4)) {
        if (have == sizeof answer || read(fd, answer + have, 1) != 1) die("handshake");
        have++;
    }
    if (strncmp(answer, "HTTP/1.1 101", 12)) { fprintf(stderr, "%.60s\n", answer); exit(1); }
    return fd;
}

static void report(void) {
    printf("{\"frames\":%lu,\"bytes\":%lu,\"disorder\":%lu,\"wrong\":%lu,\"closed\":%lu,"
           "\"other\":%lu,\"first\":%ld,\"last\":%ld,\"p50\":%.0f,\"p99\":%.0f,\"p999\":%.0f}\n",
           told.frames, told.bytes, told.disorder, told.wrong, told.closed, told.other,
           told.first, told.last, quantile(.5), quantile(.99), quantile(.999));
    fflush(stdout);
    memset(&told, 0, sizeof told);
    memset(histogram, 0, sizeof histogram);
    told.first = told.last = -1;
}

int main(int argc, char **argv) {
    if (argc < 5) { fprintf(stderr, "generator PORT PATH CLIENTS MODE [MESSAGES]\n"); return 2; }
    int port = atoi(argv[1]), clients = atoi(argv[3]);
    mode = !strcmp(argv[4], "table") ? TABLE : !strcmp(argv[4], "rows") ? ROWS : SAME;
    FILE *messages = argc > 5 ? fopen(argv[5], "r") : NULL;
    if (argc > 5 && messages == NULL) die(argv[5]);
    int poller = epoll_create1(0);
    Client *all = calloc((size_t)clients, sizeof *all);
    for (int i = 0; i < SEEN; i++) seen[i].seq = -1;
    char *line = NULL;
    size_t room = 0;
    for (int i = 0; i < clients; i++) {
        all[i].fd = join(port, argv[2], i);
        all[i].last = -1;
        if (messages) {
            ssize_t size = getline(&line, &room, messages);
            if (size > 1) say(all[i].fd, line, (size_t)size - 1);
        }
        fcntl(all[i].fd, F_SETFL, O_NONBLOCK);
        struct epoll_event wish = {.events = EPOLLIN, .data.ptr = &all[i]};
        epoll_ctl(poller, EPOLL_CTL_ADD, all[i].fd, &wish);
    }
    struct epoll_event wish = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poller, EPOLL_CTL_ADD, 0, &wish);
    told.first = told.last = -1;
    puts("ready");
    fflush(stdout);
    struct epoll_event events[512];
    for (;;) {
        int n = epoll_wait(poller, events, 512, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr) { drain(events[i].data.ptr, poller); continue; }
            char asked[64];
            if (read(0, asked, sizeof asked) <= 0) return 0;
            report();
        }
    }
}
