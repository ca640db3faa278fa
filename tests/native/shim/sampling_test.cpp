// What the shim tells of blocks that were recorded when every birth was, once births are sampled.
#include <map>

#include "tests/native/shim/recording.h"

namespace nh::test {
namespace {

constexpr uint64_t no_samples = 1ull << 40;  // bytes between them: this program gets none
constexpr uint32_t bits = 20;
constexpr int blocks = 8000;  // more than a ring holds

uint64_t place_of(uint64_t address) {
    return (address >> 4) * wire::stripe_multiplier >> (64 - bits);
}

// A program of which births are sampled while it waits in one, for its ring is full.
class Switched {
  public:
    explicit Switched(uint64_t sampling, size_t count = blocks) {
        collector_.most_bytes_a_round = 0;
        collector_.clock_stands = true;  // no time events: the ring is full at the same birth each time
        collector_.start();
        Target target(collector_.path(), {target_path("fill"), std::to_string(count)});
        EXPECT_TRUE(comes_to_wait(target.pid()));
        const Image& image = *collector_.images()[0];
        memset(image.kept_bits(), 0xFF, (1u << bits) / 8 / 2);
        __atomic_store_n(&image.header().sampling, sampling, __ATOMIC_RELEASE);
        collector_.most_bytes_a_round = ~0ull;
        target.wait();
        EXPECT_TRUE(target.succeeded());
        collector_.stop();
        for (const Event& event : image.events) {
            if (event.kind == wire::event_kind::alloc) {
                births.push_back(event.address);
            } else if (event.kind == wire::event_kind::release) {
                EXPECT_EQ(event.result, 1u) << "it was told as if every birth were recorded";
                releases[event.address]++;
            }
        }
        EXPECT_EQ(image.missed_calls(), 0u);
        EXPECT_GT(births.size(), 4000u);
        EXPECT_LE(births.size(), count);
    }

    std::vector<uint64_t> births;
    std::map<uint64_t, int> releases;

  private:
    Collector collector_;
};

TEST(SwitchedSampling, tells_of_all_frees_until_the_collector_says_which_matter) {
    Switched run(wire::sampling_kept | no_samples);
    EXPECT_EQ(run.releases.size(), size_t{blocks});
}

// The last birth was under way when births began to be sampled, and the collector cannot have known of it: its free is
// told whatever the bits say.
TEST(SwitchedSampling, tells_of_the_frees_that_the_bits_name_and_of_the_birth_that_was_under_way) {
    Switched run(wire::sampling_kept | uint64_t{bits} << wire::sampling_bits_shift | no_samples);
    EXPECT_EQ(run.releases[run.births.back()], 1);
    size_t named = 0;
    for (uint64_t birth : run.births) {
        const bool is_named = place_of(birth) < 1u << (bits - 1);
        named += is_named;
        EXPECT_EQ(run.releases[birth] == 1, is_named || birth == run.births.back());
    }
    EXPECT_GT(named, run.births.size() / 4);
    EXPECT_LT(named, run.births.size() * 3 / 4);
}

// It allocates nothing more: nobody was let pass, and that one is remembered all the same.
TEST(SwitchedSampling, forgets_the_birth_that_was_under_way_at_its_free) {
    const size_t waiting = Switched(no_samples).births.size();
    Switched run(no_samples, waiting);
    EXPECT_EQ(run.births.size(), waiting);
    EXPECT_EQ(run.releases.size(), 1u);
    EXPECT_EQ(run.releases[run.births.back()], 1);
}

TEST(SwitchedSampling, tells_of_no_frees_but_those_of_samples_where_nothing_is_kept) {
    Switched run(no_samples);
    EXPECT_EQ(run.releases.size(), 1u);
    EXPECT_EQ(run.releases[run.births.back()], 1);
}

}  // namespace
}  // namespace nh::test
