#define _GNU_SOURCE
#include "CLinux.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nss.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <sys/un.h>

static uint64_t big_endian(const uint8_t *bytes, int count) {
    uint64_t value = 0;
    for (int i = 0; i < count; i++) value = value << 8 | bytes[i];
    return value;
}

static void fill_address(struct clinux_address *out, const struct sockaddr_storage *from) {
    memset(out, 0, sizeof *out);
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)from;
        out->family = 4;
        out->low = ntohl(four->sin_addr.s_addr);
        out->port = ntohs(four->sin_port);
    } else if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)from;
        const uint8_t *bytes = six->sin6_addr.s6_addr;
        out->port = ntohs(six->sin6_port);
        if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) { // a dual-stack listener reports IPv4 peers so
            out->family = 4;
            out->low = big_endian(bytes + 12, 4);
        } else {
            out->family = 6;
            out->high = big_endian(bytes, 8);
            out->low = big_endian(bytes + 8, 8);
        }
    }
}

int clinux_epoll_create(void) {
    int set = epoll_create1(EPOLL_CLOEXEC);
    return set < 0 ? -errno : set;
}

int clinux_eventfd(void) {
    int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return descriptor < 0 ? -errno : descriptor;
}

/// A static program looks names up by what is inside it: modules of the machine (nsswitch.conf) are made for the machine's C library, and would
/// bring that one in beside ours.
static void choose_name_services(void) {
    if (getauxval(AT_BASE) == 0) (void)__nss_configure_lookup("hosts", "files dns");
}

/// As getaddrinfo(3).
static int find_addresses(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, choose_name_services);
    int code = getaddrinfo(host, service, hints, found);
    if (code == 0) return 0;
    return code == EAI_SYSTEM ? -errno : -1000 + code;
}

int clinux_lookup(const char *name, struct clinux_address *found, int capacity) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int code = find_addresses(name, NULL, &hints, &list);
    if (code < 0) return code;
    int count = 0;
    for (struct addrinfo *at = list; at && count < capacity; at = at->ai_next) {
        struct sockaddr_storage storage = {0};
        memcpy(&storage, at->ai_addr, at->ai_addrlen < sizeof storage ? at->ai_addrlen : sizeof storage);
        fill_address(&found[count], &storage);
        if (found[count].family != 0) count++;
    }
    freeaddrinfo(list);
    return count;
}

int clinux_listen(const char *host, uint16_t port, bool reuse_port, int backlog) {
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int code = find_addresses(host && *host ? host : NULL, service, &hints, &found);
    if (code < 0) return code;
    int result = -EADDRNOTAVAIL;
    for (struct addrinfo *at = found; at; at = at->ai_next) {
        int descriptor = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (descriptor < 0) {
            result = -errno;
            continue;
        }
        int on = 1, off = 0;
        (void)setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (at->ai_family == AF_INET6) (void)setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
        bool ready = !reuse_port || setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0;
        ready = ready && bind(descriptor, at->ai_addr, at->ai_addrlen) == 0 && listen(descriptor, backlog) == 0;
        if (ready) {
            result = descriptor;
            break;
        }
        result = -errno;
        close(descriptor);
    }
    freeaddrinfo(found);
    return result;
}

const char *clinux_resolve_text(int code) { return gai_strerror(code + 1000); }

int clinux_set_stream_options(int descriptor, unsigned user_timeout_milliseconds, int unsent_low_bytes) {
    int on = 1;
    if (setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) return -errno;
    if (user_timeout_milliseconds > 0
        && setsockopt(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_milliseconds,
                      sizeof user_timeout_milliseconds) < 0)
        return -errno;
    if (unsent_low_bytes > 0
        && setsockopt(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_low_bytes, sizeof unsent_low_bytes) < 0)
        return -errno;
    return 0;
}

int clinux_set_buffers(int descriptor, int send_bytes, int receive_bytes) {
    if (send_bytes > 0 && setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes) < 0) return -errno;
    if (receive_bytes > 0 && setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes) < 0)
        return -errno;
    return 0;
}

