#define _GNU_SOURCE
// A receiver of webhooks that costs next to nothing, and the floor of sending them: what a client loop cannot be cheaper than.
//   take PORT FILE           answers every POST with an empty 200, and GET with its counts as JSON; a copy of one large request goes to FILE
//   post PORT FILE COUNT     posts the bytes of FILE COUNT times over one connection, each after the answer; prints what it took
// cc -O2 -o webhooks webhooks.c
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 1024, CAPACITY = 4 << 20 };

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

struct peer {
    char *bytes;
    size_t held;
};

static struct peer peers[CONNECTIONS];
static long requests, events, received;
static size_t kept;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static struct sockaddr_in loopback(const char *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

// Where a field's value begins, in a head that ends with an empty line; NULL: it has none.
static const char *field(const char *head, const char *name) {
    const char *found = strcasestr(head, name);
    return found ? found + strlen(name) : NULL;
}

static long ids(const char *head) {
    const char *at = field(head, "\r\nX-Starling-Event-Id:");
    if (!at) return 1;
    long count = 1;
    for (; *at != '\r'; at++) count += *at == ',';
    return count;
}

static void keep(const char *path, const char *bytes, size_t count) {
    if (count <= kept) return;
    FILE *file = fopen(path, "w");
    if (!file || fwrite(bytes, 1, count, file) != count || fclose(file)) die(path);
    kept = count;
}

static void tell(int fd) {
    char body[128], text[256];
    int size = snprintf(body, sizeof body, "{\"requests\":%ld,\"events\":%ld,\"bytes\":%ld}", requests, events, received);
    int count = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", size, body);
    if (send(fd, text, count, 0) < 0) return;
}

// Answers what is whole of `peer`; gives false when the connection is to be closed.
static int serve(int fd, struct peer *peer, const char *path) {
    ssize_t got = recv(fd, peer->bytes + peer->held, CAPACITY - 1 - peer->held, 0);
    if (got <= 0) return 0;
    peer->held += got;
    size_t at = 0;
    for (;;) {
        char *begin = peer->bytes + at;
        char *end = memmem(begin, peer->held - at, "\r\n\r\n", 4);
        if (!end) break;
        char after = end[4];
        end[4] = 0;
        const char *length = field(begin, "\r\nContent-Length:");
        size_t whole = end + 4 - begin + (length ? strtoul(length, NULL, 10) : 0);
        int is_whole = peer->held - at >= whole;
        if (is_whole && !strncmp(begin, "GET ", 4)) tell(fd);
        else if (is_whole) {
            requests++;
            events += ids(begin);
            received += whole;
            end[4] = after;
            keep(path, begin, whole);
            if (send(fd, answer, sizeof answer - 1, 0) < 0) return 0;
        }
        end[4] = after;
        if (!is_whole) break;
        at += whole;
    }
    memmove(peer->bytes, peer->bytes + at, peer->held - at);
    peer->held -= at;
    return peer->held < CAPACITY - 1;
}

static void take(const char *port, const char *path) {
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = loopback(port);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 128)) die("listen");
    int set = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(set, EPOLL_CTL_ADD, listener, &event);
    while (epoll_wait(set, &event, 1, -1) >= 0) {
        int fd = event.data.fd;
        if (fd == listener) {
            int new = accept(listener, NULL, NULL);
            if (new < 0) continue;
            if (new >= CONNECTIONS) { close(new); continue; }
            setsockopt(new, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            if (!peers[new].bytes && !(peers[new].bytes = malloc(CAPACITY))) die("malloc");
            peers[new].held = 0;
            event = (struct epoll_event){.events = EPOLLIN, .data.fd = new};
            epoll_ctl(set, EPOLL_CTL_ADD, new, &event);
        } else if (!serve(fd, &peers[fd], path)) close(fd);
    }
    die("epoll_wait");
}

static void post(const char *port, const char *path, long count) {
    char *bytes = malloc(CAPACITY), buffer[4096];
    FILE *file = fopen(path, "r");
    if (!bytes || !file) die(path);
    size_t size = fread(bytes, 1, CAPACITY - 1, file);
    bytes[size] = 0;
    long in_each = ids(bytes);
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in address = loopback(port);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (long i = 0; i < count; i++) {
        if (send(fd, bytes, size, 0) != (ssize_t)size || recv(fd, buffer, sizeof buffer, 0) <= 0) die("post");
    }
    struct timespec spent;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    double seconds = spent.tv_sec + spent.tv_nsec / 1e9;
    printf("{\"requests\":%ld,\"events\":%ld,\"cpu_seconds\":%.6f}\n", count, count * in_each, seconds);
}

int main(int count, char **words) {
    if (count == 4 && !strcmp(words[1], "take")) take(words[2], words[3]);
    else if (count == 5 && !strcmp(words[1], "post")) post(words[2], words[3], atol(words[4]));
    else return fprintf(stderr, "usage: webhooks take PORT FILE | post PORT FILE COUNT\n"), 64;
}
