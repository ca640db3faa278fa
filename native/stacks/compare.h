// For tests: a build in which every stack that was verified is also walked (see tests/native/shim/compared_test.cpp).
#pragma once
#include "native/stacks/tree.h"

namespace nh::stacks {

// Ends the program by abort() when the walk gives another stack than `leaf` stands for. Counts the stacks compared, and
// says on standard error how many there were when the program ends in order.
void compare_with_walk(const ContextTree& tree, Scratch& scratch, const unwind::Registers& at, wire::marker entry,
                       uint32_t leaf);

}  // namespace nh::stacks
