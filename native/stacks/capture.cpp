#include "native/stacks/capture.h"

#include "native/stacks/tree.h"
#ifdef NH_COMPARE_STACKS
#include "native/stacks/compare.h"
#endif

namespace nh::stacks {
namespace {

ContextTree context_tree;

// Descends from a node, making the nodes that are missing, until the tree is full.
class Path {
  public:
    explicit Path(uint32_t node) : node_(node) {}

    uint32_t node() const { return node_; }
    bool is_full() const { return full_; }

    void add(uint64_t pc) {
        const uint32_t next = full_ ? 0 : context_tree.child(node_, pc);
        full_ = next == 0;
        node_ = full_ ? node_ : next;
    }
    void add(wire::marker marker) { add(static_cast<uint64_t>(marker)); }

    uint32_t leaf(wire::marker entry) {
        add(entry);
        return full_ ? context_tree.full_leaf(node_, entry) : node_;
    }

  private:
    uint32_t node_;
    bool full_ = false;
};

}  // namespace

bool initialise(const Tree& tree) {
    return context_tree.open(tree);
}

namespace {

uint64_t generation_marker(uint32_t generation) {
    return static_cast<uint64_t>(wire::marker::generation) + generation - 1;
}

// The whole stack is that of the last time, and so is the function; 0 when it is not. No calls: nothing is saved.
[[gnu::always_inline]] inline uint32_t capture_repeated(Scratch& scratch, const unwind::Registers& at,
                                                        wire::marker entry) {
    const unwind::KnownFrame* innermost = scratch.known.repeated(at);
    return innermost != nullptr ? context_tree.hot_child(innermost->node, static_cast<uint64_t>(entry)) : 0;
}

// Verified instead of walked: only frames that are new since the last stack are looked for in the tree.
bool capture_known(Scratch& scratch, const unwind::Registers& at, wire::marker entry, uint32_t* leaf) {
    unwind::KnownStack& known = scratch.known;
    uint32_t first;
    if (!known.update(at, scratch.bounds, &first)) {
        return false;
    }
    const uint32_t generation = unwind::generation();
    if (generation != known.kept_generation()) {
        first = 0;
    }
    Path path(first == 0 ? 0 : known[first - 1].node);
    if (first == 0 && generation != 0) {
        path.add(generation_marker(generation));
    }
    for (uint32_t i = first; i < known.count(); ++i) {
        path.add(known[i].pc);
        known[i].node = path.node();
    }
    if (!path.is_full()) {
        known.keep(generation);
    }
    *leaf = path.leaf(entry);
    return true;
}

template <typename LeavesOut>
[[gnu::always_inline]] inline uint32_t walk_and_capture(Scratch& scratch, const unwind::Registers& at,
                                                        wire::marker entry, LeavesOut leaves_out) {
    unwind::StackEnd end;
    const uint32_t count = unwind::walk(at, scratch.bounds, scratch.pcs, wire::max_frames, &end);

    Path path(0);
    // Asked after the walk: a module met on the way may have started a new one.
    const uint32_t generation = unwind::generation();
    if (generation != 0) {
        path.add(generation_marker(generation));
    }
    if (end != unwind::StackEnd::root) {
        path.add(end == unwind::StackEnd::lost      ? wire::marker::lost
                 : end == unwind::StackEnd::guessed ? wire::marker::guessed
                                                    : wire::marker::depth_limit);
    }
    for (uint32_t i = count; i-- != 0;) {
        if (!leaves_out(scratch.pcs[i])) {
            path.add(scratch.pcs[i]);
        }
    }
    return path.leaf(entry);
}

uint32_t capture_by_walk(Scratch& scratch, const unwind::Registers& at, wire::marker entry) {
    return walk_and_capture(scratch, at, entry, [](uintptr_t) { return false; });
}

inline void compare([[maybe_unused]] Scratch& scratch, [[maybe_unused]] const unwind::Registers& at,
                    [[maybe_unused]] wire::marker entry, [[maybe_unused]] uint32_t leaf) {
#ifdef NH_COMPARE_STACKS
    compare_with_walk(context_tree, scratch, at, entry, leaf);
#endif
}

[[gnu::noinline]] uint32_t capture_changed(Scratch& scratch, const unwind::Registers& at, wire::marker entry) {
    uint32_t leaf;
    if (!capture_known(scratch, at, entry, &leaf)) {
        return capture_by_walk(scratch, at, entry);
    }
    compare(scratch, at, entry, leaf);
    return leaf;
}

}  // namespace

uint32_t capture(Scratch& scratch, const unwind::Registers& at, wire::marker entry) {
    const uint32_t leaf = capture_repeated(scratch, at, entry);
    if (leaf == 0) [[unlikely]] {
        return capture_changed(scratch, at, entry);
    }
    compare(scratch, at, entry, leaf);
    return leaf;
}

uint32_t capture_without(uintptr_t code, size_t bytes, Scratch& scratch, const unwind::Registers& at,
                         wire::marker entry) {
    return walk_and_capture(scratch, at, entry, [=](uintptr_t pc) { return pc - code < bytes; });
}

}  // namespace nh::stacks
