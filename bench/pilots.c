/* Players, or spectators, of SkyDuel over WebSockets that somebody else has opened.

   pilots HZ SEED, and on stdin the descriptors, one a line, then an empty line

   Each sends HZ binary inputs a second at a moment of its own (0: none), turns another way every
   twenty, shoots every ten, and throws away what it reads. Ends with stdin or when a socket is
   closed. Says at the end how many inputs were sent and how many bytes read. */

#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 20000

typedef struct { int fd; uint32_t seq; int turn; } Pilot;

static Pilot pilots[MOST];
static char waste[1 << 18];

static int64_t now_ns(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static int steer(Pilot *one, int64_t now) {
    /* A masked frame of 12 bytes; its mask is zero. */
    uint8_t frame[18] = {0x82, 0x8c, 0, 0, 0, 0, 0x10};
    uint32_t t = (uint32_t) (now / 1000000);
    one->seq += 1;
    if (one->seq % 20 == 0) one->turn = rand() % 255 - 127;
    memcpy(frame + 7, &one->seq, 4);
    memcpy(frame + 11, &t, 4);
    frame[15] = 100;
    frame[16] = (uint8_t) one->turn;
    frame[17] = one->seq % 10 == 0;
    return send(one->fd, frame, sizeof frame, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof frame;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    double hz = atof(argv[1]);
    int count = 0, poll = epoll_create1(0);
    long long sent = 0, bytes = 0;
    char line[64];
    srand((unsigned) atoi(argv[2]));
    while (fgets(line, sizeof line, stdin) && line[0] != '\n' && count < MOST) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t) count};
        pilots[count].fd = atoi(line);
        epoll_ctl(poll, EPOLL_CTL_ADD, pilots[count].fd, &event);
        count += 1;
    }
    struct epoll_event end = {.events = EPOLLIN, .data.u32 = MOST};
    epoll_ctl(poll, EPOLL_CTL_ADD, 0, &end);
    int64_t begun = now_ns(), turn = 0;
    double step = hz > 0 ? 1e9 / (hz * count) : 0;
    for (;;) {
        struct epoll_event events[512];
        int64_t now = now_ns();
        while (step > 0 && turn * step <= now - begun) {
            if (!steer(&pilots[turn % count], now)) goto out;
            sent += 1;
            turn += 1;
        }
        /* Not in epoll: whoever waits there is woken at every send of the server, which pays for
           it; players on other machines cost it nothing of that. */
        usleep(500);
        int found = epoll_wait(poll, events, 512, 0);
        for (int at = 0; at < found; at++) {
            if (events[at].data.u32 == MOST) goto out;
            ssize_t got = recv(pilots[events[at].data.u32].fd, waste, sizeof waste, MSG_DONTWAIT);
            if (got == 0 || (got < 0 && errno != EAGAIN)) goto out;
            if (got > 0) bytes += got;
        }
    }
out:
    printf("%lld %lld\n", sent, bytes);
    return 0;
}
