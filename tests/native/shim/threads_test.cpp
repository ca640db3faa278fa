#include "tests/native/shim/recording.h"

namespace nh::test {
namespace {

// Beyond a run that makes the same threads and no blocks.
void expect_all_recorded(const std::string& name, const std::vector<std::string>& arguments,
                         const RegionSize& size = {}) {
    std::vector<std::string> busy = {target_path(name)};
    std::vector<std::string> idle = {target_path(name), "nothing"};
    busy.insert(busy.end(), arguments.begin(), arguments.end());
    idle.insert(idle.end(), arguments.begin(), arguments.end());
    Recording run(busy, size);
    expect_sound(run);
    Recording baseline(idle, size);
    expect_sound(baseline);
    expect_equal(run.target, run.totals - baseline.totals);
    EXPECT_EQ(run.image().missed_calls(), 0u);
}

TEST(Threads, that_free_and_resize_each_others_blocks_are_ordered_by_number) {
    Recording run({target_path("exchange")});
    expect_sound(run);
    EXPECT_EQ(run.totals.threads, 5);
    Recording idle({target_path("exchange"), "nothing"});
    expect_equal(run.target, run.totals - idle.totals);
    EXPECT_EQ(run.totals.foreign_frees, 0);
}

TEST(Threads, allocate_in_destructors_to_their_very_end) {
    expect_all_recorded("thread_ends", {});
}

TEST(Threads, two_thousand_short_ones_reuse_a_few_rings) {
    RegionSize few;
    few.rings = 16;
    few.shared_rings = 1;
    Recording run({target_path("crowd"), "10", "200"}, few);
    expect_sound(run);
    EXPECT_EQ(run.totals.threads, 2001);
    Recording idle({target_path("crowd"), "nothing", "10", "200"}, few);
    expect_equal(run.target, run.totals - idle.totals);
    EXPECT_EQ(run.image().header().lock_waits, 0u);
}

TEST(Threads, more_than_there_are_rings_share_the_last_ones) {
    RegionSize few;
    few.rings = 8;
    few.shared_rings = 2;
    expect_all_recorded("crowd", {"60", "3"}, few);
}

TEST(Threads, all_may_share_one_ring) {
    RegionSize one;
    one.rings = 1;
    one.shared_rings = 1;
    expect_all_recorded("crowd", {"20", "2"}, one);
}

TEST(Threads, events_of_one_thread_stand_in_order_with_their_time) {
    Recording run({target_path("crowd"), "10", "1"});
    uint64_t before = 0;
    for (const Event& event : run.image().events) {
        if (event.kind == wire::event_kind::alloc && event.ring == 0) {
            EXPECT_GE(event.time_ns, before);
            EXPECT_GE(event.time_ns, run.image().hello().start_ns - 1'000'000'000);
            before = event.time_ns;
        }
    }
    EXPECT_GT(before, 0u);
}

uint64_t recorded_calls(const Recording& run) {
    uint64_t calls = 0;
    for (const Event& event : run.image().events) {
        calls += event.kind == wire::event_kind::alloc && event.size != 7777 && event.size < 1000;
        calls += event.kind == wire::event_kind::release;
    }
    return calls;
}

int64_t peaceful_blocks(const Recording& run) {
    int64_t blocks = 0;
    for (const Event& event : run.image().events) {
        blocks += event.kind == wire::event_kind::alloc && event.size == 7777;
    }
    return blocks;
}

TEST(SignalHandlers, that_allocate_inside_a_hook_are_forwarded_and_counted) {
    Recording run({target_path("signal_storm"), "return", "1000000"});
    expect_sound(run);
    EXPECT_GT(run.target.number("signals"), 100);
    EXPECT_EQ(recorded_calls(run) + run.image().missed_calls(), static_cast<uint64_t>(run.target.number("calls")));
    EXPECT_EQ(peaceful_blocks(run), 10000);
}

TEST(SignalHandlers, that_leave_a_hook_by_longjmp_do_not_end_recording) {
    Recording run({target_path("signal_storm"), "jump", "1000000"});
    EXPECT_EQ(run.target.errors, "");
    EXPECT_TRUE(run.target.succeeded());
    EXPECT_GT(run.target.number("signals"), 100);
    EXPECT_EQ(peaceful_blocks(run), 10000);
    // A jump loses the call it interrupts and at most a few of the handler's own.
    EXPECT_GT(recorded_calls(run),
              static_cast<uint64_t>(run.target.number("calls") - 8 * run.target.number("signals") - 1000));
}

TEST(SignalHandlers, that_leave_a_hook_by_longjmp_give_a_shared_ring_back) {
    RegionSize one;
    one.rings = 1;
    one.shared_rings = 1;
    Recording run({target_path("signal_storm"), "jump", "300000"}, one);
    EXPECT_EQ(run.target.errors, "");
    EXPECT_TRUE(run.target.succeeded());
    EXPECT_GT(run.target.number("signals"), 100);
    EXPECT_EQ(peaceful_blocks(run), 10000);
}

}  // namespace
}  // namespace nh::test
