// Stacks that are verified instead of walked: equal to the walk whatever changes in between.
#include "native/unwind/known_stack.h"

#include <alloca.h>
#include <gtest/gtest.h>
#include <setjmp.h>

#include <memory>
#include <random>

#include "native/unwind/rows.h"
#include "tests/native/unwind/both_walks.h"

namespace nh::unwind {
namespace {

struct Known {
    StackBounds bounds = {};
    std::unique_ptr<KnownStack> stack = std::make_unique<KnownStack>();
    uint32_t joined = 0;
    uint64_t updates = 0, frames = 0, reused = 0, repeated = 0;
    uintptr_t pcs[wire::max_frames];

    // Brings it up to date and compares it with the walk from the same place.
    bool check(const Registers& at) {
        StackEnd end;
        const uint32_t count = walk(at, bounds, pcs, wire::max_frames, &end);
        const KnownFrame* same = stack->repeated(at);
        if (same != nullptr) {
            repeated++;
            EXPECT_EQ(same, &(*stack)[stack->count() - 1]);
            expect_walked(count);
        }
        if (!stack->update(at, bounds, &joined)) {
            return false;
        }
        updates++;
        frames += count;
        reused += joined;
        EXPECT_EQ(end, StackEnd::root);
        expect_walked(count);
        stack->keep(0);
        return true;
    }

