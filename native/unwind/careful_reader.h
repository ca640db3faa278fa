// Reads memory that others own and may take away: another runtime's tables, found by following its pointers.
#pragma once
#include <stdint.h>
#include <string.h>

#include "native/unwind/stack_window.h"

namespace nh::unwind {

// Asks the kernel about every page before it is read, with the one system call that the shim makes anyway (see
// page_readable; process_vm_readv would be surer, but a seccomp filter may kill for it). Pages are remembered as long
// as the reader lives, which should be one look-up; those of memory that is never given back, for good. Used by one
// thread.
class CarefulReader {
  public:
    // What is read from now on (not) never goes away as long as the process lives.
    void assume_permanent(bool permanent) { permanent_ = permanent; }

    // Copies the bytes, at most a page of them; false when they cannot all be read.
    bool read(uintptr_t address, void* to, uintptr_t bytes) {
        if (address + bytes < address || bytes > page_bytes || !known(address) || !known(address + bytes - 1)) {
            return false;
        }
        memcpy(to, reinterpret_cast<const void*>(address), bytes);
        return true;
    }

    // A little-endian value; 0 and not ok() when it cannot be read.
    template <typename T>
    T value(uintptr_t address) {
        T result{};
        ok_ &= read(address, &result, sizeof(T));
        return result;
    }
    uintptr_t word(uintptr_t address) { return value<uintptr_t>(address); }

    bool ok() const { return ok_; }

  private:
    static constexpr uint32_t remembered = 8;
    static constexpr uint32_t remembered_for_good = 1024;

    bool known(uintptr_t address) {
        const uintptr_t page = address & ~(page_bytes - 1);
        for (uintptr_t seen : pages_) {
            if (seen == page) {
                return page != 0;
            }
        }
        uintptr_t* place = &permanent_pages_[page / page_bytes % remembered_for_good];
        if (page == 0 || (__atomic_load_n(place, __ATOMIC_RELAXED) != page && !page_readable(page))) {
            return false;
        }
        if (permanent_) {
            __atomic_store_n(place, page, __ATOMIC_RELAXED);
        }
        pages_[next_++ % remembered] = page;
        return true;
    }

    static inline uintptr_t permanent_pages_[remembered_for_good];

    uintptr_t pages_[remembered] = {};
    uint32_t next_ = 0;
    bool ok_ = true;
    bool permanent_ = false;
};

}  // namespace nh::unwind
