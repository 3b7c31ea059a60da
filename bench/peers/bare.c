/* The least a server can do: send(2) of a frame made before, to each descriptor in turn.

   bare CLIENTS KIND RATE SIZE FRAMES

   KIND same: one text frame of SIZE bytes a client and tick. KIND rows: FRAMES frames of SIZE
   bytes, each in a send of its own. Prints its port, takes CLIENTS handshakes, then ticks RATE
   times a second between SIGUSR2 (go) and SIGHUP (stop). Frames carry "seq" and "at". The
   handshake has the answer to one key only, that of the load generator. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t going;
static void go(int number) { going = number == SIGUSR2; }
static void die(const char *what) { perror(what); exit(1); }

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int welcome(int listener) {
    static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    char head[2048];
    int fd, one = 1;
    while ((fd = accept(listener, NULL, NULL)) < 0)
        if (errno != EINTR) die("accept");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (size_t have = 0; have < 4 || memcmp(head + have - 4, "\r\n\r\n", 4);) {
        ssize_t got = read(fd, head + have, sizeof head - have);
        if (got <= 0) die("head");
        have += (size_t)got;
    }
    if (write(fd, answer, sizeof answer - 1) < 0) die("answer");
    return fd;
}

static size_t make(char *frame, int size, long seq) {
    char *at = frame;
    *at++ = (char)0x81;
    if (size < 126) *at++ = (char)size;
    else { *at++ = 126; *at++ = (char)(size >> 8); *at++ = (char)size; }
    int used = sprintf(at, "{\"seq\":%09ld,\"at\":%016ld,\"x\":\"", seq, now_ns());
    memset(at + used, 'x', (size_t)(size - used));
    memcpy(at + size - 2, "\"}", 2);
    return (size_t)(at - frame) + (size_t)size;
}

int main(int argc, char **argv) {
    if (argc < 6) { fprintf(stderr, "bare CLIENTS KIND RATE SIZE FRAMES\n"); return 2; }
    int clients = atoi(argv[1]), size = atoi(argv[4]), frames = atoi(argv[5]);
    int64_t period = (int64_t)(1e9 / atof(argv[3]));
    if (size < 48) size = 48;
    struct sigaction act = {.sa_handler = go};
    sigaction(SIGUSR2, &act, NULL);
    sigaction(SIGHUP, &act, NULL);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in here = {.sin_family = AF_INET};
    socklen_t length = sizeof here;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (void *)&here, sizeof here) || listen(listener, 1024)) die("listen");
    getsockname(listener, (void *)&here, &length);
    printf("port %d\n", ntohs(here.sin_port));
    fflush(stdout);
    int *fds = calloc((size_t)clients, sizeof *fds);
    for (int i = 0; i < clients; i++) fds[i] = welcome(listener);
    char *frame = malloc((size_t)size + 64);
    long seq = 0;
    for (int64_t due = now_ns();;) {
        due += period;
        struct timespec until = {due / 1000000000, due % 1000000000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        if (!going) { pause(); due = now_ns(); continue; }
        size_t bytes = make(frame, size, ++seq);
        for (int i = 0; i < clients; i++)
            for (int k = 0; k < frames; k++)
                if (send(fds[i], frame, bytes, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)bytes)
                    fprintf(stderr, "client %d is slow\n", i);
    }
}
