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
    uintptr_t left_out;  // frames in this code are no part of any stack
    size_t left_out_bytes;

    bool leaves_out(uintptr_t pc) const { return pc - left_out < left_out_bytes; }
};

// Nodes a tree must have room for.
inline constexpr uint32_t min_tree_capacity = 64;

// Call once, after unwind::initialise, in the process that said hello; forked children go on with what they inherit.
// Maps a private index (1 MiB of address space). False when there is no memory or the tree is too small.
bool initialise(const Tree& tree);

// The leaf (an entry marker) for a call of `entry` from `at`. Never 0. Async-signal-safe as unwind::walk.
uint32_t capture(Scratch& scratch, const unwind::Registers& at, wire::marker entry);

}  // namespace nh::stacks
