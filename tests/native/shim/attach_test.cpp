// The library under programs that load it themselves and have it attached and detached.
#include <sys/wait.h>

#include <algorithm>
#include <fstream>
#include <unordered_map>

#include "tests/native/shim/recording.h"

namespace nh::test {
namespace {

using wire::attach_result;

constexpr uint64_t marked_from = 70'000, marked_to = 71'000;

std::string settings_of(const std::string& socket) {
    return "NATIVEHEAP_SOCKET=" + socket + "\n";
}

// A run of `late` under a collector that it is to be attached to.
struct LateRun {
    Collector collector;
    Target target;

    explicit LateRun(const std::string& program, const std::string& mode, const std::string& further_settings = "",
                     const std::vector<std::string>& arguments = {})
        : target(start(program, mode, further_settings, arguments)) {
        target.wait();
        collector.stop();
        EXPECT_TRUE(target.succeeded()) << target.status << target.output << target.errors;
        EXPECT_EQ(target.errors, "");
    }

    const Image& image() const { return *collector.images().at(0); }

  private:
    Target start(const std::string& program, const std::string& mode, const std::string& further_settings,
                 const std::vector<std::string>& arguments) {
        collector.start();
        std::vector<std::string> command = {target_path(program), mode, shim_path(),
                                            settings_of(collector.path()) + further_settings};
        command.insert(command.end(), arguments.begin(), arguments.end());
        return Target::unprofiled(command);
    }
};

bool is_marked(uint64_t size) {
    return size >= marked_from && size < marked_to;
}

// Of the blocks that the program counts, which are told by their sizes.
Totals marked_totals(const Image& image) {
    struct Step {
        uint64_t address, size;
        uint32_t slot, order;
        bool birth;
    };
    std::vector<Step> steps;
    for (const Event& event : image.events) {
        auto result = static_cast<wire::resize_result>(event.result);
        if (event.kind == wire::event_kind::alloc) {
            steps.push_back({event.address, event.size, event.slot, event.order, true});
        } else if (event.kind == wire::event_kind::release) {
            steps.push_back({event.address, 0, event.slot, event.order, false});
        } else if (event.kind == wire::event_kind::resize && result != wire::resize_result::failed) {
            steps.push_back({event.old_address, 0, event.slot, event.old_order, false});
            if (result == wire::resize_result::moved) {
                steps.push_back({event.address, event.size, event.slot, event.order, true});
            }
        }
    }
    // Numbers of one address grow, and those of different addresses do not matter to each other.
    std::stable_sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) { return a.order < b.order; });
    Totals totals;
    std::unordered_map<uint64_t, uint64_t> live;
    for (const Step& step : steps) {
        if (step.birth) {
            live[step.address] = step.size;
            totals.allocations += is_marked(step.size);
            totals.allocated_bytes += is_marked(step.size) ? static_cast<int64_t>(step.size) : 0;
            continue;
        }
        auto at = live.find(step.address);
        if (at != live.end()) {
            totals.frees += is_marked(at->second);
            live.erase(at);
        }
    }
    for (const auto& [address, size] : live) {
        totals.live_blocks += is_marked(size);
        totals.live_bytes += is_marked(size) ? static_cast<int64_t>(size) : 0;
    }
    return totals;
}

// Nothing that was born unseen, or died unseen, shows itself: numbers have no gap and no address is born twice.
void expect_consistent(const Image& image) {
    for (const auto& [slot, totals] : settle_slots(image)) {
        EXPECT_EQ(totals.broken, "") << "slot " << slot;
    }
}

class Attached : public testing::TestWithParam<const char*> {};

TEST_P(Attached, program_of_one_thread_is_recorded_exactly_from_then_on) {
    LateRun run(GetParam(), "alone");
    Totals totals = settle(run.image(), 0);
    EXPECT_EQ(totals.broken, "");
    expect_equal(run.target, totals);
    EXPECT_EQ(totals.foreign_frees, 70);  // 40 freed and 30 resized, of those from before
    EXPECT_EQ(run.image().missed_calls(), 0u);
    EXPECT_EQ(run.image().hello().flags, wire::hello_attached);
    EXPECT_EQ(run.image().slot(0).off_reason, static_cast<uint32_t>(wire::off_reason::detached));
    EXPECT_GT(run.target.number("stack_bytes"), 0);
    EXPECT_LT(run.target.number("stack_bytes"), 24 << 10);
}

