#include "native/unwind/stack_window.h"

#include <elf.h>
#include <errno.h>
#include <sys/auxv.h>

#include "native/unwind/try_lock.h"

namespace nh::unwind {
namespace {

// Farther than this from the known part, a stack pointer is not looked for on the own stack (16,384 questions).
constexpr uintptr_t most_growth = uintptr_t{64} << 20;

uintptr_t main_stack_name;  // the file name that the kernel put at the very top of the first stack

uintptr_t page_of(uintptr_t address) {
    return address & ~(page_bytes - 1);
}

// Extends the own stack's known part down to sp. Asks from below, where the stack is certainly mapped: asking below
// the stack pointer would make the kernel grow the stack.
bool extend_own(StackBounds& own, uintptr_t sp) {
    if (sp >= own.low || sp < own.floor || own.low - sp > most_growth) {
        return false;
    }
    for (uintptr_t page = page_of(sp); page < own.low; page += page_bytes) {
        if (!page_readable(page)) {
            own.floor = page + page_bytes;
            return false;
        }
    }
    own.low = page_of(sp);
    return true;
}

// A thread's own stack ends at its thread control block (glibc puts it there, also on a stack that the program
// gave); the main thread's at the strings that the kernel passed.
bool find_own(StackBounds& own, uintptr_t sp) {
    const uintptr_t main_top = page_of(main_stack_name) + page_bytes;
    const uintptr_t thread_top = thread_pointer();
    const uintptr_t tops[2] = {main_stack_name == 0 ? 0 : main_top, thread_top & ~uintptr_t{7}};
    for (uintptr_t top : tops) {
        if (sp >= top || top - sp > most_growth) {
            continue;
        }
        StackBounds found = {page_of(top - 1), top, own.floor};
        if (sp >= found.low || extend_own(found, sp)) {
            own = found;
            return true;
        }
        own.floor = found.floor;
    }
    return false;
}

}  // namespace

void learn_main_stack() {
    main_stack_name = getauxval(AT_EXECFN);
}

bool page_readable(uintptr_t address) {
    if (address < page_bytes || address >= (uintptr_t{1} << code_address_bits) - page_bytes) {
        return false;
    }
    // A value that the word hardly has, so that the answer is EAGAIN at once; a zero timeout if it has it.
    const int64_t result = futex_wait(address, 0x4E485052, 0);
    return result == -EAGAIN || result == -ETIMEDOUT || result == -EINTR || result == 0;
}

void StackWindow::enter_slow(uintptr_t sp, bool interrupted) {
    bool on_own = sp - own_.low < own_.high - own_.low;
    if (!on_own && sp >= own_.floor) {
        on_own = own_.high == 0 ? find_own(own_, sp) : extend_own(own_, sp);
    }
    if (on_own) {
        if (interrupted && sp - own_.low < red_zone) {
            extend_own(own_, sp - red_zone);
        }
        low_ = sp - own_.low < red_zone ? own_.low : sp - red_zone;
        last_ = own_.high - sizeof(uintptr_t);
        away_ = false;
        return;
    }
    away_ = true;
    low_ = 1;
    last_ = 0;
    if (!page_readable(sp)) {
        return;
    }
    const uintptr_t page = page_of(sp);
    last_ = page + page_bytes - sizeof(uintptr_t);
    low_ = page;
    if (sp - page >= red_zone || (interrupted && page_readable(page - page_bytes))) {
        low_ = sp - red_zone;
    }
}

bool StackWindow::reach(uintptr_t slot) {
    if (!away_) {
        return false;
    }
    if (last_ >= low_ && slot > last_ && grow(slot)) {
        return true;
    }
    // Code that switched stacks and said so in its call-frame information: its caller is on the own stack.
    const bool found = own_.high == 0 ? find_own(own_, slot) : extend_own(own_, slot);
    if (found || slot - own_.low < own_.high - own_.low) {
        if (own_.high - slot < sizeof(uintptr_t)) {
            return false;
        }
        low_ = own_.low;
        last_ = own_.high - sizeof(uintptr_t);
        away_ = false;
        return true;
    }
    return false;
}

bool StackWindow::grow(uintptr_t slot) {
    while (slot > last_) {
        const uintptr_t next = last_ + sizeof(uintptr_t);
        if (slot - last_ > probes_ * page_bytes || probes_ == 0 || !page_readable(next)) {
            return false;
        }
        --probes_;
        last_ += page_bytes;
    }
    return true;
}

}  // namespace nh::unwind
