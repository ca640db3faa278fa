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
    return !passes(bytes) && takes(bytes);
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
        start(mean, seed);
        next_point = 0;
        expect_probabilities(mean, {0, 1, 24, 100, 4096, 16, 5 * 4096});
    }
}

TEST(Sampler, every_thread_has_points_of_its_own) {
    start(4096, seed);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) {
        threads.emplace_back([] { expect_probabilities(4096, {48, 1000}); });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
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