TEST_P(Attached, program_of_many_threads_is_recorded_exactly_from_then_on) {
    LateRun run(GetParam(), "crowd");
    expect_consistent(run.image());
    expect_equal(run.target, marked_totals(run.image()));
    EXPECT_GT(run.target.number("allocations"), 100);
    EXPECT_EQ(run.image().missed_calls(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Programs, Attached, testing::Values("late", "late_fixed"),
                         [](const auto& program) { return std::string(program.param); });

TEST(Attach, and_detach_again_and_again) {
    LateRun run("late", "again", "", {"25"});
    ASSERT_EQ(run.collector.images().size(), 25u);
    int64_t blocks = 0;
    for (const auto& image : run.collector.images()) {
        expect_consistent(*image);
        EXPECT_EQ(image->missed_calls(), 0u);
        Totals totals = marked_totals(*image);
        EXPECT_EQ(totals.allocations, 100);
        EXPECT_EQ(totals.frees, 100);
        blocks += totals.allocations;
    }
    EXPECT_EQ(blocks, run.target.number("allocations"));
}

TEST(Attach, follows_forks_until_it_is_detached) {
    LateRun run("late", "fork");
    auto slots = settle_slots(run.image());
    ASSERT_EQ(slots.size(), 2u);
    EXPECT_EQ(slots[1].broken, "");
    EXPECT_EQ(slots[1].allocations, 10);
    EXPECT_EQ(slots[1].frees, 5);
    EXPECT_EQ(slots[1].foreign_frees, 1);
    EXPECT_EQ(run.image().slot(1).parent_slot, 0u);
}

TEST(Attach, follows_no_fork_that_it_is_not_to_follow) {
    LateRun run("late", "fork", "NATIVEHEAP_FOLLOW=no\n");
    EXPECT_EQ(settle_slots(run.image()).size(), 1u);
}

TEST(Attach, comes_by_a_runtimes_profiler_class) {
    LateRun run("late", "class");
    Totals totals = settle(run.image(), 0);
    EXPECT_EQ(totals.broken, "");
    EXPECT_EQ(totals.allocations, 1);
    EXPECT_EQ(totals.live_blocks, 1);
}

TEST(Attach, tells_what_is_wrong) {
    auto results = [](const std::string& settings) {
        Target target = Target::unprofiled({target_path("late"), "call", shim_path(), settings});
        target.wait();
        EXPECT_TRUE(target.succeeded());
        EXPECT_EQ(target.errors, "");
        EXPECT_EQ(target.number("detached"), static_cast<int>(attach_result::not_recording));
        EXPECT_EQ(target.number("again"), target.number("attached"));
        return static_cast<attach_result>(target.number("attached"));
    };
    EXPECT_EQ(results(""), attach_result::bad_settings);
    EXPECT_EQ(results("NATIVEHEAP_SAMPLE=512KiB"), attach_result::bad_settings);
    EXPECT_EQ(results("NATIVEHEAP_SOCKET=/nowhere\nNATIVEHEAP_SAMPEL=1"), attach_result::bad_settings);
    EXPECT_EQ(results("NATIVEHEAP_SOCKET=/nowhere\nPATH=/bin"), attach_result::bad_settings);
    EXPECT_EQ(results("NATIVEHEAP_SOCKET=/nowhere/" + std::string(5000, 'x')), attach_result::bad_settings);
    EXPECT_EQ(results("NATIVEHEAP_SOCKET=/nowhere/at/all"), attach_result::no_collector);
}

TEST(Attach, tells_what_the_collector_answers) {
    auto result = [](wire::welcome_status status, uint32_t version) {
        Collector collector;
        collector.answer = status;
        collector.answered_version = version;
        collector.start();
        Target target = Target::unprofiled({target_path("late"), "call", shim_path(), settings_of(collector.path())});
        target.wait();
        return static_cast<attach_result>(target.number("attached"));
    };
    EXPECT_EQ(result(wire::welcome_status::refused, wire::wire_version), attach_result::refused);
    EXPECT_EQ(result(wire::welcome_status::accepted, wire::wire_version + 1), attach_result::wrong_version);
}

TEST(Attach, is_done_once_at_a_time) {
    LateRun run("late", "call");
    EXPECT_EQ(run.target.number("attached"), 0);
    EXPECT_EQ(run.target.number("again"), static_cast<int>(attach_result::already_recording));
    EXPECT_EQ(run.target.number("detached"), 0);
    EXPECT_EQ(run.target.number("gone"), static_cast<int>(attach_result::not_recording));
    EXPECT_EQ(run.collector.images().size(), 1u);
}

TEST(Attach, waits_to_be_asked_for) {
    Collector collector;
    collector.start();
    Target target = Target::unprofiled({"/usr/bin/env", "NATIVEHEAP_SOCKET=" + collector.path(),
                                        "NATIVEHEAP_UNHEARD_OF=1", target_path("late"), "load", shim_path(), ""});
    target.wait();
    collector.stop();
    EXPECT_TRUE(target.succeeded());
    EXPECT_EQ(target.errors, "");
    EXPECT_EQ(collector.images().size(), 0u);
}

}  // namespace
}  // namespace nh::test
