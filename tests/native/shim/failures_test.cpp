#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <fstream>

#include "tests/native/shim/recording.h"

namespace nh::test {
namespace {

std::string account_file(const Collector& collector) {
    return collector.path() + ".account";
}

// The region that a collector in another process made, to be read after that process is gone.
const wire::region* region_of(pid_t collector) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(collector) + "/fd")) {
        std::error_code gone;
        if (std::filesystem::read_symlink(entry, gone).string().find("memfd:nativeheap-test") == std::string::npos) {
            continue;
        }
        int descriptor = open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
        struct stat status = {};
        fstat(descriptor, &status);
        void* base = mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ, MAP_SHARED, descriptor, 0);
        close(descriptor);
        return base == MAP_FAILED ? nullptr : static_cast<const wire::region*>(base);
    }
    return nullptr;
}

const wire::slot& first_slot(const wire::region* region) {
    return *reinterpret_cast<const wire::slot*>(reinterpret_cast<const char*>(region) + region->slot_offset);
}

std::vector<std::string> steady(const Collector& collector, const char* operations) {
    return {target_path("steady"), account_file(collector), operations};
}

void expect_ended_well(Target& target) {
    target.wait();
    EXPECT_TRUE(WIFEXITED(target.status) && WEXITSTATUS(target.status) == 5) << target.status;
    EXPECT_GT(target.number("allocations"), 0);
    EXPECT_EQ(target.errors, "");
}

TEST(FullRing, loses_nothing_however_slow_the_collector_is) {
    RegionSize small;
    small.ring_bytes = 4096;
    Collector collector(small);
    collector.most_bytes_a_round = 2000;
    collector.start();
    Target target(collector.path(), steady(collector, "20000"));
    expect_ended_well(target);
    collector.stop();
    unlink(account_file(collector).c_str());
    Totals totals = settle_all(collector);
    EXPECT_EQ(totals.broken, "");
    EXPECT_EQ(totals.allocations, target.number("allocations"));
    EXPECT_EQ(totals.live_bytes, target.number("live_bytes"));
}

TEST(FullRing, ends_recording_at_once_when_the_collector_is_killed) {
    Collector collector;
    collector.most_bytes_a_round = 0;
    pid_t serving = collector.start_in_child();
    Target target(collector.path(), steady(collector, "3000000"));
    EXPECT_TRUE(comes_to_wait(target.pid()));
    const wire::region* region = region_of(serving);
    ASSERT_NE(region, nullptr);
    kill(serving, SIGKILL);
    int status;
    waitpid(serving, &status, 0);
    expect_ended_well(target);
    EXPECT_EQ(first_slot(region).off_reason, static_cast<uint32_t>(wire::off_reason::collector_died));
    unlink(account_file(collector).c_str());
}

TEST(FullRing, ends_recording_when_the_collector_stands_still) {
    Collector collector;
    collector.most_bytes_a_round = 0;
    collector.clock_stands = true;
    collector.start();
    Target target(collector.path(), steady(collector, "1000000"));
    expect_ended_well(target);
    collector.stop();
    unlink(account_file(collector).c_str());
    EXPECT_EQ(collector.images()[0]->slot(0).off_reason, static_cast<uint32_t>(wire::off_reason::collector_stuck));
}

TEST(FullRing, ends_recording_when_told_to_stop) {
    Collector collector;
    collector.most_bytes_a_round = 0;
    collector.start();
    Target target(collector.path(), steady(collector, "1000000"));
    EXPECT_TRUE(comes_to_wait(target.pid()));
    collector.control = wire::control::stop;
    expect_ended_well(target);
    collector.stop();
    unlink(account_file(collector).c_str());
    EXPECT_EQ(collector.images()[0]->slot(0).off_reason, static_cast<uint32_t>(wire::off_reason::told_to_stop));
}

