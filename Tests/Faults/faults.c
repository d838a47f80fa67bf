// System calls that fail when a test says so: LD_PRELOAD for a daemon (Tests/EndToEnd/faults.py builds it and turns the knobs).
//
// STARLING_FAULTS names a file of `struct knob`, one for each call in the order of `enum call`, which is mapped: what the test writes there
// holds from the next call on, and what it reads there was injected.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum call { ACCEPT, RECEIVE, SEND, WAIT, WATCH, CHANGE, OPEN, SOCKET, LOG, MAP, STORE, SYNC, CALLS };

struct knob {
    _Atomic int32_t code;   // errno, or 0
    _Atomic uint32_t every; // 0: never; 1: each call fails; n: each nth
    _Atomic uint32_t bytes; // instead of an error: no more than so many
    _Atomic uint32_t unused;
    _Atomic uint64_t calls;
    _Atomic uint64_t hits;
};

static struct knob none[CALLS];
static struct knob *knobs = none;

__attribute__((constructor)) static void map_knobs(void) {
    const char *path = getenv("STARLING_FAULTS");
    if (!path) return;
    int descriptor = (int)open(path, O_RDWR | O_CLOEXEC);
    if (descriptor < 0) return;
    void *memory = mmap(NULL, sizeof none, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (memory != MAP_FAILED) knobs = memory;
}

// Whether this call is to fail: then errno is set, unless it is only to be short.
static int fails(enum call call, size_t *bytes) {
    struct knob *knob = &knobs[call];
    uint32_t every = atomic_load(&knob->every);
    if (every == 0) return 0;
    if (atomic_fetch_add(&knob->calls, 1) % every != 0) return 0;
    uint32_t most = atomic_load(&knob->bytes);
    if (most > 0 && bytes) {
        if (*bytes > most) {
            *bytes = most;
            atomic_fetch_add(&knob->hits, 1);
        }
        return 0;
    }
    int code = atomic_load(&knob->code);
    if (code == 0) return 0;
    atomic_fetch_add(&knob->hits, 1);
    errno = code;
    return 1;
}

#define NEXT(name) \
    static __typeof__(name) *next; \
    if (!next) next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

int accept4(int listener, struct sockaddr *address, socklen_t *length, int flags) {
    NEXT(accept4);
    return fails(ACCEPT, NULL) ? -1 : next(listener, address, length, flags);
}

ssize_t recv(int descriptor, void *buffer, size_t count, int flags) {
    NEXT(recv);
    return fails(RECEIVE, &count) ? -1 : next(descriptor, buffer, count, flags);
}

ssize_t send(int descriptor, const void *buffer, size_t count, int flags) {
    NEXT(send);
    return fails(SEND, &count) ? -1 : next(descriptor, buffer, count, flags);
}

int epoll_wait(int set, struct epoll_event *events, int capacity, int milliseconds) {
    NEXT(epoll_wait);
    return fails(WAIT, NULL) ? -1 : next(set, events, capacity, milliseconds);
}

int epoll_ctl(int set, int operation, int descriptor, struct epoll_event *event) {
    NEXT(epoll_ctl);
    if (operation == EPOLL_CTL_ADD && fails(WATCH, NULL)) return -1;
    if (operation == EPOLL_CTL_MOD && fails(CHANGE, NULL)) return -1;
    return next(set, operation, descriptor, event);
}

int open(const char *path, int flags, ...) {
    NEXT(open);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return fails(OPEN, NULL) ? -1 : next(path, flags, mode);
}

int socket(int domain, int type, int protocol) {
    NEXT(socket);
    return fails(SOCKET, NULL) ? -1 : next(domain, type, protocol);
}

ssize_t write(int descriptor, const void *buffer, size_t count) {
    NEXT(write);
    return descriptor == STDERR_FILENO && fails(LOG, &count) ? -1 : next(descriptor, buffer, count);
}

ssize_t pwrite(int descriptor, const void *buffer, size_t count, off_t offset) {
    NEXT(pwrite);
    return fails(STORE, &count) ? -1 : next(descriptor, buffer, count, offset);
}

int fdatasync(int descriptor) {
    NEXT(fdatasync);
    return fails(SYNC, NULL) ? -1 : next(descriptor);
}

void *mmap(void *address, size_t bytes, int protection, int flags, int descriptor, off_t offset) {
    NEXT(mmap);
    return flags & MAP_ANONYMOUS && fails(MAP, NULL) ? MAP_FAILED
                                                     : next(address, bytes, protection, flags, descriptor, offset);
}

void *mremap(void *old, size_t old_bytes, size_t bytes, int flags, ...) {
    NEXT(mremap);
    va_list rest;
    va_start(rest, flags);
    void *fixed = flags & MREMAP_FIXED ? va_arg(rest, void *) : NULL;
    va_end(rest);
    return fails(MAP, NULL) ? MAP_FAILED : next(old, old_bytes, bytes, flags, fixed);
}
