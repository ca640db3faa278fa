// Walks the calling thread's native stack by compiled call-frame rows.
//
// Async-signal-safe: no allocation, no lock, no loader call but the lock-free _dl_find_object, and after
// initialise() no system call but futex (used to ask the kernel whether a page can be read).
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "native/wire/wire.h"

namespace nh::unwind {

// Registers at a call: pc is the return address into the caller, sp the canonical frame address of the
// callee (the stack pointer after its return), fp the caller's RBP.
struct Registers {
    uintptr_t pc;
    uintptr_t sp;
    uintptr_t fp;
};

enum class StackEnd : uint8_t {
    root,         // reached a frame that the unwind information names as the outermost
    depth_limit,  // ran out of room; outer frames exist
    lost,         // no rule, or a rule that led out of the stack
};

// Address ranges known to be readable stack. One per thread, zero-filled before first use, used by that
// thread alone.
struct StackBounds {
    struct Range {
        uintptr_t low, high;
    };
    Range home;      // the thread's own stack
    Range away[4];   // signal stacks and coroutines, most recent first
    uintptr_t last;  // the range used by the previous walk, to notice a switch
};

// Where newly met modules are written; all pointers stay valid for good.
struct ModuleTable {
    wire::module* modules;
    uint32_t capacity;
    uint32_t* count;  // atomic, shared by the processes of a fork tree
    const uint64_t* clock_ns;
    uint32_t slot;  // this process
};

// Maps the private row cache and remembers the table. Call once, before any walk; false when there is no memory.
bool initialise(const ModuleTable& table);

// A forked child goes on with its own slot; known modules and rows stay valid.
void after_fork(uint32_t slot);

// Call after a module may have been unloaded: marks those that are gone and forgets rows.
void modules_unloaded();

// Bumped when a code address may mean something else than before (a module took the place of another).
uint32_t generation();

// Writes the return addresses from the innermost outwards, the first being at.pc (interrupted pcs are stored + 1,
// see wire::node). Returns how many, at most capacity.
uint32_t walk(const Registers& at, StackBounds& bounds, uintptr_t* pcs, uint32_t capacity, StackEnd* end);

}  // namespace nh::unwind
