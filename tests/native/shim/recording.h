// One run of one program under one collector.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "tests/native/shim/collector.h"
#include "tests/native/shim/ledger.h"
#include "tests/native/shim/target.h"

namespace nh::test {

// Polls until the process stands in a futex wait, as only a full ring makes these single-threaded targets do.
inline bool comes_to_wait(pid_t pid) {
    std::string path = "/proc/" + std::to_string(pid) + "/syscall";
    for (int i = 0; i < 20000; i++) {
        std::ifstream file(path);
        std::string number;
        file >> number;
        if (number == "202") {
            return true;
        }
        usleep(1000);
    }
    return false;
}

struct Recording {
    Collector collector;
    Target target;
    Totals totals;  // over all processes

    explicit Recording(const std::vector<std::string>& command, const RegionSize& size = {},
                       const std::vector<std::string>& settings = {})
        : collector(size), target((collector.start(), collector.path()), command, settings) {
        target.wait();
        collector.stop();
        totals = settle_all(collector);
    }

    const Image& image() const { return *collector.images().at(0); }
};

// What the target says it did, against what was recorded beyond a run of it that does nothing.
inline void expect_equal(const Target& target, const Totals& totals) {
    EXPECT_EQ(totals.allocations, target.number("allocations"));
    EXPECT_EQ(totals.frees, target.number("frees"));
    EXPECT_EQ(totals.allocated_bytes, target.number("allocated_bytes"));
    EXPECT_EQ(totals.live_blocks, target.number("live_blocks"));
    EXPECT_EQ(totals.live_bytes, target.number("live_bytes"));
}

inline void expect_sound(const Recording& run) {
    EXPECT_TRUE(run.target.succeeded()) << run.target.status << run.target.errors;
    EXPECT_EQ(run.target.errors, "");
    EXPECT_EQ(run.totals.broken, "");
}

}  // namespace nh::test
