/* What a hundred duels cost without a game: sockets that are read, and written to at a beat.

   beat HZ BYTES, and on stdin the descriptors, one a line, then an empty line

   Reads what comes and sends BYTES to each socket HZ times a second, a quarter of them at once, as
   the server does. Ends with stdin. */

#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 20000
#define PHASES 4

static int fds[MOST];
static char data[4096];

static int64_t now_ns(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    int64_t period = (int64_t) (1e9 / (atof(argv[1]) * PHASES));
    size_t bytes = (size_t) atoi(argv[2]);
    int count = 0, poll = epoll_create1(0);
    char line[64];
    if (bytes > sizeof data) return 2;
    while (fgets(line, sizeof line, stdin) && line[0] != '\n' && count < MOST) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fds[count] = atoi(line)};
        epoll_ctl(poll, EPOLL_CTL_ADD, fds[count++], &event);
    }
    struct epoll_event end = {.events = EPOLLIN, .data.fd = 0};
    epoll_ctl(poll, EPOLL_CTL_ADD, 0, &end);
    int64_t begun = now_ns();
    for (int64_t turn = 1;; turn++) {
        for (int at = (int) (turn % PHASES); at < count; at += PHASES)
            if (send(fds[at], data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) return 1;
        for (;;) {
            struct epoll_event events[512];
            int64_t left = begun + turn * period - now_ns();
            if (left <= 0) break;
            int found = epoll_wait(poll, events, 512, (int) (left / 1000000));
            for (int at = 0; at < found; at++) {
                if (events[at].data.fd == 0) return 0;
                if (recv(events[at].data.fd, data, sizeof data, MSG_DONTWAIT) == 0) return 0;
            }
        }
    }
}
