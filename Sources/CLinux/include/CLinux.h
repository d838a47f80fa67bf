// What Glibc hides from Swift, as plain functions: every one answers a value >= 0 or -errno, so that errno is read at once.
// Never define _GNU_SOURCE here: a public header would change what every importer sees. What needs it lives in CLinux.c.
#pragma once

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "CLinuxSockets.h"

/// An IP address and port. `high`/`low` are the 128 address bits as big-endian numbers; IPv4 sits in the low 32 bits of `low`.
struct clinux_address {
    uint64_t high;
    uint64_t low;
    uint16_t port;
    uint8_t family; // 4, 6, or 0 when the socket is not an IP socket
};

// Events. `data` comes back untouched in epoll_event.data.u64.

int clinux_epoll_create(void);

static inline int clinux_epoll_add(int set, int descriptor, uint32_t events, uint64_t data) {
    struct epoll_event event = {.events = events, .data = {.u64 = data}};
    return epoll_ctl(set, EPOLL_CTL_ADD, descriptor, &event) < 0 ? -errno : 0;
}

static inline int clinux_epoll_modify(int set, int descriptor, uint32_t events, uint64_t data) {
    struct epoll_event event = {.events = events, .data = {.u64 = data}};
    return epoll_ctl(set, EPOLL_CTL_MOD, descriptor, &event) < 0 ? -errno : 0;
}

static inline int clinux_epoll_remove(int set, int descriptor) {
    struct epoll_event event = {0};
    return epoll_ctl(set, EPOLL_CTL_DEL, descriptor, &event) < 0 ? -errno : 0;
}

static inline int clinux_epoll_wait(int set, struct epoll_event *events, int capacity, int milliseconds) {
    int count = epoll_wait(set, events, capacity, milliseconds);
    return count < 0 ? -errno : count;
}

int clinux_eventfd(void);

static inline int clinux_eventfd_signal(int descriptor) {
    uint64_t one = 1;
    return write(descriptor, &one, sizeof one) < 0 ? -errno : 0;
}

static inline int clinux_eventfd_drain(int descriptor) {
    uint64_t count;
    return read(descriptor, &count, sizeof count) < 0 ? -errno : 0;
}

// Bytes.

/// What a socket call that failed comes to: that the kernel has no memory just now is the same as that it has no room, and is counted.
ssize_t clinux_socket_answer(int code);
/// How often the kernel had no memory for a socket's bytes.
uint64_t clinux_shortages(void);

// A signal may interrupt a call, but not for ever.
#define CLINUX_TRIES 8

static inline ssize_t clinux_receive(int descriptor, void *buffer, size_t capacity) {
    ssize_t count;
    int tries = 0;
    do count = recv(descriptor, buffer, capacity, 0);
    while (count < 0 && errno == EINTR && ++tries < CLINUX_TRIES);
    return count < 0 ? clinux_socket_answer(errno) : count;
}

/// As clinux_receive, and the bytes stay where they are.
static inline ssize_t clinux_peek(int descriptor, void *buffer, size_t capacity) {
    ssize_t count;
    do count = recv(descriptor, buffer, capacity, MSG_PEEK);
    while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}

/// The first byte that waits, 0...255, without taking it.
static inline int clinux_peek_byte(int descriptor) {
    uint8_t byte;
    ssize_t count;
    int tries = 0;
    do count = recv(descriptor, &byte, 1, MSG_PEEK);
    while (count < 0 && errno == EINTR && ++tries < CLINUX_TRIES);
    return count == 1 ? byte : -1;
}

static inline ssize_t clinux_send(int descriptor, const void *bytes, size_t count) {
    ssize_t taken;
    int tries = 0;
    do taken = send(descriptor, bytes, count, MSG_NOSIGNAL);
    while (taken < 0 && errno == EINTR && ++tries < CLINUX_TRIES);
    return taken < 0 ? clinux_socket_answer(errno) : taken;
}

static inline int clinux_shutdown_write(int descriptor) {
    return shutdown(descriptor, SHUT_WR) < 0 ? -errno : 0;
}

/// Closes once; EINTR means closed on Linux, so there is nothing to answer.
static inline void clinux_close(int descriptor) { (void)close(descriptor); }

// Sockets.

