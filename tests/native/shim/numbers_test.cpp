// Order numbers are counted without locking the bus while libc says that the process has one thread, and with a lock as
// soon as there are two: else one might come twice, which is too rare to wait for (tests/targets/numbers.c).
#include "tests/native/shim/recording.h"

namespace nh::test {
namespace {

void expect_unlocked_alone(const Target& target) {
    EXPECT_EQ(target.number("alone_unlocked"), 1) << target.output;
    EXPECT_EQ(target.number("alone_locked"), 0);
}

void expect_locked_together(const Target& target) {
    EXPECT_TRUE(target.succeeded()) << target.status << target.errors;
    EXPECT_EQ(target.number("together_unlocked"), 0) << target.output;
    EXPECT_GE(target.number("together_locked"), 1);
}

TEST(Numbers, are_taken_with_a_lock_from_the_moment_a_second_thread_is_made) {
    Recording run({target_path("numbers"), "thread"});
    expect_sound(run);
    expect_unlocked_alone(run.target);
    expect_locked_together(run.target);
    EXPECT_EQ(run.totals.threads, 2);
}

TEST(Numbers, are_taken_with_a_lock_once_a_thread_is_seen_that_libc_does_not_know) {
    Recording run({target_path("numbers"), "stranger"});
    expect_sound(run);
    expect_unlocked_alone(run.target);
    expect_locked_together(run.target);
    EXPECT_EQ(run.totals.threads, 2);
}

TEST(Numbers, are_taken_with_a_lock_in_a_forked_child_that_starts_a_thread) {
    Recording run({target_path("numbers"), "child"});
    expect_sound(run);
    expect_locked_together(run.target);
    EXPECT_EQ(settle(run.image(), 1).threads, 2);
}

class NumbersLate : public testing::TestWithParam<const char*> {};

TEST_P(NumbersLate, are_taken_with_a_lock_in_an_attached_process_of_two_threads) {
    const std::string mode = GetParam();
    Collector collector;
    collector.start();
    Target target =
        Target::unprofiled({target_path("numbers"), mode, shim_path(), "NATIVEHEAP_SOCKET=" + collector.path() + "\n"});
    target.wait();
    collector.stop();
    if (mode == "attached") {
        expect_unlocked_alone(target);
    }
    expect_locked_together(target);
    EXPECT_EQ(settle(*collector.images().at(0), 0).broken, "");
}

INSTANTIATE_TEST_SUITE_P(Threads, NumbersLate, testing::Values("attached", "late", "late_stranger"),
                         [](const auto& mode) { return std::string(mode.param); });

}  // namespace
}  // namespace nh::test