TEST(Control, pause_writes_ends_of_blocks_and_no_births) {
    Collector collector;
    collector.control = wire::control::pause;
    collector.start();
    Target target(collector.path(), {target_path("entry_points")});
    target.wait();
    collector.stop();
    EXPECT_TRUE(target.succeeded());
    bool any_release = false;
    for (const Event& event : collector.images()[0]->events) {
        EXPECT_NE(event.kind, wire::event_kind::alloc);
        EXPECT_FALSE(event.kind == wire::event_kind::resize &&
                     event.result == static_cast<uint32_t>(wire::resize_result::moved));
        any_release = any_release || event.kind == wire::event_kind::release;
    }
    EXPECT_TRUE(any_release);
    EXPECT_EQ(collector.images()[0]->missed_calls(), 0u);
}

TEST(Handshake, a_collector_of_another_version_is_named_in_one_line) {
    for (bool by_status : {true, false}) {
        Collector collector;
        collector.answer = by_status ? wire::welcome_status::wrong_version : wire::welcome_status::accepted;
        collector.answered_version = by_status ? wire::wire_version : wire::wire_version + 1;
        collector.start();
        Target target(collector.path(), {target_path("entry_points")});
        target.wait();
        collector.stop();
        EXPECT_TRUE(target.succeeded());
        EXPECT_EQ(target.errors, "nativeheap: the collector is of another version; this program runs unprofiled\n");
    }
}

TEST(Handshake, refusal_and_absence_are_silent) {
    Collector collector;
    collector.answer = wire::welcome_status::refused;
    collector.start();
    for (const std::string& path : {collector.path(), std::string("/nonexistent/socket")}) {
        Target target(path, {target_path("entry_points")});
        target.wait();
        EXPECT_TRUE(target.succeeded());
        EXPECT_EQ(target.errors, "");
    }
    collector.stop();
}

struct Spoiled {
    const char* what;
    uint64_t offset, value;
};

TEST(Handshake, a_region_that_is_not_as_promised_is_not_used) {
    const Spoiled cases[] = {
        {"magic", offsetof(wire::region, magic) + 0, 1},
        {"version", offsetof(wire::region, version), 99},
        {"bytes", offsetof(wire::region, region_bytes), 1ull << 40},
        {"rings outside", offsetof(wire::region, ring_offset), 1ull << 40},
        {"rings at the end", offsetof(wire::region, ring_offset), ~7ull},
        {"slots unaligned", offsetof(wire::region, slot_offset), 4097},
        {"nodes outside", offsetof(wire::region, node_offset), ~0ull},
        {"a copy's window outside", offsetof(wire::region, copy_offset), 1ull << 40},
        {"a copy's window in the header", offsetof(wire::region, copy_offset), 8},
        {"modules in the header", offsetof(wire::region, module_offset), 8},
        {"ring counts", offsetof(wire::region, ring_count), ~0ull},
        {"slot and module counts", offsetof(wire::region, slot_count), ~0ull},
        {"no slots", offsetof(wire::region, slot_count), 1ull << 32},
        {"node count", offsetof(wire::region, node_capacity), 0xFFFFFFFF},
        {"a ring's data", 4096 + offsetof(wire::ring, data_offset), 1ull << 40},
        {"bits of kept blocks outside of it", offsetof(wire::region, kept_offset), 1ull << 40},
        {"a ring's capacity", 4096 + offsetof(wire::ring, capacity), 5000},
        {"a huge ring", 4096 + offsetof(wire::ring, capacity), 1ull << 63},
    };
    for (const Spoiled& spoiled : cases) {
        Collector collector;
        collector.spoiled_offset = spoiled.offset == 0 ? 4 : spoiled.offset;
        collector.spoiled_value = spoiled.value;
        // It never comes to be used, so there is nothing to drain: the spoiled header would lead us astray as well.
        collector.only_handshake = true;
        collector.start();
        Target target(collector.path(), {target_path("entry_points")});
        target.wait();
        collector.stop();
        EXPECT_TRUE(target.succeeded()) << spoiled.what;
        EXPECT_EQ(target.errors, "") << spoiled.what;
        EXPECT_EQ(collector.images().at(0)->first_slot_state(), static_cast<uint32_t>(wire::slot_state::free))
            << spoiled.what;
    }
}

