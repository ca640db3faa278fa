// Code without call-frame information, with any value in RBP: the walk may be lost, the program is not.
#include <gtest/gtest.h>
#include <string.h>
#include <sys/mman.h>

#include <random>
#include <thread>

#include "tests/native/unwind/both_walks.h"
#include "tests/native/unwind/known_code.h"

namespace nh::unwind::test {
namespace {

Walk taken;
void take() {
    taken = take_ours();
}
BothWalks both;
void take_and_compare() {
    both = take_both();
}

TEST(Uncovered, a_frame_pointer_is_followed) {
    known_rsp([] { uncovered_frame([] { known_rsp(take_and_compare); }); });
    expect_same(both);
    EXPECT_EQ(both.ours.end, StackEnd::guessed);
    EXPECT_EQ(count_frames(both.ours.pcs, uncovered_frame,
                           static_cast<size_t>(uncovered_frame_end - reinterpret_cast<const char*>(uncovered_frame))),
              1u);
}

TEST(Uncovered, code_made_at_run_time_is_walked_by_its_frame_pointer) {
    const auto size = static_cast<size_t>(uncovered_frame_end - reinterpret_cast<const char*>(uncovered_frame));
    void* code = mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(code, MAP_FAILED);
    memcpy(code, reinterpret_cast<const void*>(uncovered_frame), size);
    reinterpret_cast<void (*)(void (*)())>(code)(take);
    EXPECT_EQ(taken.end, StackEnd::guessed);
    EXPECT_EQ(count_frames(taken.pcs, code, size), 1u);
    munmap(code, 4096);
}

TEST(Uncovered, a_frame_pointer_that_is_no_frame_ends_the_walk_as_lost) {
    void* mapped = mmap(nullptr, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(mapped, MAP_FAILED);
    const auto heap = reinterpret_cast<uintptr_t>(mapped);
    munmap(reinterpret_cast<void*>(heap + 4096), 4096);
    uintptr_t local = 0;
    const auto here = reinterpret_cast<uintptr_t>(&local);
    const uintptr_t values[] = {
        0,
        1,
        7,
        8,
        4096,
        heap,
        heap + 4096 - 8,
        heap + 4096,
        ~uintptr_t{0},
        ~uintptr_t{7},
        uintptr_t{1} << 47,
        0xFFFFFFFFFF600000,
        0x00007FFFFFFFF000,
        0xDEADBEEFDEADBEE8,
        here - (1 << 20),
        here + (uintptr_t{1} << 30),
        here + 1,
    };
    for (uintptr_t value : values) {
        uncovered_with_rbp(take, value);
        EXPECT_EQ(taken.end, StackEnd::lost) << std::hex << value;
        EXPECT_EQ(taken.pcs.size(), 2u) << std::hex << value;
    }
    munmap(mapped, 4096);
}

TEST(Uncovered, no_frame_pointer_whatever_faults_on_the_main_stack) {
    std::mt19937_64 random(7);
    uintptr_t local = 0;
    const auto here = reinterpret_cast<uintptr_t>(&local);
    for (int i = 0; i < 20000; ++i) {
        const uintptr_t near_by = here + (random() & 0xFFFFF) - 0x40000;
        uncovered_with_rbp(take, (i & 1) != 0 ? random() : near_by & ~uintptr_t{7});
        EXPECT_LE(taken.pcs.size(), wire::max_frames);
    }
}

TEST(Uncovered, no_frame_pointer_whatever_faults_on_a_threads_stack) {
    std::thread([] {
        std::mt19937_64 random(8);
        uintptr_t local = 0;
        const auto here = reinterpret_cast<uintptr_t>(&local);
        for (int i = 0; i < 20000; ++i) {
            uncovered_with_rbp(take, (here + (random() & 0x1FFFFF) - 0x80000) & ~uintptr_t{7});
            EXPECT_LE(taken.pcs.size(), wire::max_frames);
        }
    }).join();
}

TEST(Uncovered, frame_pointers_that_form_a_circle_end) {
    struct Frame {
        uintptr_t fp, pc;
    } frames[2];
    frames[0] = {reinterpret_cast<uintptr_t>(&frames[1]), reinterpret_cast<uintptr_t>(uncovered_frame) + 6};
    frames[1] = {reinterpret_cast<uintptr_t>(&frames[0]), reinterpret_cast<uintptr_t>(uncovered_frame) + 6};
    uncovered_with_rbp(take, reinterpret_cast<uintptr_t>(&frames[0]));
    EXPECT_EQ(taken.end, StackEnd::lost);
    EXPECT_LE(taken.pcs.size(), 4u);
}

}  // namespace
}  // namespace nh::unwind::test
