// Tells ThreadSanitizer about the contended half of Swift's `Mutex`.
//
// The uncontended lock and unlock are atomics that the compiler inlines into our code, and the sanitizer sees those. When
// two threads meet, `Mutex` calls into libswiftSynchronization, which is not instrumented, and the kernel hands the lock
// over (FUTEX_LOCK_PI). The sanitizer then believes that nobody synchronised and reports a race for every correct use.
// `Tests/run` preloads this file into sanitized processes; it wraps those calls and marks the edge they make.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY_LOCK_SLOW "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *self

// Weak: the preload also reaches helpers that carry no sanitizer.
extern void __tsan_acquire(void *address) __attribute__((weak));
extern void __tsan_release(void *address) __attribute__((weak));

SWIFT void lock_slow(uint32_t thread, SELF) __asm__(LOCK_SLOW);
SWIFT bool try_lock_slow(SELF) __asm__(TRY_LOCK_SLOW);
SWIFT void unlock_slow(SELF) __asm__(UNLOCK_SLOW);

static void *next(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);
    if (function == NULL) abort();
    return function;
}

SWIFT void lock_slow(uint32_t thread, SELF) {
    static SWIFT void (*real)(uint32_t, SELF);
    if (real == NULL) real = (SWIFT void (*)(uint32_t, SELF))next(LOCK_SLOW);
    real(thread, self);
    if (__tsan_acquire) __tsan_acquire(self);
}

SWIFT bool try_lock_slow(SELF) {
    static SWIFT bool (*real)(SELF);
    if (real == NULL) real = (SWIFT bool (*)(SELF))next(TRY_LOCK_SLOW);
    bool taken = real(self);
    if (taken && __tsan_acquire) __tsan_acquire(self);
    return taken;
}

SWIFT void unlock_slow(SELF) {
    static SWIFT void (*real)(SELF);
    if (real == NULL) real = (SWIFT void (*)(SELF))next(UNLOCK_SLOW);
    if (__tsan_release) __tsan_release(self);
    real(self);
}
