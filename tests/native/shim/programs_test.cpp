// Programs of everyday life, which must not notice.
#include <sys/wait.h>

#include "tests/native/shim/recording.h"

namespace nh::test {
namespace {

struct Program {
    const char* name;
    std::vector<std::string> command;
};

void PrintTo(const Program& program, std::ostream* out) {
    *out << program.name;
}

class Programs : public testing::TestWithParam<Program> {};

TEST_P(Programs, keep_their_output_and_exit_code_and_every_order_number) {
    Target alone("", GetParam().command, {"LD_PRELOAD="});
    alone.wait();
    RegionSize size;
    size.slots = 256;
    Recording run(GetParam().command, size);
    if (WIFEXITED(alone.status) && WEXITSTATUS(alone.status) == 127) {
        GTEST_SKIP() << "not installed";
    }
    EXPECT_EQ(run.target.status, alone.status);
    EXPECT_EQ(run.target.output, alone.output);
    EXPECT_EQ(run.target.errors, alone.errors);
    EXPECT_EQ(run.totals.broken, "");
    EXPECT_GT(run.totals.allocations, 100);
    for (const auto& image : run.collector.images()) {
        EXPECT_EQ(settle(*image, 0).foreign_frees, 0);  // forked children free what they inherited
        EXPECT_EQ(image->missed_calls(), 0u);
    }
}

std::vector<std::string> shell(const std::string& script) {
    return {"/bin/bash", "-c", script};
}

INSTANTIATE_TEST_SUITE_P(
    All, Programs,
    testing::Values(
        Program{"python_threads",
                shell("exec python3 -c 'import threading,json\n"
                      "def f(): json.loads(json.dumps(list(range(5000))))\n"
                      "t=[threading.Thread(target=f) for i in range(8)]\n"
                      "[x.start() for x in t]; [x.join() for x in t]; print(len(t))\nraise SystemExit(7)'")},
        Program{"python_subprocesses",
                shell("exec python3 -c 'import subprocess; "
                      "print(subprocess.run([\"/bin/sh\",\"-c\",\"echo inner; exit 3\"],capture_output=True))'")},
        Program{"perl", shell("exec perl -e '%h=map{$_=>\"x\"x$_}1..2000; print scalar(keys %h),\"\\n\"; exit 4'")},
        Program{"sort", shell("seq 100000 | sort -R --random-source=/bin/sh | sort -n | tail -1")},
        Program{"sqlite",
                shell("exec sqlite3 :memory: 'create table t(a); with recursive c(x) as (select 1 union all "
                      "select x+1 from c where x<20000) insert into t select x from c; select sum(a) from t'")},
        Program{"compiler",
                shell("command -v g++ >/dev/null || exit 127; echo '#include <map>\nint main(){std::map<int,int> m; "
                      "return m.size();}' | g++ -x c++ -O1 -S -o - - | wc -l")},
        Program{"dotnet",
                shell("command -v dotnet >/dev/null || exit 127; export DOTNET_CLI_TELEMETRY_OPTOUT=1 "
                      "DOTNET_NOLOGO=1 DOTNET_CLI_HOME=/tmp HOME=/tmp; dotnet --list-sdks; dotnet --version")},
        Program{"node",
                shell("command -v node >/dev/null || exit 127; exec node -e 'console.log([1,2,3].map(x=>x*2))'")},
        Program{
            "git",
            shell("command -v git >/dev/null || exit 127; d=$(mktemp -d) && cd $d && git init -q . && echo a > a && "
                  "git add a && git -c user.name=n -c user.email=e commit -qm m && git log --format=%s; rm -rf $d")},
        Program{"killed", shell("exec 2>/dev/null; python3 -c 'import os; x=[str(i) for i in range(10000)]; "
                                "os.kill(os.getpid(),9)'; echo $?")}),
    [](const auto& instance) { return std::string(instance.param.name); });

}  // namespace
}  // namespace nh::test
