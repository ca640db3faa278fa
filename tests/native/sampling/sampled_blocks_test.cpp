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
            ASSERT_TRUE(blocks->add(at, random() % 1000, i));
            live[at] = i;
            ASSERT_TRUE(blocks->may_hold(at));
        } else {
            uint64_t bytes, tag;
            ASSERT_TRUE(blocks->may_hold(at));
            ASSERT_TRUE(blocks->remove(at, &bytes, &tag));
            ASSERT_EQ(tag, known->second);
            live.erase(known);
        }
    }
    for (const auto& [at, tag] : live) {
        uint64_t bytes, found;
        ASSERT_TRUE(blocks->remove(at, &bytes, &found));
        ASSERT_EQ(found, tag);
    }
    for (int i = 0; i < 100000; i++) {
        ASSERT_FALSE(blocks->may_hold(address(random))) << "a counter has one too many";
    }
}

TEST(SampledBlocks, grow_over_their_levels_and_say_when_they_are_full) {
    Blocks blocks;
    uint64_t added = 0;
    for (uintptr_t at = 0x10000; blocks->add(at, 1, at); at += 16) {
        added++;
    }
    EXPECT_GT(added, 500000u);
    for (uint64_t i = 0; i < added; i++) {
        uintptr_t at = 0x10000 + i * 16;
        uint64_t bytes, tag;
        ASSERT_TRUE(blocks->may_hold(at));
        ASSERT_TRUE(blocks->remove(at, &bytes, &tag));
        ASSERT_EQ(tag, at);
    }
    EXPECT_FALSE(blocks->holds(0x10000));
}

TEST(SampledBlocks, one_that_is_in_already_is_taken_for_new) {
    Blocks blocks;
    uint64_t bytes, tag;
    EXPECT_TRUE(blocks->add(0x1000, 5, 6));
    EXPECT_TRUE(blocks->add(0x1000, 7, 8));
    EXPECT_TRUE(blocks->remove(0x1000, &bytes, &tag));
    EXPECT_EQ(bytes, 7u);
    EXPECT_EQ(tag, 8u);
    EXPECT_FALSE(blocks->remove(0x1000, &bytes, &tag));
    EXPECT_FALSE(blocks->may_hold(0x1000));
}

TEST(SampledBlocks, null_is_never_one_of_them) {
    Blocks blocks;
    uint64_t bytes, tag;
    EXPECT_FALSE(blocks->holds(0));
    EXPECT_FALSE(blocks->remove(0, &bytes, &tag));
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
        uint64_t bytes, tag;
        missed += !blocks->may_hold(place * 16) || !blocks->remove(place * 16, &bytes, &tag) || bytes != place;
        taken[place] = false;
    };
    auto work = [&](uintptr_t self) {
        for (uintptr_t i = 0; i < rounds; i++) {
            uintptr_t own = i % count;
            if (own != 0 && !taken[own].exchange(true)) {
                missed += !blocks->add(own * 16, own, self);
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
