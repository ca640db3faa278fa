#include "native/stacks/capture.h"

#include "native/stacks/tree.h"

namespace nh::stacks {
namespace {

ContextTree context_tree;

// Descends from the root, making the nodes that are missing, until the tree is full.
class Path {
  public:
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
    uint32_t node_ = 0;
    bool full_ = false;
};

}  // namespace

bool initialise(const Tree& tree) {
    return context_tree.open(tree);
}

uint32_t capture(Scratch& scratch, const unwind::Registers& at, wire::marker entry) {
    // To verify instead of unwind, this is the place: with the stack words that the previous walk read and the node
    // of each frame kept in Scratch, a walk may stop at the first frame whose outer part is unchanged and continue
    // from that frame's node; generation() says when kept frames are void.
    unwind::StackEnd end;
    const uint32_t count = unwind::walk(at, scratch.bounds, scratch.pcs, wire::max_frames, &end);

    Path path;
    // Asked after the walk: a module met on the way may have started a new one.
    const uint32_t generation = unwind::generation();
    if (generation != 0) {
        path.add(static_cast<uint64_t>(wire::marker::generation) + generation - 1);
    }
    if (end != unwind::StackEnd::root) {
        path.add(end == unwind::StackEnd::lost ? wire::marker::lost : wire::marker::depth_limit);
    }
    for (uint32_t i = count; i-- != 0;) {
        path.add(scratch.pcs[i]);
    }
    return path.leaf(entry);
}

}  // namespace nh::stacks