/// Resolves `host` (literal or name; NULL or "" = any address) and listens, non-blocking and close-on-exec. A name that does not
/// resolve answers -1000 + the getaddrinfo code (itself negative), see clinux_resolve_text.
int clinux_listen(const char *host, uint16_t port, bool reuse_port, int backlog);
const char *clinux_resolve_text(int code);
/// The addresses of a name in the C library's order, without ports. Blocks. How many there are, at most `capacity`, or an answer as that of
/// clinux_listen.
int clinux_lookup(const char *name, struct clinux_address *found, int capacity);

/// Options every stream of ours has; set on a listener they are inherited by what it accepts.
int clinux_set_stream_options(int descriptor, unsigned user_timeout_milliseconds, int unsent_low_bytes);
/// The most that the kernel keeps of a stream's bytes, twice what is said (socket(7)), and not as much as it likes; on a listener inherited.
int clinux_set_buffers(int descriptor, int send_bytes, int receive_bytes);
int clinux_set_nonblocking(int descriptor);
/// close() will then discard unsent bytes and send RST.
void clinux_set_reset_on_close(int descriptor);
int clinux_accept(int listener, struct clinux_address *peer);
int clinux_peer_address(int descriptor, struct clinux_address *peer);
int clinux_local_port(int descriptor);
int clinux_local_address(int descriptor, struct clinux_address *own);
/// The pending error of a socket as a positive errno, 0 when there is none.
int clinux_socket_error(int descriptor);
int clinux_socket_pair(int pair[2]);
/// A blocking client connection to an IP literal, for tests and tools.
int clinux_connect(const char *host, uint16_t port);
int clinux_open_null(void);
/// Gives standard input, output and error that are closed to /dev/null, before anything else gets their numbers and is written a log into.
void clinux_open_standard(void);
/// Sleeps.
void clinux_rest(unsigned microseconds);

// Time.

static inline uint64_t clinux_monotonic_nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static inline uint64_t clinux_wall_nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/// A non-blocking timerfd on the monotonic clock, disarmed; read it with clinux_eventfd_drain.
int clinux_timer_create(void);
/// Readable from an absolute time on; 0 disarms.
int clinux_timer_set(int descriptor, uint64_t monotonic_nanoseconds);

// Process.

/// Blocks SIGTERM, SIGINT, SIGHUP, SIGUSR1 and SIGUSR2 in the calling thread (and in the threads it starts from now on), ignores
/// SIGPIPE, and answers a non-blocking signalfd for the blocked ones.
int clinux_signal_source(void);
/// The number of the next pending signal, 0 when there is none.
int clinux_signal_next(int descriptor);
/// Waits until readable: 1 readable, 0 time ran out (or EINTR). Negative milliseconds wait for ever.
int clinux_wait_readable(int descriptor, int milliseconds);
void clinux_ignore_sigpipe(void);
/// Sends a datagram to a socket of this machine: a path, or an abstract name behind `@`.
int clinux_notify(const char *socket_name, const char *text);
/// A file that has no place in any directory, and a name for whoever looks into /proc/PID/fd.
int clinux_memory_file(const char *name);
/// Raises the soft descriptor limit to the hard one.
int clinux_raise_descriptor_limit(uint64_t *soft, uint64_t *hard);
int clinux_set_descriptor_limit(uint64_t soft);
/// Sets the soft limit of core files to 0; the hard one stays, so that prlimit(1) may still ask for one.
int clinux_forbid_core_files(void);
/// CPUs this process may run on, at least 1.
int clinux_processor_count(void);
/// Names the calling thread (15 bytes are kept).
void clinux_name_thread(const char *name);

/// Keeps malloc's thresholds where they start: blocks above 128 KiB are mappings of their own, and the free end of a heap goes back. Left
/// alone, the first large block that is freed raises both up to 32 MiB, and later ones stay with the process.
void clinux_fix_heap_thresholds(void);

/// Pages of their own, which cost what was written and go back whole; NULL when there are none. Growing may move them.
void *clinux_map(size_t bytes);
void *clinux_remap(void *memory, size_t old_bytes, size_t bytes);
void clinux_unmap(void *memory, size_t bytes);

/// Forgets which pages of the program and its libraries were read: those that are needed again come back from the kernel's cache, those that
/// only the start needed do not. Breakpoints that somebody has set would be lost.
void clinux_release_code(void);

/// Gives pages that hold no allocation back to the kernel, in every arena.
void clinux_trim_heap(void);
