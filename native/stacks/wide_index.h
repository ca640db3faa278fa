// Finds children of nodes that have many: a private hash index beside the shared child lists.
#pragma once
#include <stdint.h>

#include "native/stacks/capture.h"

namespace nh::stacks {

// A cache of child indices, 8 to a set; what it forgets is found again by the list. Lock-free: an entry is one word
// and is checked against the node it names.
class WideIndex {
  public:
    // Maps 1 MiB. False when there is no memory; the index is then empty and takes nothing.
    bool open();

    // The child of `parent` with this pc, 0 when the index does not know it.
    uint32_t find(const Tree& tree, uint32_t parent, uint64_t pc) const;

    void add(uint32_t parent, uint64_t pc, uint32_t child);

  private:
    static constexpr uint32_t set_bits = 15;
    static constexpr uint32_t ways = 8;

    static uint64_t hash(uint32_t parent, uint64_t pc);

    uint32_t* entries_;
};

}  // namespace nh::stacks
