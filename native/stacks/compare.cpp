#include "native/stacks/compare.h"

#include <stdio.h>
#include <stdlib.h>

#include "native/unwind/rows.h"

namespace nh::stacks {
namespace {

uint64_t compared;

[[gnu::destructor]] void tell() {
    dprintf(2, "compared %lu stacks\n", static_cast<unsigned long>(__atomic_load_n(&compared, __ATOMIC_RELAXED)));
}

[[noreturn]] void differ(uint32_t count, uint32_t frame, uint64_t verified, uint64_t walked) {
    dprintf(2, "stacks differ: of %u frames frame %u is 0x%lx, walked 0x%lx\n", count, frame,
            static_cast<unsigned long>(verified), static_cast<unsigned long>(walked));
    abort();
}

// What addresses mean: while it changes, the two may be of different times.
struct Meaning {
    uint32_t epoch = __atomic_load_n(&unwind::row_epoch, __ATOMIC_ACQUIRE);
    uint32_t generation = unwind::generation();

    bool operator==(const Meaning&) const = default;
};

}  // namespace

void compare_with_walk(const ContextTree& tree, Scratch& scratch, const unwind::Registers& at, wire::marker entry,
                       uint32_t leaf) {
    const Meaning before;
    unwind::StackEnd end;
    const uint32_t count = unwind::walk(at, scratch.bounds, scratch.pcs, wire::max_frames, &end);
    if (!(Meaning() == before) || tree.pc(tree.parent(leaf)) == static_cast<uint64_t>(wire::marker::tree_full)) {
        return;
    }
    __atomic_add_fetch(&compared, 1, __ATOMIC_RELAXED);
    if (tree.pc(leaf) != static_cast<uint64_t>(entry) || end != unwind::StackEnd::root) {
        differ(count, 0, tree.pc(leaf), static_cast<uint64_t>(end));
    }
    uint32_t node = tree.parent(leaf);
    for (uint32_t i = 0; i < count; ++i) {
        if (tree.pc(node) != scratch.pcs[i]) {
            differ(count, i, tree.pc(node), scratch.pcs[i]);
        }
        node = tree.parent(node);
    }
    const uint64_t outermost =
        before.generation == 0 ? 0 : static_cast<uint64_t>(wire::marker::generation) + before.generation - 1;
    if (node != 0 && (tree.pc(node) != outermost || tree.parent(node) != 0)) {
        differ(count, count, tree.pc(node), outermost);
    }
}

}  // namespace nh::stacks