int clinux_set_nonblocking(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    return flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

void clinux_set_reset_on_close(int descriptor) {
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

int clinux_accept(int listener, struct clinux_address *peer) {
    struct sockaddr_storage storage = {0};
    socklen_t length = sizeof storage;
    int descriptor = accept4(listener, (struct sockaddr *)&storage, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) return -errno;
    fill_address(peer, &storage);
    return descriptor;
}

int clinux_peer_address(int descriptor, struct clinux_address *peer) {
    struct sockaddr_storage storage = {0};
    socklen_t length = sizeof storage;
    if (getpeername(descriptor, (struct sockaddr *)&storage, &length) < 0) return -errno;
    fill_address(peer, &storage);
    return 0;
}

int clinux_local_address(int descriptor, struct clinux_address *own) {
    struct sockaddr_storage storage = {0};
    socklen_t length = sizeof storage;
    if (getsockname(descriptor, (struct sockaddr *)&storage, &length) < 0) return -errno;
    fill_address(own, &storage);
    return 0;
}

int clinux_local_port(int descriptor) {
    struct clinux_address address;
    int code = clinux_local_address(descriptor, &address);
    return code < 0 ? code : address.port;
}

int clinux_socket_error(int descriptor) {
    int code = 0;
    socklen_t length = sizeof code;
    return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length) < 0 ? errno : code;
}

int clinux_socket_pair(int pair[2]) {
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0 ? -errno : 0;
}

int clinux_connect(const char *host, uint16_t port) {
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    bool is_four = inet_pton(AF_INET, host, &four.sin_addr) == 1;
    if (!is_four && inet_pton(AF_INET6, host, &six.sin6_addr) != 1) return -EINVAL;
    int descriptor = socket(is_four ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    const struct sockaddr *address = is_four ? (const struct sockaddr *)&four : (const struct sockaddr *)&six;
    if (connect(descriptor, address, is_four ? sizeof four : sizeof six) < 0) {
        int code = errno;
        close(descriptor);
        return -code;
    }
    return descriptor;
}

int clinux_open_null(void) {
    int descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return descriptor < 0 ? -errno : descriptor;
}

void clinux_open_standard(void) {
    for (int descriptor = 0; descriptor <= 2; descriptor++)
        if (fcntl(descriptor, F_GETFD) < 0 && errno == EBADF) (void)open("/dev/null", descriptor == 0 ? O_RDONLY : O_WRONLY);
}

void clinux_rest(unsigned microseconds) {
    struct timespec time = {.tv_sec = 0, .tv_nsec = (long)microseconds * 1000};
    (void)nanosleep(&time, NULL);
}

static atomic_uint_least64_t shortages;

ssize_t clinux_socket_answer(int code) {
    if (code == EINTR) return -EAGAIN;
    if (code != ENOMEM && code != ENOBUFS) return -code;
    atomic_fetch_add_explicit(&shortages, 1, memory_order_relaxed);
    return -EAGAIN;
}

uint64_t clinux_shortages(void) { return atomic_load_explicit(&shortages, memory_order_relaxed); }

int clinux_timer_create(void) {
    int descriptor = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return descriptor < 0 ? -errno : descriptor;
}

int clinux_timer_set(int descriptor, uint64_t monotonic_nanoseconds) {
    struct itimerspec when = {0};
    when.it_value.tv_sec = (time_t)(monotonic_nanoseconds / 1000000000u);
    when.it_value.tv_nsec = (long)(monotonic_nanoseconds % 1000000000u);
    return timerfd_settime(descriptor, TFD_TIMER_ABSTIME, &when, NULL) < 0 ? -errno : 0;
}

int clinux_signal_source(void) {
    clinux_ignore_sigpipe();
    sigset_t set;
    sigemptyset(&set);
    const int wanted[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};
    for (unsigned i = 0; i < sizeof wanted / sizeof *wanted; i++) sigaddset(&set, wanted[i]);
    int code = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (code != 0) return -code;
    int descriptor = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return descriptor < 0 ? -errno : descriptor;
}

int clinux_signal_next(int descriptor) {
    struct signalfd_siginfo info;
    ssize_t count = read(descriptor, &info, sizeof info);
    return count == sizeof info ? (int)info.ssi_signo : 0;
}

int clinux_wait_readable(int descriptor, int milliseconds) {
    struct pollfd one = {.fd = descriptor, .events = POLLIN};
    int count = poll(&one, 1, milliseconds);
    return count > 0 ? 1 : 0;
}

int clinux_notify(const char *socket_name, const char *text) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(socket_name);
    if (length >= sizeof address.sun_path) return -ENAMETOOLONG;
    memcpy(address.sun_path, socket_name, length);
    if (socket_name[0] == '@') address.sun_path[0] = 0;
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return -errno;
    // An abstract name has no zero at its end; a path may.
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    ssize_t sent = sendto(descriptor, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address, size);
    int result = sent < 0 ? -errno : 0;
    close(descriptor);
    return result;
}

int clinux_memory_file(const char *name) {
    int descriptor = memfd_create(name, MFD_CLOEXEC);
    return descriptor < 0 ? -errno : descriptor;
}

void clinux_ignore_sigpipe(void) { (void)signal(SIGPIPE, SIG_IGN); }

int clinux_raise_descriptor_limit(uint64_t *soft, uint64_t *hard) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    *soft = limit.rlim_cur;
    *hard = limit.rlim_max;
    if (limit.rlim_cur == limit.rlim_max) return 0;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    *soft = limit.rlim_cur;
    return 0;
}

int clinux_forbid_core_files(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_CORE, &limit) < 0) return -errno;
    limit.rlim_cur = 0;
    return setrlimit(RLIMIT_CORE, &limit) < 0 ? -errno : 0;
}

int clinux_set_descriptor_limit(uint64_t soft) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

int clinux_processor_count(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set) > 0 ? CPU_COUNT(&set) : 1;
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

void clinux_name_thread(const char *name) {
    char kept[16] = {0};
    strncpy(kept, name, sizeof kept - 1);
    (void)pthread_setname_np(pthread_self(), kept);
}

void clinux_fix_heap_thresholds(void) { (void)mallopt(M_MMAP_THRESHOLD, 128 * 1024); }

void *clinux_map(size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void *clinux_remap(void *memory, size_t old_bytes, size_t bytes) {
    void *moved = mremap(memory, old_bytes, bytes, MREMAP_MAYMOVE);
    return moved == MAP_FAILED ? NULL : moved;
}

void clinux_unmap(void *memory, size_t bytes) { (void)munmap(memory, bytes); }

static int release_code_of(struct dl_phdr_info *object, size_t size, void *unused) {
    (void)size, (void)unused;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        // What may be written has been relocated, and is ours.
        if (part->p_type != PT_LOAD || part->p_flags & PF_W) continue;
        uintptr_t from = (object->dlpi_addr + part->p_vaddr + page - 1) & ~(page - 1);
        uintptr_t to = (object->dlpi_addr + part->p_vaddr + part->p_memsz) & ~(page - 1);
        if (from < to) (void)madvise((void *)from, to - from, MADV_DONTNEED);
    }
    return 0;
}

void clinux_release_code(void) { (void)dl_iterate_phdr(release_code_of, NULL); }

void clinux_trim_heap(void) { (void)malloc_trim(0); }
