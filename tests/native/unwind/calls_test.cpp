// Ordinary calls and the ways out of them, compared with libunwind frame by frame.
#include <alloca.h>
#include <gtest/gtest.h>
#include <setjmp.h>

#include <thread>

#include "tests/native/unwind/both_walks.h"
#include "tests/native/unwind/recursion.h"

namespace nh::unwind::test {
namespace {

BothWalks taken;
void take() {
    taken = take_both();
}

BothWalks from_constructor;
struct AtStart {
    AtStart() { from_constructor = take_both(); }
} at_start;

TEST(Calls, a_test_is_walked_to_the_root) {
    take();
    expect_same(taken);
    EXPECT_EQ(taken.ours.end, StackEnd::root);
}

TEST(Calls, three_hundred_levels_of_recursion) {
    recurse_with_frame_pointer(300, take);
    expect_same(taken);
    EXPECT_EQ(taken.ours.end, StackEnd::root);
    EXPECT_GT(taken.ours.pcs.size(), 300u);
}

TEST(Calls, three_hundred_levels_without_frame_pointers) {
    recurse_without_frame_pointer(300, take);
    expect_same(taken);
    EXPECT_EQ(taken.ours.end, StackEnd::root);
    EXPECT_GT(taken.ours.pcs.size(), 300u);
}

TEST(Calls, frames_with_and_without_frame_pointers_mixed) {
    recurse_mixed(200, take);
    expect_same(taken);
    EXPECT_GT(taken.ours.pcs.size(), 200u);
}

TEST(Calls, deeper_than_the_limit_says_so_and_keeps_the_innermost) {
    recurse_without_frame_pointer(2000, take);
    EXPECT_EQ(taken.ours.end, StackEnd::depth_limit);
    ASSERT_EQ(taken.ours.pcs.size(), wire::max_frames);
    EXPECT_EQ(taken.ours.pcs, taken.libunwind);
}

TEST(Calls, a_stack_of_just_the_limit_is_whole) {
    take();
    recurse_without_frame_pointer(10, take);
    const auto rest = static_cast<int>(taken.ours.pcs.size()) - 10;
    recurse_without_frame_pointer(static_cast<int>(wire::max_frames) - rest, take);
    EXPECT_EQ(taken.ours.pcs.size(), wire::max_frames);
    EXPECT_EQ(taken.ours.end, StackEnd::root);
    recurse_without_frame_pointer(static_cast<int>(wire::max_frames) - rest + 1, take);
    EXPECT_EQ(taken.ours.end, StackEnd::depth_limit);
}

TEST(Calls, variable_frames) {
    for (size_t size : {1u, 100u, 5000u, 300000u}) {
        with_variable_frame(size, take);
        expect_same(taken);
    }
}

TEST(Calls, after_longjmp) {
    jmp_buf place;
    volatile int round = 0;
    if (setjmp(place) < 3) {
        take();
        expect_same(taken);
        round = round + 1;
        jump_from_depth(20, place, round);
    }
    take();
    expect_same(taken);
    EXPECT_EQ(taken.ours.end, StackEnd::root);
}

struct TakesWhenDestroyed {
    ~TakesWhenDestroyed() { take(); }
};

[[gnu::noinline]] void throw_through() {
    TakesWhenDestroyed local;
    throw 7;
}

TEST(Calls, in_a_destructor_that_an_exception_runs) {
    try {
        throw_through();
    } catch (int) {
    }
    expect_same(taken);
    EXPECT_EQ(taken.ours.end, StackEnd::root);
}

TEST(Calls, in_a_handler_of_an_exception) {
    try {
        throw_through();
    } catch (int) {
        take();
    }
    expect_same(taken);
    EXPECT_EQ(taken.ours.end, StackEnd::root);
}

TEST(Calls, from_a_threads_first_function_to_its_start) {
    std::thread(take).join();
    expect_same(taken);
    EXPECT_EQ(taken.ours.end, StackEnd::root);
}

TEST(Calls, first_walk_of_a_thread_deep_in_its_stack) {
    std::thread([] { with_variable_frame(5 << 20, take); }).join();
    expect_same(taken);
    EXPECT_EQ(taken.ours.end, StackEnd::root);
}

TEST(Calls, in_a_static_constructor) {
    expect_same(from_constructor);
    EXPECT_EQ(from_constructor.ours.end, StackEnd::root);
}

}  // namespace
}  // namespace nh::unwind::test