    void expect_walked(uint32_t count) {
        EXPECT_EQ(count, stack->count());
        for (uint32_t i = 0; i < count && i < stack->count(); ++i) {
            EXPECT_EQ(pcs[count - 1 - i], (*stack)[i].pc) << i << " of " << count << ", joined " << joined;
        }
    }
};

[[gnu::noinline]] bool check_here(Known& known) {
    return known.check(caller_registers());
}

using Random = std::minstd_rand;
constexpr int deepest = 60;

void go_on(Known& known, Random& random, int depth);

[[gnu::noinline]] void plain(Known& known, Random& random, int depth) {
    go_on(known, random, depth + 1);
    asm volatile("");
}

[[gnu::noinline]] void framed(Known& known, Random& random, int depth) {
    // A frame that is found by RBP, of another size each time.
    volatile char* room = static_cast<char*>(alloca(16 + random() % 200));
    room[0] = 1;
    go_on(known, random, depth + 1);
    room[1] = 2;
}

[[gnu::noinline]] void throwing(Known& known, Random& random, int depth) {
    try {
        go_on(known, random, depth + 1);
        if (random() % 3 == 0) {
            throw depth;
        }
    } catch (int) {
        EXPECT_TRUE(check_here(known));
    }
}

[[gnu::noinline]] void jumping(Known& known, Random& random, int depth) {
    jmp_buf back;
    if (setjmp(back) == 0) {
        go_on(known, random, depth + 1);
        longjmp(back, 1);
    }
    EXPECT_TRUE(check_here(known));
}

// Not at every turn: what changes between two looks must be seen, too.
void look_sometimes(Known& known, Random& random) {
    if (random() % 4 == 0) {
        EXPECT_TRUE(check_here(known));
    }
}

void go_on(Known& known, Random& random, int depth) {
    constexpr void (*ways[])(Known&, Random&, int) = {plain, framed, throwing, jumping};
    look_sometimes(known, random);
    const int calls = depth < deepest ? static_cast<int>(random() % 3) : 0;
    for (int i = 0; i < calls; ++i) {
        // Two places of the same frame: only the return address tells them apart.
        if (random() % 2 == 0) {
            ways[random() % 4](known, random, depth);
            asm volatile("nop");
        } else {
            ways[random() % 4](known, random, depth);
            asm volatile("nop; nop");
        }
        look_sometimes(known, random);
    }
}

TEST(KnownStack, a_stack_that_did_not_change_is_known_to_its_innermost_frame_but_one) {
    test::prepare();
    Known known;
    for (int i = 0; i < 100; ++i) {
        EXPECT_TRUE(check_here(known));
        EXPECT_GE(known.joined + 1, i == 0 ? 0 : known.stack->count());
    }
    EXPECT_EQ(known.repeated, 99u);
}

TEST(KnownStack, random_calls_give_the_walk_and_mostly_join_what_is_known) {
    test::prepare();
    Known known;
    Random random(1);
    for (int i = 0; i < 15000; ++i) {
        go_on(known, random, 0);
    }
    EXPECT_GT(known.updates, 30000u);
    EXPECT_GT(known.reused * 10, known.frames * 5);
    EXPECT_GT(known.repeated, 1000u);
}

[[gnu::noinline]] bool check_below(Known& known, uint64_t path, int levels);

[[gnu::noinline]] bool by_left(Known& known, uint64_t path, int levels) {
    const bool kept = check_below(known, path, levels);
    asm volatile("");
    return kept;
}

[[gnu::noinline]] bool by_right(Known& known, uint64_t path, int levels) {
    const bool kept = check_below(known, path, levels);
    asm volatile("nop");
    return kept;
}

[[gnu::noinline]] bool check_below(Known& known, uint64_t path, int levels) {
    bool kept;
    if (levels == 0) {
        kept = check_here(known);
    } else {
        kept = ((path & 1) != 0 ? by_left : by_right)(known, path >> 1, levels - 1);
    }
    asm volatile("");
    return kept;
}

TEST(KnownStack, where_most_frames_are_new_each_time_stacks_are_walked_and_tried_again_later) {
    test::prepare();
    Known known;
    std::mt19937_64 random(1);
    int kept = 0;
    for (int i = 0; i < 4000; ++i) {
        kept += check_below(known, random(), 40);
    }
    EXPECT_GT(kept, 8);
    EXPECT_LT(kept, 400);
    for (int i = 0; i < 1100; ++i) {  // the longest rest is over then
        check_below(known, 5, 40);
    }
    for (int i = 0; i < 100; ++i) {
        EXPECT_TRUE(check_below(known, 5, 40));
    }
}

TEST(KnownStack, a_return_address_that_changed_is_seen) {
    test::prepare();
    Known known;
    for (uint32_t inwards = 2; inwards < 6; ++inwards) {
        for (int i = 0; i < 70 && !check_here(known); ++i) {  // after a stack that is lost some are not looked at
        }
        KnownStack& stack = *known.stack;
        const uint32_t inner = stack.count() - inwards;
        auto* word = reinterpret_cast<uintptr_t*>(stack[inner].return_slot.address(stack[inner - 1].sp));
        const uintptr_t was = *word;
        *word = 0x10;  // no code is there
        const Registers at = {stack[stack.count() - 1].pc, stack[stack.count() - 1].sp, stack[stack.count() - 1].fp};
        const bool seems_repeated = stack.repeated(at) != nullptr;
        uint32_t joined;
        const bool seems_known = stack.update(at, known.bounds, &joined);
        *word = was;
        EXPECT_FALSE(seems_repeated) << inwards;
        EXPECT_FALSE(seems_known) << inwards;
    }
    for (int i = 0; i < 70 && !check_here(known); ++i) {
    }
    EXPECT_TRUE(check_here(known));
}

TEST(KnownStack, what_was_not_kept_is_not_used) {
    test::prepare();
    Known known;
    EXPECT_TRUE(check_here(known));
    uint32_t joined = 99;
    EXPECT_TRUE(known.stack->update(caller_registers(), known.bounds, &joined));  // left before keep()
    EXPECT_TRUE(known.stack->update(caller_registers(), known.bounds, &joined));
    EXPECT_EQ(joined, 0u);
    known.stack->keep(0);
    known.stack->forget();
    EXPECT_TRUE(known.stack->update(caller_registers(), known.bounds, &joined));
    EXPECT_EQ(joined, 0u);
}

TEST(KnownStack, unloading_makes_it_forget) {
    test::prepare();
    Known known;
    EXPECT_TRUE(check_here(known));
    EXPECT_TRUE(check_here(known));
    EXPECT_NE(known.joined, 0u);
    forget_rows();
    EXPECT_TRUE(check_here(known));
    EXPECT_EQ(known.joined, 0u);
}

TEST(KnownStack, a_stack_that_is_too_deep_is_left_to_the_walk) {
    test::prepare();
    Known known;
    struct Deep {
        [[gnu::noinline]] static bool down(Known& known, int levels) {
            if (levels == 0) {
                return check_here(known);
            }
            const bool told = down(known, levels - 1);
            asm volatile("");
            return told;
        }
    };
    EXPECT_TRUE(Deep::down(known, 400));
    EXPECT_FALSE(Deep::down(known, 600));
}

TEST(KnownStack, another_stack_than_the_threads_own_is_left_to_the_walk) {
    test::prepare();
    Known known;
    EXPECT_TRUE(check_here(known));
    alignas(16) static char elsewhere[4096];
    Registers at = caller_registers();
    at.sp = reinterpret_cast<uintptr_t>(elsewhere + 2048);
    uint32_t joined;
    EXPECT_FALSE(known.stack->update(at, known.bounds, &joined));
}

}  // namespace
}  // namespace nh::unwind
