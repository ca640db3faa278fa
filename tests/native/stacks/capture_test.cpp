// From registers to a leaf: the path in the tree is the walk, with its marks.
#include "native/stacks/capture.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "tests/native/unwind/both_walks.h"
#include "tests/native/unwind/known_code.h"
#include "tests/native/unwind/recursion.h"

namespace nh::stacks {
namespace {

using unwind::test::take_ours;
using unwind::test::Walk;

constexpr uint32_t capacity = 1u << 20;
wire::node nodes[capacity];
uint32_t count = 1;

void prepare() {
    unwind::test::prepare();
    static const bool good = initialise({nodes, capacity, &count});
    ASSERT_TRUE(good);
}

Scratch& scratch() {
    thread_local auto mine = std::make_unique<Scratch>();
    return *mine;
}

uint32_t leaf;
Walk walk;

// Both from the same call, so that their frames above it are the same.
[[gnu::noinline]] void capture_here() {
    const unwind::Registers at = unwind::caller_registers();
    leaf = capture(scratch(), at, wire::marker::entry_realloc);
    walk.pcs.resize(wire::max_frames);
    walk.pcs.resize(unwind::walk(at, scratch().bounds, walk.pcs.data(), wire::max_frames, &walk.end));
}

// From the leaf's parent outwards.
std::vector<uint64_t> outwards(uint32_t node) {
    std::vector<uint64_t> pcs;
    for (node = nodes[node].parent; node != 0; node = nodes[node].parent) {
        EXPECT_LT(nodes[node].parent, node);
        pcs.push_back(nodes[node].pc);
    }
    return pcs;
}

TEST(Capture, the_leaf_names_the_entry_and_its_path_is_the_walk) {
    prepare();
    capture_here();
    EXPECT_EQ(nodes[leaf].pc, static_cast<uint64_t>(wire::marker::entry_realloc));
    const std::vector<uint64_t> path = outwards(leaf);
    ASSERT_FALSE(walk.pcs.empty());
    EXPECT_EQ(path, std::vector<uint64_t>(walk.pcs.begin(), walk.pcs.end()));
}

TEST(Capture, the_same_call_gives_the_same_leaf) {
    prepare();
    uint32_t leaves[3];
    for (uint32_t& each : leaves) {
        capture_here();
        each = leaf;
    }
    EXPECT_EQ(leaves[0], leaves[1]);
    EXPECT_EQ(leaves[0], leaves[2]);
}

TEST(Capture, a_cut_stack_says_so_first_under_the_root) {
    prepare();
    unwind::test::recurse_without_frame_pointer(1500, capture_here);
    const std::vector<uint64_t> path = outwards(leaf);
    ASSERT_EQ(path.size(), wire::max_frames + 1u);
    EXPECT_EQ(path.back(), static_cast<uint64_t>(wire::marker::depth_limit));
    EXPECT_TRUE(std::equal(walk.pcs.begin(), walk.pcs.end(), path.begin()));
}

TEST(Capture, a_lost_stack_says_so_first_under_the_root) {
    prepare();
    uncovered_with_rbp(capture_here, 8);
    const std::vector<uint64_t> path = outwards(leaf);
    ASSERT_EQ(path.size(), 2u);
    EXPECT_EQ(path.back(), static_cast<uint64_t>(wire::marker::lost));
}

// Last by name: from here on the process is in a later generation.
TEST(CaptureLater, a_new_generation_stands_first_under_the_root) {
    prepare();
    using Call = void (*)(void (*)());
    const uint32_t before = unwind::generation();
    for (const char* name : {"/libunwind_first.so", "/libunwind_other.so"}) {
        void* handle = dlopen((std::string(UNWIND_LIBRARIES) + name).c_str(), RTLD_NOW);
        ASSERT_NE(handle, nullptr);
        reinterpret_cast<Call>(dlsym(handle, "call_first"))(capture_here);
        dlclose(handle);
        unwind::modules_unloaded();
    }
    ASSERT_EQ(unwind::generation(), before + 1);
    EXPECT_EQ(outwards(leaf).back(), static_cast<uint64_t>(wire::marker::generation) + before);
    uncovered_with_rbp(capture_here, 8);
    const std::vector<uint64_t> path = outwards(leaf);
    ASSERT_EQ(path.size(), 3u);
    EXPECT_EQ(path[1], static_cast<uint64_t>(wire::marker::lost));
    EXPECT_EQ(path[2], static_cast<uint64_t>(wire::marker::generation) + before);
}

}  // namespace
}  // namespace nh::stacks
