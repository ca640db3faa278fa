// What a process says of the signals that the profiler uses, when the program finds a use for them.
#include <signal.h>

#include "tests/native/shim/recording.h"

namespace nh::test {
namespace {

const int parks_on = SIGRTMIN + 19, marks_by = SIGRTMIN + 20;

struct SignalRun {
    Collector collector;
    Target target;

    explicit SignalRun(const std::string& mode)
        : target(start(), {target_path("signal_actions"), mode, std::to_string(parks_on), std::to_string(marks_by)}) {
        target.wait();
        collector.stop();
        EXPECT_TRUE(target.succeeded()) << target.status << target.errors;
    }

    const wire::slot& slot(uint32_t i) const { return collector.images().at(0)->slot(i); }

  private:
    const std::string& start() {
        collector.park_signal = parks_on;
        collector.snapshot_signal = marks_by;
        collector.start();
        return collector.path();
    }
};

TEST(SignalActions, of_a_program_take_both_signals_from_us) {
    SignalRun run("itself");
    EXPECT_EQ(run.slot(0).park_signal, 0u);
    EXPECT_EQ(run.slot(0).signal_state, static_cast<uint32_t>(wire::signal_state::taken_back));
}

// Whoever sends a parking signal looks there first: none is to come where the program's handler may be.
TEST(SignalActions, are_said_before_the_programs_handler_is_there) {
    SignalRun run("halfway");
    EXPECT_EQ(run.slot(0).park_signal, 0u);
    EXPECT_EQ(run.slot(0).signal_state, static_cast<uint32_t>(wire::signal_state::ours));
}

TEST(SignalActions, of_a_child_that_has_recorded_nothing_are_none_of_its_parents) {
    SignalRun run("child");
    EXPECT_EQ(run.slot(0).park_signal, static_cast<uint32_t>(parks_on));
    EXPECT_EQ(run.slot(0).signal_state, static_cast<uint32_t>(wire::signal_state::ours));
    EXPECT_EQ(run.slot(1).state, static_cast<uint32_t>(wire::slot_state::free));  // it has recorded nothing
}

}  // namespace
}  // namespace nh::test
