#define _GNU_SOURCE
// The floor: what no broker can be cheaper than. It understands just enough of the load generator to be measured by it, and then
// does the least there is to do, one system call at a time:
//   a publish over HTTP      one recv, then one bare send to each subscribed socket of the channel (no coalescing, no checks)
//   a client event           one recv, one send to each other socket of the channel
// cc -O2 -o floor floor.c && ./floor PORT
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS = 65536, CHANNELS = 65536, PEERS = 16, BUFFER = 262144 };

struct connection {
    uint8_t is_web_socket, is_subscribed;
    int channel;
    uint8_t *rest; // bytes of an incomplete message
    size_t rest_bytes;
};

static struct connection connections[CONNECTIONS];
static int subscribers[CONNECTIONS], subscriber_count;
static int peers[CHANNELS][PEERS], peer_count[CHANNELS];
static uint8_t input[2 * BUFFER], output[BUFFER];

static const char upgraded[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               "Sec-WebSocket-Accept: 7LSZcGL7+8Vzyp5E+FoLrl+Gjpo=\r\n\r\n";
static const char greeting[] = "{\"event\":\"pusher:connection_established\",\"data\":\"{\\\"socket_id\\\":\\\"1.1\\\","
                               "\\\"activity_timeout\\\":120}\"}";
static const char confirmed[] = "{\"event\":\"pusher_internal:subscription_succeeded\",\"channel\":\"c\",\"data\":\"{}\"}";
static const char replied[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

static size_t put_frame(uint8_t *out, const void *payload, size_t count) {
    size_t header = 2;
    out[0] = 0x81;
    if (count < 126) {
        out[1] = (uint8_t)count;
    } else {
        out[1] = 126;
        out[2] = (uint8_t)(count >> 8);
        out[3] = (uint8_t)count;
        header = 4;
    }
    memcpy(out + header, payload, count);
    return header + count;
}

static void push(int to, const void *bytes, size_t count) {
    // The sockets are drained; if one is not, the run shows lost deliveries.
    (void)!send(to, bytes, count, MSG_NOSIGNAL);
}

static void forget(int fd) {
    struct connection *one = &connections[fd];
    if (one->is_subscribed)
        for (int i = 0; i < subscriber_count; i++)
            if (subscribers[i] == fd) {
                subscribers[i] = subscribers[--subscriber_count];
                break;
            }
    if (one->is_subscribed && one->channel >= 0)
        for (int i = 0; i < peer_count[one->channel]; i++)
            if (peers[one->channel][i] == fd) {
                peers[one->channel][i] = peers[one->channel][--peer_count[one->channel]];
                break;
            }
    free(one->rest);
    memset(one, 0, sizeof *one);
    close(fd);
}

static char *between(char *text, size_t count, const char *before, char after, size_t *found) {
    char *start = memmem(text, count, before, strlen(before));
    if (!start) return NULL;
    start += strlen(before);
    char *end = memchr(start, after, count - (size_t)(start - text));
    if (!end) return NULL;
    *found = (size_t)(end - start);
    return start;
}

static void fan_out(char *body, size_t count) {
    static char text[BUFFER];
    size_t name_bytes, data_bytes;
    char *name = between(body, count, "\"channels\":[\"", '"', &name_bytes);
    char *data = between(body, count, "\"data\":\"", '"', &data_bytes);
    if (!name || !data || name_bytes + data_bytes > sizeof text - 100) return;
    int length = snprintf(text, sizeof text, "{\"event\":\"bench\",\"channel\":\"%.*s\",\"data\":\"%.*s\"}", (int)name_bytes,
                          name, (int)data_bytes, data);
    size_t bytes = put_frame(output, text, (size_t)length);
    // A crowded channel is taken to be the only one: then everybody is in it.
    char *digits = memmem(name, name_bytes, "bench-", 6);
    int channel = digits ? atoi(digits + 6) : -1;
    if (channel >= 0 && channel < CHANNELS && peer_count[channel] < PEERS) {
        for (int i = 0; i < peer_count[channel]; i++) push(peers[channel][i], output, bytes);
        return;
    }
    for (int i = 0; i < subscriber_count; i++) push(subscribers[i], output, bytes);
}

static void message(int fd, uint8_t *payload, size_t count) {
    struct connection *one = &connections[fd];
    if (memmem(payload, count, "pusher:subscribe", 16)) {
        size_t digits;
        char *name = between((char *)payload, count, "bench-", '"', &digits);
        int channel = name ? atoi(name) : -1;
        one->channel = channel >= 0 && channel < CHANNELS ? channel : -1;
        if (!one->is_subscribed) subscribers[subscriber_count++] = fd;
        if (one->channel >= 0 && peer_count[one->channel] < PEERS) peers[one->channel][peer_count[one->channel]++] = fd;
        one->is_subscribed = 1;
        push(fd, output, put_frame(output, confirmed, sizeof confirmed - 1));
    } else if (one->channel >= 0) {
        size_t bytes = put_frame(output, payload, count);
        for (int i = 0; i < peer_count[one->channel]; i++)
            if (peers[one->channel][i] != fd) push(peers[one->channel][i], output, bytes);
    }
}

static size_t frames(int fd, uint8_t *bytes, size_t count) {
    size_t at = 0;
    while (count - at >= 6) {
        size_t header = 2, length = bytes[at + 1] & 0x7F;
        if (length == 127) return count;
        if (length == 126) {
            header = 4;
            length = (size_t)bytes[at + 2] << 8 | bytes[at + 3];
        }
        if (count - at < header + 4 + length) break;
        uint8_t *key = bytes + at + header, *payload = key + 4;
        uint64_t word;
        uint32_t half;
        memcpy(&half, key, 4);
        word = (uint64_t)half << 32 | half;
        size_t i = 0;
        for (; i + 8 <= length; i += 8) {
            uint64_t value;
            memcpy(&value, payload + i, 8);
            value ^= word;
            memcpy(payload + i, &value, 8);
        }
        for (; i < length; i++) payload[i] ^= key[i & 3];
        if ((bytes[at] & 15) == 1) message(fd, payload, length);
        at += header + 4 + length;
    }
    return at;
}

static size_t requests(int fd, uint8_t *bytes, size_t count) {
    size_t at = 0;
    while (at < count) {
        char *head = (char *)bytes + at, *end = memmem(head, count - at, "\r\n\r\n", 4);
        if (!end) break;
        size_t head_bytes = (size_t)(end - head) + 4;
        if (memmem(head, head_bytes, "Upgrade: websocket", 18)) {
            connections[fd].is_web_socket = 1;
            connections[fd].channel = -1;
            size_t first = sizeof upgraded - 1;
            memcpy(output, upgraded, first);
            push(fd, output, first + put_frame(output + first, greeting, sizeof greeting - 1));
            return at + head_bytes;
        }
        char *length = memmem(head, head_bytes, "Content-Length: ", 16);
        size_t body = length ? (size_t)atol(length + 16) : 0;
        if (count - at < head_bytes + body) break;
        push(fd, replied, sizeof replied - 1);
        fan_out(head + head_bytes, body);
        at += head_bytes + body;
    }
    return at;
}

static void readable(int fd) {
    struct connection *one = &connections[fd];
    size_t kept = one->rest_bytes;
    if (kept) memcpy(input, one->rest, kept);
    ssize_t count = recv(fd, input + kept, BUFFER, 0);
    if (count <= 0) {
        if (count == 0 || errno != EAGAIN) forget(fd);
        return;
    }
    size_t total = kept + (size_t)count;
    size_t used = one->is_web_socket ? frames(fd, input, total) : requests(fd, input, total);
    free(one->rest);
    one->rest = NULL;
    one->rest_bytes = total - used;
    if (used < total && one->rest_bytes <= BUFFER) {
        one->rest = malloc(one->rest_bytes);
        memcpy(one->rest, input + used, one->rest_bytes);
    }
}

int main(int argc, char **argv) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 7100))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4096) < 0) {
        perror("floor");
        return 1;
    }
    int set = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data = {.fd = listener}}, events[1024];
    epoll_ctl(set, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(set, events, 1024, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd != listener) {
                readable(events[i].data.fd);
                continue;
            }
            for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
                if (fd >= CONNECTIONS) {
                    close(fd);
                    continue;
                }
                struct epoll_event one = {.events = EPOLLIN, .data = {.fd = fd}};
                epoll_ctl(set, EPOLL_CTL_ADD, fd, &one);
            }
        }
    }
}
