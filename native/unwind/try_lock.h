// A lock that gives up: for rare writes in code that may run in a signal handler.
#pragma once
#include <stdint.h>

namespace nh::unwind {

// The word that glibc keeps for each thread at the thread pointer: its own address.
inline uintptr_t thread_pointer() {
    uintptr_t value;
    asm("movq %%fs:0, %0" : "=r"(value));
    return value;
}

// Never waits for the thread itself (a signal handler that interrupted the holder), and for others some 50 ms, which
// is far more than they need; when that was once in vain (the holder was killed), hardly at all. All zero is unlocked.
class TryLock {
  public:
    class Hold {
      public:
        explicit Hold(TryLock& lock) : lock_(lock) {
            const uintptr_t self = thread_pointer();
            const uint32_t spins = __atomic_load_n(&lock_.abandoned_, __ATOMIC_RELAXED) != 0 ? few_spins : most_spins;
            for (uint32_t i = 0; i < spins && !held_; ++i) {
                uintptr_t owner = 0;
                held_ =
                    __atomic_compare_exchange_n(&lock_.owner_, &owner, self, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
                if (owner == self) {
                    return;
                }
                __builtin_ia32_pause();
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
        static constexpr uint32_t most_spins = 1u << 20;
        static constexpr uint32_t few_spins = 1u << 8;
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
