// A lock that gives up: for rare writes in code that may run in a signal handler.
#pragma once
#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "native/unwind/architecture.h"

namespace nh::unwind {

// FUTEX_WAIT for at most that many ns (below one second) while the word at the address, rounded down to 4 bytes, has
// the value. The negated error, or 0. Leaves errno alone.
inline int64_t futex_wait(uintptr_t address, uint32_t value, int64_t nanoseconds) {
    struct {
        int64_t seconds, nanoseconds;
    } timeout = {0, nanoseconds};
    return system_call(SYS_futex, static_cast<long>(address & ~uintptr_t{3}), FUTEX_WAIT_PRIVATE,
                       static_cast<long>(value), reinterpret_cast<long>(&timeout));
}

// Never waits for the thread itself (a signal handler that interrupted the holder), and for others some 200 ms, which
// is far more than they need; when that was once in vain (the holder was killed), hardly at all. All zero is unlocked.
class TryLock {
  public:
    class Hold {
      public:
        explicit Hold(TryLock& lock) : lock_(lock) {
            const uintptr_t self = thread_pointer();
            const bool abandoned = __atomic_load_n(&lock_.abandoned_, __ATOMIC_RELAXED) != 0;
            for (uint32_t i = 0; i < (abandoned ? spins : spins + naps) && !held_; ++i) {
                uintptr_t owner = 0;
                held_ =
                    __atomic_compare_exchange_n(&lock_.owner_, &owner, self, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
                if (owner == self) {
                    return;
                }
                if (i < spins) {
                    pause_a_moment();
                } else if (!held_) {
                    futex_wait(reinterpret_cast<uintptr_t>(&lock_.owner_), static_cast<uint32_t>(owner), 1000000);
                }
            }
            __atomic_store_n(&lock_.abandoned_, held_ ? 0u : 1u, __ATOMIC_RELAXED);
        }
        ~Hold() {
            if (held_) {
                lock_.reset();
            }
        }
        Hold(const Hold&) = delete;
        bool held() const { return held_; }

      private:
        static constexpr uint32_t spins = 1u << 10;
        static constexpr uint32_t naps = 200;  // of 1 ms; nobody wakes
        TryLock& lock_;
        bool held_ = false;
    };

    // In a forked child: whoever held it is not there.
    void reset() { __atomic_store_n(&owner_, uintptr_t{0}, __ATOMIC_RELEASE); }

  private:
    uintptr_t owner_;
    uint32_t abandoned_;
};

}  // namespace nh::unwind
