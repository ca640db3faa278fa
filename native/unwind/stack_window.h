// The addresses a walk may read: every stack word is checked against this before it is touched.
#pragma once
#include <stdint.h>

#include "native/unwind/unwinder.h"

namespace nh::unwind {

inline constexpr uintptr_t page_bytes = 4096;
inline constexpr uintptr_t red_zone = 128;  // System V psABI, 3.2.2: below the stack pointer, not clobbered by signals

// Whether it can be a pc at all: in the half of the address space that is the process's, above the markers.
inline bool is_code_address(uintptr_t pc) {
    return pc - wire::first_code_address < (uintptr_t{1} << code_address_bits) - wire::first_code_address;
}

// Remembers where the main thread's stack ends. Call once.
void learn_main_stack();

// Whether the page can be read, asked of the kernel: FUTEX_WAIT reads the word and says EFAULT where it cannot.
// No other system call that answers this is made by ordinary programs all the time.
bool page_readable(uintptr_t address);

// The stack that the walk is on. On the thread's own stack the range is known and remembered; on any other it starts
// with the stack pointer's page and grows page by page, each one asked for.
class StackWindow {
  public:
    explicit StackWindow(StackBounds& own) : own_(own) {}

    // The walk continues at this stack pointer. An interrupted frame may also use its red zone.
    void enter(uintptr_t sp, bool interrupted) {
        if (sp - own_.low < own_.high - own_.low) {
            low_ = sp - own_.low < red_zone ? own_.low : sp - red_zone;
            last_ = own_.high - sizeof(uintptr_t);
            away_ = false;
            if (!interrupted) {
                return;
            }
        }
        enter_slow(sp, interrupted);
    }

    // Whether the walk is on another stack than the thread's own, or on none.
    bool is_away() const { return away_; }

    // Whether the word at this address can be read.
    bool readable(uintptr_t slot) { return (slot >= low_ && slot <= last_) || reach(slot); }

    // Whether the word at this address can be read and lies at or above sp, as a caller's frame does; a frame that
    // switched stacks may also have its caller on the thread's own stack.
    bool above(uintptr_t slot, uintptr_t sp) {
        return (slot >= sp && slot <= last_) || ((slot < low_ || slot > last_) && reach(slot));
    }

  private:
    void enter_slow(uintptr_t sp, bool interrupted);
    bool reach(uintptr_t slot);
    bool grow(uintptr_t slot);

    StackBounds& own_;
    uintptr_t low_ = 1;   // first readable address
    uintptr_t last_ = 0;  // last address of a readable word; below low_: nothing is readable
    uint32_t probes_ = 256;
    bool away_ = true;
};

}  // namespace nh::unwind
