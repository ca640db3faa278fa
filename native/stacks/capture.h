// From registers at an allocation to a leaf of the shared calling-context tree.
#pragma once
#include "native/unwind/known_stack.h"
#include "native/unwind/unwinder.h"
#include "native/wire/wire.h"

namespace nh::stacks {

// The shared tree. Any number of threads and forked processes insert at once without a lock; two that
// insert the same child at the same time may both succeed (the collector merges duplicates).
struct Tree {
    wire::node* nodes;
    uint32_t capacity;
    uint32_t* count;  // atomic
    // Called before a node is stored to first; false: it must not be. Null: all may be.
    bool (*make_present)(const void* start, uint64_t bytes) = nullptr;
};

// Per-thread state, zero-filled before first use; too large for a target's stack.
struct Scratch {
    unwind::StackBounds bounds;
    unwind::KnownStack known;
    uintptr_t pcs[wire::max_frames];
};

// Nodes a tree must have room for.
inline constexpr uint32_t min_tree_capacity = 64;

// Call once, after unwind::initialise, in the process that said hello; forked children go on with what they inherit.
// Maps a private index (1 MiB of address space). False when there is no memory or the tree is too small.
bool initialise(const Tree& tree);

// The leaf (an entry marker) for a call of `entry` from `at`. Never 0. Async-signal-safe as unwind::walk.
uint32_t capture(Scratch& scratch, const unwind::Registers& at, wire::marker entry);

// The same by a whole walk, without the frames in that code.
uint32_t capture_without(uintptr_t code, size_t bytes, Scratch& scratch, const unwind::Registers& at,
                         wire::marker entry);

}  // namespace nh::stacks
