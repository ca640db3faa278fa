#include <stddef.h>

#include "tests/native/shim/recording.h"

namespace nh::test {
namespace {

// A host of a .NET runtime under a collector that waits for the runtime, or does not.
struct HostRun {
    Collector collector;
    Target target;

    HostRun(bool awaited, const std::vector<std::string>& settings, const std::vector<std::string>& arguments = {})
        : target((prepare(awaited), collector.path()), command(arguments), settings) {
        target.wait();
        collector.stop();
    }

    void prepare(bool awaited) {
        static_assert(offsetof(wire::region, awaits_runtime) == offsetof(wire::region, node_capacity) + 4);
        collector.spoiled_offset = offsetof(wire::region, node_capacity);
        collector.spoiled_value = RegionSize().nodes | static_cast<uint64_t>(awaited) << 32;
        collector.start();
    }

    static std::vector<std::string> command(const std::vector<std::string>& arguments) {
        std::vector<std::string> words = {target_path("runtime_host")};
        words.insert(words.end(), arguments.begin(), arguments.end());
        return words;
    }

    std::string port() const {
        const std::string& socket = collector.path();
        return socket.substr(0, socket.rfind('/')) + "/dotnet,suspend";
    }

    std::string expected(const std::string& ports, const std::string& afterwards,
                         const std::string& rest = "meanwhile: none, same: 1") const {
        return "host domain 1 key value started with: " + ports + "\ngave 42 1 7\nafterwards: " + afterwards + ", " +
               rest + "\n";
    }
};

TEST(RuntimeStart, a_runtime_that_is_awaited_finds_the_port_and_its_children_do_not) {
    HostRun run(true, {});
    EXPECT_EQ(run.target.output, run.expected(run.port(), "none"));
    EXPECT_TRUE(run.target.succeeded());
}

TEST(RuntimeStart, a_runtime_that_is_not_awaited_finds_nothing) {
    HostRun run(false, {});
    EXPECT_EQ(run.target.output, run.expected("none", "none"));
}

TEST(RuntimeStart, ports_of_the_user_are_kept) {
    HostRun run(true, {"DOTNET_DiagnosticPorts=/tmp/mine,nosuspend"});
    EXPECT_EQ(run.target.output, run.expected("/tmp/mine,nosuspend;" + run.port(), "/tmp/mine,nosuspend"));
}

TEST(RuntimeStart, ports_of_the_user_under_the_old_name_are_kept) {
    HostRun run(true, {"COMPlus_DiagnosticPorts=/tmp/mine"});
    EXPECT_EQ(run.target.output, run.expected("/tmp/mine;" + run.port(), "none"));
}

TEST(RuntimeStart, variables_that_are_set_meanwhile_stay) {
    HostRun run(true, {"SET_WHILE_STARTING=1"});
    EXPECT_EQ(run.target.output, run.expected(run.port(), "none", "meanwhile: yes, same: 0"));
}

TEST(RuntimeStart, ports_of_the_user_stay_when_variables_are_set_meanwhile) {
    HostRun run(true, {"SET_WHILE_STARTING=1", "DOTNET_DiagnosticPorts=/tmp/mine"});
    EXPECT_EQ(run.target.output, run.expected("/tmp/mine;" + run.port(), "/tmp/mine", "meanwhile: yes, same: 0"));
}

TEST(RuntimeStart, only_the_process_that_said_hello_is_awaited) {
    HostRun run(true, {}, {"fork"});
    EXPECT_EQ(run.target.output, run.expected("none", "none"));
}

}  // namespace
}  // namespace nh::test