TEST(Settings, that_are_unknown_or_bad_are_said_once_and_leave_the_program_alone) {
    const std::pair<const char*, const char*> cases[] = {
        {"NATIVEHEAP_SOKET=/tmp/x", "is no setting"}, {"NATIVEHEAP_FOLLOW=maybe", "must be yes or no"},
        {"NATIVEHEAP_SAMPLE=many", "must be a size"}, {"NATIVEHEAP_SAMPLE=99999999999999999999", "must be a size"},
        {"NATIVEHEAP_OUT=", "must be a file name"},   {"NATIVEHEAP_OUT_LIMIT=1MB", "must be a size"},
    };
    for (const auto& [setting, complaint] : cases) {
        Recording run({target_path("entry_points")}, {}, {setting});
        EXPECT_TRUE(run.target.succeeded()) << setting;
        EXPECT_TRUE(run.collector.images().empty()) << setting;
        EXPECT_EQ(run.target.errors.rfind(std::string("nativeheap: ") + setting, 0), 0u) << run.target.errors;
        EXPECT_NE(run.target.errors.find(complaint), std::string::npos) << run.target.errors;
        EXPECT_EQ(run.target.errors.find('\n'), run.target.errors.size() - 1);
    }
}

TEST(Settings, sample_is_told_to_the_collector) {
    Recording run({target_path("early")}, {}, {"NATIVEHEAP_SAMPLE=512KiB"});
    EXPECT_EQ(run.image().hello().sample_bytes, 512u << 10);
}

TEST(Surroundings, closing_every_descriptor_loses_nothing_and_writes_into_no_file) {
    Recording run({target_path("close_descriptors")});
    expect_sound(run);
    EXPECT_EQ(run.target.number("wrong"), 0);
    Recording idle({target_path("close_descriptors"), "nothing"});
    expect_equal(run.target, settle(run.image(), 0) - idle.totals);
}

TEST(Surroundings, a_filter_that_kills_on_new_system_calls_kills_nobody) {
    Recording run({target_path("seccomp_kill")});
    expect_sound(run);
    Recording idle({target_path("seccomp_kill"), "nothing"});
    expect_equal(run.target, settle(run.image(), 0) - idle.totals);
}

TEST(Surroundings, a_limit_of_address_space_is_told_and_kept) {
    Recording run({"/bin/sh", "-c", "ulimit -v 800000; exec " + target_path("entry_points")});
    expect_sound(run);
    ASSERT_EQ(run.collector.images().size(), 2u);  // the shell's and the program's own
    EXPECT_EQ(run.collector.images()[1]->hello().region_limit, 800000ull * 1024 / 8);
    EXPECT_FALSE(run.collector.images()[1]->events.empty());
}

TEST(Surroundings, without_room_for_the_region_the_program_runs_unrecorded) {
    RegionSize huge;
    huge.ring_bytes = 1 << 24;  // a gigabyte of rings
    Recording run({"/bin/sh", "-c", "ulimit -v 200000; exec " + target_path("entry_points")}, huge);
    EXPECT_TRUE(run.target.succeeded());
    EXPECT_EQ(run.target.number("wrong"), 0);
    ASSERT_EQ(run.collector.images().size(), 2u);
    EXPECT_TRUE(run.collector.images()[1]->events.empty());
}

TEST(Surroundings, a_limit_of_descriptors_leaves_the_program_alone) {
    Recording run({"/bin/sh", "-c", "exec 3>&-; ulimit -n 4; exec " + target_path("entry_points")});
    EXPECT_TRUE(run.target.succeeded()) << run.target.errors;
    EXPECT_EQ(run.target.number("wrong"), 0);
}

}  // namespace
}  // namespace nh::test
