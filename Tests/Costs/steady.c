// Loaded into the daemon by Tests/Costs/measure.py: takes away what makes two runs differ.
//
// * A loop that would sleep stops here and asks the harness (a byte out, a byte in), so each turn finds the same.
// * Time moves by a microsecond a turn, and by a tick when the harness says so; never by itself.
// * Random bytes are the same in every run.
// * The thread of the webhooks never takes what waits for it: what they cost a client's loop is counted, and nothing else.
//
// Nothing of the daemon is replaced but these three calls; what they cost is counted apart, by object file.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

enum { TURN_NANOSECONDS = 1000, TICK_NANOSECONDS = 100000000 };

static uint64_t nanoseconds = 1000000000000;
static uint64_t random_state = 1;

static int pipe_end(const char *name) {
    const char *text = getenv(name);
    return text ? atoi(text) : -1;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    // The wall clock begins where measure.py takes its signatures' time from.
    uint64_t start = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ? 1700000000 : 0;
    uint64_t now = __atomic_load_n(&nanoseconds, __ATOMIC_RELAXED);
    time->tv_sec = (time_t)(start + now / 1000000000);
    time->tv_nsec = (long)(now % 1000000000);
    return 0;
}

int RAND_bytes(unsigned char *bytes, int count) {
    for (int i = 0; i < count; i++) {
        random_state = random_state * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (unsigned char)(random_state >> 56);
    }
    return 1;
}

static int is_of_webhooks(void) {
    char name[16] = "";
    return pthread_getname_np(pthread_self(), name, sizeof name) == 0 && strcmp(name, "webhooks") == 0;
}

int epoll_wait(int set, struct epoll_event *events, int events_max, int timeout) {
    static int (*wait)(int, struct epoll_event *, int, int);
    static int commands = -1, answers = -1;
    static __thread int is_known;
    if (!is_known) {
        is_known = 1;
        while (is_of_webhooks()) pause();
    }
    if (!wait) {
        wait = (int (*)(int, struct epoll_event *, int, int))dlsym(RTLD_NEXT, "epoll_wait");
        commands = pipe_end("STEADY_COMMANDS");
        answers = pipe_end("STEADY_ANSWERS");
    }
    __atomic_add_fetch(&nanoseconds, TURN_NANOSECONDS, __ATOMIC_RELAXED);
    if (timeout == 0) return wait(set, events, events_max, 0);
    for (;;) {
        char command = 0;
        if (write(answers, "s", 1) != 1 || read(commands, &command, 1) != 1) _exit(0);
        switch (command) {
        case 'g': return wait(set, events, events_max, -1); // go: something has been sent
        case 't': __atomic_add_fetch(&nanoseconds, TICK_NANOSECONDS, __ATOMIC_RELAXED); return 0;
        case 'd': CALLGRIND_DUMP_STATS; break; // and count from zero
        default: _exit(0);
        }
    }
}
