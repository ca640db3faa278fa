// Every stack that is verified instead of walked, walked, too: the library built so ends a program by abort() at the
// first difference.
#include "tests/native/shim/recording.h"

namespace nh::test {
namespace {

struct Compared {
    const char* name;
    int64_t least;  // stacks
    std::vector<std::string> command;
};

void PrintTo(const Compared& program, std::ostream* out) {
    *out << program.name;
}

// The most that one of its processes says it has compared.
int64_t most_compared(const std::string& errors) {
    int64_t most = 0;
    const std::string key = "compared ";
    for (size_t at = errors.find(key); at != std::string::npos; at = errors.find(key, at + 1)) {
        most = std::max<int64_t>(most, strtoll(errors.c_str() + at + key.size(), nullptr, 10));
    }
    return most;
}

class VerifiedStacks : public testing::TestWithParam<Compared> {};

TEST_P(VerifiedStacks, are_those_of_the_walk) {
    RegionSize size;
    size.slots = 256;
    size.nodes = 1 << 21;
    Recording run(GetParam().command, size, {std::string("LD_PRELOAD=") + NH_COMPARED, "HOME=/tmp"});
    if (WIFEXITED(run.target.status) && WEXITSTATUS(run.target.status) == 127) {
        GTEST_SKIP() << "not installed";
    }
    EXPECT_EQ(run.target.errors.find("stacks differ"), std::string::npos) << run.target.errors;
    EXPECT_TRUE(run.target.succeeded()) << run.target.status << run.target.errors;
    EXPECT_GE(most_compared(run.target.errors), GetParam().least) << run.target.errors;
    EXPECT_EQ(run.totals.broken, "");
}

std::vector<std::string> shell(const std::string& script) {
    return {"/bin/bash", "-c", script};
}

INSTANTIATE_TEST_SUITE_P(
    All, VerifiedStacks,
    testing::Values(
        // Coroutines, longjmp, exceptions, alloca, signals, libraries that come and go.
        Compared{"hazards", 200, {target_path("unwind_hazards")}},
        Compared{"threads_of_python", 20000,
                 shell("export PYTHONMALLOC=malloc; exec python3 -c 'import threading,json\n"
                       "def f(): [json.loads(json.dumps(list(range(2000)))) for i in range(5)]\n"
                       "t=[threading.Thread(target=f) for i in range(4)]\n"
                       "[x.start() for x in t]; [x.join() for x in t]'")},
        Compared{"sqlite", 10000,
                 shell("command -v sqlite3 >/dev/null || exit 127; exec sqlite3 :memory: 'create table t(a); with "
                       "recursive c(x) as (select 1 union all select x+1 from c where x<20000) insert into t select x "
                       "from c; select sum(a) from t'")},
        Compared{"compiler", 20000,
                 shell("command -v g++ >/dev/null || exit 127; echo '#include <map>\nint main(){std::map<int,int> m; "
                       "return m.size();}' | g++ -x c++ -O1 -S -o /dev/null -")},
        // Compiled in tiers while it runs, and stopped for collections, by as many threads as want to.
        Compared{
            "dotnet", 10000,
            shell("command -v dotnet >/dev/null || exit 127; export DOTNET_gcServer=1 DOTNET_GCgen0size=100000 "
                  "DOTNET_TieredPGO=1 DOTNET_TC_CallCountThreshold=2 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1; "
                  "exec dotnet help >/dev/null")}),
    [](const auto& instance) { return std::string(instance.param.name); });

}  // namespace
}  // namespace nh::test
