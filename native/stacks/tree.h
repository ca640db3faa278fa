// The shared calling-context tree: child look-up and lock-free insertion.
#pragma once
#include <stdint.h>

#include "native/stacks/capture.h"
#include "native/stacks/wide_index.h"

namespace nh::stacks {

// A child list with its most recently used child remembered in the parent; longer lists are also
// indexed. Everything read from the shared nodes is bounded: another process of the fork tree may have scribbled there.
class ContextTree {
  public:
    // Prepares the leaves for stacks that find no room at all. False when the tree is too small or memory lacks.
    bool open(const Tree& tree);

    // The child of `parent` for `pc`, made when there is none; 0 when the tree is full.
    uint32_t child(uint32_t parent, uint64_t pc) {
        const uint32_t hot = hot_child(parent, pc);
        return hot != 0 ? hot : child_slow(parent, pc);
    }

    // The same when it was the parent's last child that was asked for, else 0.
    uint32_t hot_child(uint32_t parent, uint64_t pc) {
        const uint32_t hot = __atomic_load_n(&tree_.nodes[parent].hot_child, __ATOMIC_ACQUIRE);
        return is_child(hot, parent, pc) ? hot : 0;
    }

    // The leaf for a stack whose last frame that found room is `deepest`.
    uint32_t full_leaf(uint32_t deepest, wire::marker entry);

    // Of a node that child() or full_leaf() gave.
    uint64_t pc(uint32_t node) const { return tree_.nodes[node].pc; }
    uint32_t parent(uint32_t node) const { return tree_.nodes[node].parent; }

  private:
    static constexpr uint32_t most_narrow = 16;   // children of a list that is not indexed
    static constexpr uint32_t most_steps = 4096;  // along one list; past it, and not indexed, a child is made again

    bool is_child(uint32_t index, uint32_t parent, uint64_t pc) const {
        return index != 0 && index < tree_.capacity && tree_.nodes[index].pc == pc &&
               tree_.nodes[index].parent == parent;
    }

    uint32_t child_slow(uint32_t parent, uint64_t pc);
    enum class Width : uint8_t { narrow, full, wide };  // full: the next child makes it wide

    uint32_t find(uint32_t parent, uint64_t pc, Width* width);
    void index_children(uint32_t parent);
    uint32_t insert(uint32_t parent, uint64_t pc, uint32_t limit);

    Tree tree_;
    uint32_t frame_limit_;  // nodes from here on are kept for leaves of stacks that found no room
    uint32_t full_leaves_[16];
    WideIndex index_;
};

}  // namespace nh::stacks
