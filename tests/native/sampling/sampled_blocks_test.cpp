#include "native/sampling/sampled_blocks.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <random>
#include <thread>

namespace nh::sampling {
namespace {

constexpr uint64_t seed = 20261;

struct Blocks {
    std::unique_ptr<SampledBlocks> of = std::make_unique<SampledBlocks>();
    Blocks() { EXPECT_TRUE(of->open()); }
    SampledBlocks* operator->() const { return of.get(); }
};

uintptr_t address(std::mt19937_64& random) {
    return 0x7f0000000000 + (random() % (1 << 22)) * 16;
}

TEST(SampledBlocks, hold_what_was_added_and_not_removed) {
    Blocks blocks;
    std::mt19937_64 random(seed);
    std::map<uintptr_t, uint64_t> live;
    for (int i = 0; i < 100000; i++) {
        uintptr_t at = address(random);
        auto known = live.find(at);
        ASSERT_EQ(blocks->holds(at), known != live.end());
        if (known == live.end()) {
            ASSERT_TRUE(blocks->add(at, {random() % 1000, static_cast<uint64_t>(i), 0}));
            live[at] = i;
            ASSERT_TRUE(blocks->may_hold(at));
        } else {
            SampledBlocks::Details details;
            ASSERT_TRUE(blocks->may_hold(at));
            ASSERT_TRUE(blocks->remove(at, &details));
            ASSERT_EQ(details.tag, known->second);
            live.erase(known);
        }
    }
    for (const auto& [at, tag] : live) {
        SampledBlocks::Details details;
        ASSERT_TRUE(blocks->remove(at, &details));
        ASSERT_EQ(details.tag, tag);
    }
    for (int i = 0; i < 100000; i++) {
        ASSERT_FALSE(blocks->may_hold(address(random))) << "a counter has one too many";
    }
}

TEST(SampledBlocks, grow_over_their_levels_and_say_when_they_are_full) {
    Blocks blocks;
    uint64_t added = 0;
    for (uintptr_t at = 0x10000; blocks->add(at, {1, at, 0}); at += 16) {
        added++;
    }
    EXPECT_GT(added, 500000u);
    for (uint64_t i = 0; i < added; i++) {
        uintptr_t at = 0x10000 + i * 16;
        SampledBlocks::Details details;
        ASSERT_TRUE(blocks->may_hold(at));
        ASSERT_TRUE(blocks->remove(at, &details));
        ASSERT_EQ(details.tag, at);
    }
    EXPECT_FALSE(blocks->holds(0x10000));
}

TEST(SampledBlocks, have_less_room_where_there_is_little_and_none_before_they_are_opened) {
    auto blocks = std::make_unique<SampledBlocks>();
    SampledBlocks::Details details;
    EXPECT_FALSE(blocks->add(0x1000, {1, 2, 3}));
    EXPECT_FALSE(blocks->remove(0x1000, &details));
    EXPECT_FALSE(blocks->may_hold(0x1000));
    ASSERT_TRUE(blocks->open(4 << 20));
    uint64_t added = 0;
    for (uintptr_t at = 0x10000; blocks->add(at, {1, at, 0}); at += 16) {
        added++;
    }
    EXPECT_GT(added, 20000u);
    EXPECT_LE(added, 65536u);
}

TEST(SampledBlocks, one_that_is_in_already_is_taken_for_new) {
    Blocks blocks;
    SampledBlocks::Details details;
    EXPECT_TRUE(blocks->add(0x1000, {5, 6, 0}));
    EXPECT_TRUE(blocks->add(0x1000, {7, 8, 0}));
    EXPECT_TRUE(blocks->remove(0x1000, &details));
    EXPECT_EQ(details.bytes, 7u);
    EXPECT_EQ(details.tag, 8u);
    EXPECT_FALSE(blocks->remove(0x1000, &details));
    EXPECT_FALSE(blocks->may_hold(0x1000));
}

TEST(SampledBlocks, null_is_never_one_of_them) {
    Blocks blocks;
    SampledBlocks::Details details;
    EXPECT_FALSE(blocks->holds(0));
    EXPECT_FALSE(blocks->remove(0, &details));
}

// Two threads that add, and hand over to each other what they remove: no lookup misses.
TEST(SampledBlocks, are_found_by_whoever_was_handed_them) {
    constexpr int rounds = 300000;
    constexpr uintptr_t count = 4096;  // addresses, used again as soon as they are removed
    Blocks blocks;
    std::vector<std::atomic<bool>> taken(count);
    std::atomic<uintptr_t> handed[2] = {};
    std::atomic<int> missed = 0;
    auto remove = [&](uintptr_t place) {
        SampledBlocks::Details details;
        missed += !blocks->may_hold(place * 16) || !blocks->remove(place * 16, &details) || details.bytes != place;
        taken[place] = false;
    };
    auto work = [&](uintptr_t self) {
        for (uintptr_t i = 0; i < rounds; i++) {
            uintptr_t own = i % count;
            if (own != 0 && !taken[own].exchange(true)) {
                missed += !blocks->add(own * 16, {own, self, 0});
                uintptr_t before = handed[1 - self].exchange(own);
                if (before != 0) {
                    remove(before);
                }
            }
            uintptr_t mine = handed[self].exchange(0);
            if (mine != 0) {
                remove(mine);
            }
        }
    };
    std::thread other(work, 1);
    work(0);
    other.join();
    for (auto& last : handed) {
        if (last != 0) {
            remove(last);
        }
    }
    EXPECT_EQ(missed, 0);
    for (uintptr_t place = 1; place < count; place++) {
        EXPECT_FALSE(blocks->may_hold(place * 16));
    }
}

}  // namespace
}  // namespace nh::sampling
