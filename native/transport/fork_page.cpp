#include "native/transport/fork_page.h"

#include <string.h>
#include <sys/mman.h>

#include "native/transport/kernel.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

// What pthread_atfork calls in glibc; no handle: never taken back.
extern "C" [[gnu::weak]] int __register_atfork(void (*before)(), void (*in_parent)(), void (*in_child)(), void* handle);

namespace nh::transport {

constinit ForkPage fork_page = {};

namespace {

const char never = 0;

// Every kernel refuses this advice. Emulators that accept what they do not know (qemu-user 7.2) do not wipe either.
bool advice_is_ignored() {
    constexpr int no_advice = 0x7FFF;
    return kernel::madvise(&fork_page, sizeof(fork_page), no_advice) == 0;
}

void wipe_in_child() {
    memset(&fork_page, 0, sizeof(fork_page));
}

// Only after libc's fork.
bool wipe_by_libc() {
    static bool asked;
    asked =
        asked || (&__register_atfork != nullptr && __register_atfork(nullptr, nullptr, wipe_in_child, nullptr) == 0);
    return asked;
}

}  // namespace

constinit const char* one_thread = &never;

void begin_with_one_thread(const char* word) {
    __atomic_store_n(&one_thread, word != nullptr ? word : &never, __ATOMIC_RELAXED);
}

void expect_threads() {
    __atomic_store_n(&one_thread, &never, __ATOMIC_RELAXED);
}

bool wipe_fork_page_on_fork() {
    if (kernel::madvise(&fork_page, sizeof(fork_page), MADV_WIPEONFORK) != 0) {
        return false;
    }
    if constexpr (unwind::may_be_emulated) {
        return !advice_is_ignored() || wipe_by_libc();
    }
    return true;
}

}  // namespace nh::transport
