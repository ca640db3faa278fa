// Walks the calling thread's native stack by compiled call-frame rows.
//
// Async-signal-safe: no allocation, no lock, no loader call but the lock-free _dl_find_object, and after
// initialise() no system call but futex (used to ask the kernel whether a page can be read).
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "native/unwind/architecture.h"
#include "native/wire/wire.h"

namespace nh::unwind {

// Registers at a call: pc is the return address into the caller, sp the canonical frame address of the
// callee (the stack pointer after its return), fp the caller's frame pointer, link what code that was interrupted has
// for a return address and no memory has yet (aarch64).
struct Registers {
    uintptr_t pc;
    uintptr_t sp;
    uintptr_t fp;
    [[no_unique_address]] Link link = {};
};

// The caller's registers of the function this is written in. That function gets a frame pointer.
[[gnu::always_inline]] inline Registers caller_registers() {
    auto frame = static_cast<const uintptr_t*>(__builtin_frame_address(0));
    if constexpr (has_link_register) {  // the two words stand anywhere in the frame
        return {stripped(frame[1]), reinterpret_cast<uintptr_t>(__builtin_dwarf_cfa()), frame[0]};
    }
    return {frame[1], reinterpret_cast<uintptr_t>(frame + 2), frame[0]};
}

enum class StackEnd : uint8_t {
    root,         // reached a frame that the unwind information names as the outermost
    depth_limit,  // ran out of room; outer frames exist
    lost,         // no rule, or a rule that led out of the stack
    guessed,      // reached root, through code that nothing describes by its frame pointer: callers may be missing
};

// What is known to be readable of the thread's own stack. One per thread, zero-filled before the thread's first walk,
// used by that thread alone. Other stacks (signal stacks, coroutines) may be unmapped between two walks, so nothing
// is remembered about them: each walk asks the kernel again.
struct StackBounds {
    uintptr_t low, high;  // own stack: every page in it was seen readable
    uintptr_t floor;      // a stack pointer below it is not on the own stack
};

// Where newly met modules are written; all pointers stay valid for good.
struct ModuleTable {
    wire::module* modules;
    uint32_t capacity;
    uint32_t* count;  // atomic, shared by the processes of a fork tree
    const uint64_t* clock_ns;
    uint32_t slot;  // this process
};

// Where the beginnings of reuse epochs are written; all pointers stay valid for good.
struct ReusedCodeTable {
    wire::reused_code* records;
    uint32_t capacity;
    uint32_t* count;  // atomic, shared by the processes of a fork tree
    uint32_t slot;    // this process
};

// Maps the private row cache and remembers the tables. Before any walk; false when there is no memory. Called again, it
// begins to tell of modules and reused code anew, in other tables; no walk may go on whose result is to be used.
bool initialise(const ModuleTable& modules, const ReusedCodeTable& reused);

// A forked child goes on with its own slot; known modules and rows stay valid.
void after_fork(uint32_t slot);

// Call after a module may have been unloaded: marks those that are gone and forgets rows.
void modules_unloaded();

// Grows from 0 when code addresses start to mean something else (a module took the place of another). At most
// max_generation; after that many, addresses keep the meaning they had last.
extern uint32_t current_generation __attribute__((visibility("hidden")));  // atomic
inline uint32_t generation() {
    return __atomic_load_n(&current_generation, __ATOMIC_ACQUIRE);
}
inline constexpr uint32_t max_generation = wire::first_code_address - static_cast<uint32_t>(wire::marker::generation);

// Writes the return addresses from the innermost outwards, the first being at.pc, as wire::node says (interrupted pcs
// + 1, the reuse epoch of collectible code on top). Returns how many, at most capacity.
uint32_t walk(const Registers& at, StackBounds& bounds, uintptr_t* pcs, uint32_t capacity, StackEnd* end);

}  // namespace nh::unwind
