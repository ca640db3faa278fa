#include "native/sampling/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <thread>

namespace nh::sampling {
namespace {

constexpr double sigmas = 6;
constexpr uint64_t seed = 20260;

// Seeds are fixed: a bound that holds once holds always.
TEST(Sampler, a_distance_exceeds_n_bytes_with_the_probability_exp_of_minus_n_by_the_mean) {
    constexpr int draws = 200000;
    for (uint64_t mean : {1ull, 3ull, 64ull, 4096ull, 512ull << 10, 1ull << 40}) {
        std::mt19937_64 random(seed);
        std::vector<uint64_t> distances;
        for (int i = 0; i < draws; i++) {
            distances.push_back(distance(mean, random()));
        }
        for (double share : {0.001, 0.1, 1.0, 3.0, 7.0}) {
            auto n = static_cast<uint64_t>(share * static_cast<double>(mean));
            double expected = std::exp(-static_cast<double>(n) / static_cast<double>(mean));
            double found = static_cast<double>(
                               std::count_if(distances.begin(), distances.end(), [&](uint64_t k) { return k > n; })) /
                           draws;
            double bound = sigmas * std::sqrt(expected * (1 - expected) / draws);
            EXPECT_NEAR(found, expected, bound) << "mean " << mean << ", " << n << " bytes";
        }
    }
}

TEST(Sampler, the_ends_of_the_random_numbers_give_distances_too) {
    for (uint64_t mean : {1ull, 512ull << 10, 1ull << 40}) {
        EXPECT_GE(distance(mean, 0), 30 * mean);
        EXPECT_LE(distance(mean, 0), 40 * mean);
        EXPECT_EQ(distance(mean, ~0ull), 1u);
    }
}

// As the exported functions ask.
bool records(size_t bytes) {
    return !passes(bytes) && takes(bytes, rate());
}

// Of sizes in turn, so that each is met with whatever the others have left.
void expect_probabilities(uint64_t mean, const std::vector<size_t>& sizes) {
    constexpr int rounds = 300000;
    std::vector<int> taken(sizes.size());
    for (int i = 0; i < rounds; i++) {
        for (size_t at = 0; at < sizes.size(); at++) {
            taken[at] += records(sizes[at]);
        }
    }
    for (size_t at = 0; at < sizes.size(); at++) {
        double p = -std::expm1(-(static_cast<double>(sizes[at]) + 1) / static_cast<double>(mean));
        EXPECT_NEAR(static_cast<double>(taken[at]) / rounds, p, sigmas * std::sqrt(p * (1 - p) / rounds))
            << sizes[at] << " bytes, mean " << mean;
    }
}

TEST(Sampler, an_allocation_is_recorded_with_the_probability_that_its_size_has) {
    for (uint64_t mean : {1ull, 100ull, 4096ull}) {
        start(nullptr, seed);
        sample_at(mean);
        expect_probabilities(mean, {0, 1, 24, 100, 4096, 16, 5 * 4096});
    }
}

TEST(Sampler, every_thread_has_points_of_its_own) {
    start(nullptr, seed);
    sample_at(4096);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) {
        threads.emplace_back([] { expect_probabilities(4096, {48, 1000}); });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}

// A point that was drawn by the mean before would be met too seldom, or too often.
TEST(Sampler, a_mean_that_changes_between_two_allocations_holds_for_the_next_one) {
    constexpr int rounds = 200000;
    constexpr uint64_t means[] = {1 << 20, 100, 4096};
    start(nullptr, seed);
    int taken[3] = {};
    for (int i = 0; i < rounds; i++) {
        for (int at = 0; at < 3; at++) {
            sample_at(means[at]);
            taken[at] += records(99);
        }
    }
    for (int at = 0; at < 3; at++) {
        double p = -std::expm1(-100.0 / static_cast<double>(means[at]));
        EXPECT_NEAR(static_cast<double>(taken[at]) / rounds, p, sigmas * std::sqrt(p * (1 - p) / rounds)) << means[at];
    }
}

TEST(Sampler, frees_of_other_blocks_are_told_where_the_collector_keeps_them) {
    std::vector<uint8_t> bits(wire::kept_bytes);
    constexpr uint32_t n = 20;
    constexpr uintptr_t kept = 0x7f0000001230, other = 0x7f0000045670;
    const uint64_t place = (kept >> 4) * wire::stripe_multiplier >> (64 - n);
    bits[place / 8] |= static_cast<uint8_t>(1 << place % 8);
    start(bits.data(), seed);
    const uint64_t some = wire::sampling_kept | 4096 | uint64_t{n} << wire::sampling_bits_shift;
    EXPECT_TRUE(tells(kept, some));
    EXPECT_FALSE(tells(other, some));
    EXPECT_FALSE(tells(kept, 4096));
    for (uint64_t n_that_cannot_be : {0ull, 1ull, 2ull, 27ull, 63ull}) {
        EXPECT_TRUE(tells(other, wire::sampling_kept | 4096 | n_that_cannot_be << wire::sampling_bits_shift));
    }
    start(nullptr, seed);
    EXPECT_TRUE(tells(other, some));
}

TEST(Sampler, lets_nothing_pass_before_a_point_is_drawn) {
    std::thread([] {
        for (size_t bytes : {size_t{0}, size_t{1}, size_t{1} << 47}) {
            EXPECT_FALSE(passes(bytes));
        }
    }).join();
}

}  // namespace
}  // namespace nh::sampling
