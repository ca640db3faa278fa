#include "native/stacks/tree.h"

namespace nh::stacks {
namespace {

constexpr uint32_t first_entry = static_cast<uint32_t>(wire::marker::entry_malloc);
constexpr uint32_t last_entry = wire::last_entry;
constexpr uint64_t tree_full = static_cast<uint64_t>(wire::marker::tree_full);

}  // namespace

bool ContextTree::open(const Tree& tree) {
    static_assert(last_entry < sizeof(full_leaves_) / sizeof(full_leaves_[0]));
    static_assert(min_tree_capacity > 2 * (last_entry + 2));
    if (tree.capacity < min_tree_capacity || !index_.open()) {
        return false;
    }
    tree_ = tree;
    frame_limit_ = tree.capacity - tree.capacity / 16;
    const uint32_t full = child(0, tree_full);
    bool good = full != 0;
    for (uint32_t entry = first_entry; good && entry <= last_entry; ++entry) {
        full_leaves_[entry] = child(full, entry);
        good = full_leaves_[entry] != 0;
    }
    return good;
}

uint32_t ContextTree::find(uint32_t parent, uint64_t pc, Width* width) {
    uint32_t at = __atomic_load_n(&tree_.nodes[parent].first_child, __ATOMIC_ACQUIRE);
    uint32_t steps = 0;
    for (; at != 0 && at < tree_.capacity && steps < most_narrow; ++steps) {
        if (is_child(at, parent, pc)) {
            return at;
        }
        at = __atomic_load_n(&tree_.nodes[at].next_sibling, __ATOMIC_ACQUIRE);
    }
    *width = at != 0 ? Width::wide : steps == most_narrow ? Width::full : Width::narrow;
    if (at == 0) {
        return 0;
    }
    const uint32_t indexed = index_.find(tree_, parent, pc);
    if (indexed != 0) {
        return indexed;
    }
    for (; at != 0 && at < tree_.capacity && steps < most_steps; ++steps) {
        if (is_child(at, parent, pc)) {
            index_.add(parent, pc, at);
            return at;
        }
        at = __atomic_load_n(&tree_.nodes[at].next_sibling, __ATOMIC_ACQUIRE);
    }
    return 0;
}

void ContextTree::index_children(uint32_t parent) {
    uint32_t at = __atomic_load_n(&tree_.nodes[parent].first_child, __ATOMIC_ACQUIRE);
    for (uint32_t steps = 0; at != 0 && at < tree_.capacity && steps <= most_narrow; ++steps) {
        index_.add(parent, tree_.nodes[at].pc, at);
        at = __atomic_load_n(&tree_.nodes[at].next_sibling, __ATOMIC_ACQUIRE);
    }
}

// Takes a node and puts it first in its parent's list. The counter may run past the capacity, but not round: it is
// looked at before it is added to.
uint32_t ContextTree::insert(uint32_t parent, uint64_t pc, uint32_t limit) {
    if (__atomic_load_n(tree_.count, __ATOMIC_RELAXED) >= limit) {
        return 0;
    }
    const uint32_t index = __atomic_fetch_add(tree_.count, 1, __ATOMIC_RELAXED);
    // Not above the parent: the counter was scribbled over, and the reader relies on the order.
    if (index >= tree_.capacity || index <= parent) {
        return 0;
    }
    wire::node& node = tree_.nodes[index];
    if (tree_.make_present != nullptr && !tree_.make_present(&node, sizeof(node))) {
        return 0;
    }
    node.pc = pc;
    node.parent = parent;
    uint32_t first = __atomic_load_n(&tree_.nodes[parent].first_child, __ATOMIC_RELAXED);
    do {
        __atomic_store_n(&node.next_sibling, first, __ATOMIC_RELAXED);
    } while (!__atomic_compare_exchange_n(&tree_.nodes[parent].first_child, &first, index, true, __ATOMIC_RELEASE,
                                          __ATOMIC_RELAXED));
    return index;
}

[[gnu::noinline]] uint32_t ContextTree::child_slow(uint32_t parent, uint64_t pc) {
    Width width;
    uint32_t found = find(parent, pc, &width);
    if (found == 0) {
        found = insert(parent, pc, frame_limit_);
        if (found != 0 && width == Width::wide) {
            index_.add(parent, pc, found);
        } else if (found != 0 && width == Width::full) {
            index_children(parent);
        }
    }
    if (found != 0) {
        __atomic_store_n(&tree_.nodes[parent].hot_child, found, __ATOMIC_RELEASE);
    }
    return found;
}

// The nodes behind frame_limit_ serve full trees: under the last frame that is known stands tree_full, then the
// entry. When they are used up too, the frames are lost and the leaf is one made at the start.
uint32_t ContextTree::full_leaf(uint32_t deepest, wire::marker entry) {
    const auto entry_pc = static_cast<uint32_t>(entry);
    Width width;
    uint32_t full = find(deepest, tree_full, &width);
    if (full == 0) {
        full = insert(deepest, tree_full, tree_.capacity);
    }
    uint32_t leaf = full == 0 ? 0 : find(full, entry_pc, &width);
    if (leaf == 0 && full != 0) {
        leaf = insert(full, entry_pc, tree_.capacity);
    }
    return leaf != 0 ? leaf : full_leaves_[entry_pc];
}

}  // namespace nh::stacks
