// The supervisor as a program: what a target gets, and how it all ends.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <vector>

namespace {

using Arguments = std::vector<std::string>;

void execute(const Arguments& arguments) {
    std::vector<char*> words;
    for (const std::string& argument : arguments)
        words.push_back(const_cast<char*>(argument.c_str()));
    words.push_back(nullptr);
    execvp(words[0], words.data());
    _exit(126);
}

// A program that runs, its stdout and stderr in pipes.
class Program {
  public:
    explicit Program(
        const Arguments& arguments, const std::function<void()>& prepare = [] {}) {
        int out[2], err[2];
        EXPECT_EQ(0, pipe2(out, O_CLOEXEC));
        EXPECT_EQ(0, pipe2(err, O_CLOEXEC));
        pid = fork();
        if (pid == 0) {
            dup2(out[1], 1);
            dup2(err[1], 2);
            prepare();
            execute(arguments);
        }
        close(out[1]);
        close(err[1]);
        out_ = out[0];
        err_ = err[0];
    }

    // Reads stderr up to a text; false when the program ends without it.
    bool await(const std::string& text) {
        char byte;
        while (error.find(text) == std::string::npos && read(err_, &byte, 1) == 1)
            error += byte;
        return error.find(text) != std::string::npos;
    }

    void finish() {
        pollfd sources[] = {{out_, POLLIN, 0}, {err_, POLLIN, 0}};
        while (sources[0].fd >= 0 || sources[1].fd >= 0) {
            poll(sources, 2, -1);
            take(sources[0], output);
            take(sources[1], error);
        }
        waitpid(pid, &status, 0);
    }

    // Reads stdout to its end, which may come before the program's.
    void finish_output() {
        char byte;
        while (read(out_, &byte, 1) == 1)
            output += byte;
    }

    int code() const { return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status); }

    pid_t pid;
    int status = 0;
    std::string output;
    std::string error;

  private:
    static void take(pollfd& source, std::string& text) {
        char bytes[4096];
        if (source.fd < 0 || source.revents == 0)
            return;
        ssize_t got = read(source.fd, bytes, sizeof bytes);
        if (got > 0) {
            text.append(bytes, static_cast<size_t>(got));
        } else {
            close(source.fd);
            source.fd = -1;
        }
    }

    int out_;
    int err_;
};

Arguments supervised(const std::string& behaviour, const Arguments& command, const Arguments& settings = {}) {
    Arguments all = {LAUNCHER, COLLECTOR, behaviour};
    all.insert(all.end(), settings.begin(), settings.end());
    all.push_back("--");
    all.insert(all.end(), command.begin(), command.end());
    return all;
}

Arguments shell(const std::string& script) {
    return {"sh", "-c", script};
}

std::string output_of(
    const Arguments& arguments, const std::function<void()>& prepare = [] {}) {
    Program run(arguments, prepare);
    run.finish();
    return run.output;
}

int code_of(const std::string& behaviour, const std::string& script) {
    Program run(supervised(behaviour, shell(script)));
    run.finish();
    return run.code();
}

void limit(__rlimit_resource_t resource, rlim_t soft, rlim_t hard) {
    rlimit value = {soft, hard};
    setrlimit(resource, &value);
}

void expect_same_surroundings(const std::function<void()>& prepare) {
    Arguments plain = {SURROUNDINGS, "a b", "", "\xff\xfe"};
    std::string expected = output_of(plain, prepare);
    EXPECT_NE("", expected);
    EXPECT_EQ(expected, output_of(supervised("pass", plain), prepare));
}

TEST(Launch, a_target_gets_what_the_shell_gave) {
    expect_same_surroundings([] {});
}

TEST(Launch, a_target_gets_low_limits_unchanged) {
    expect_same_surroundings([] {
        limit(RLIMIT_NOFILE, 64, 128);
        limit(RLIMIT_AS, 1 << 30, RLIM_INFINITY);
        limit(RLIMIT_DATA, 1 << 30, RLIM_INFINITY);
        limit(RLIMIT_CPU, 1000, 2000);
        limit(RLIMIT_STACK, 1 << 20, RLIM_INFINITY);
        limit(RLIMIT_NPROC, 1000, 2000);
        limit(RLIMIT_CORE, 0, 0);
    });
}

TEST(Launch, six_descriptors_are_enough) {
    expect_same_surroundings([] { limit(RLIMIT_NOFILE, 6, 6); });
}

TEST(Launch, a_target_gets_its_mask_and_ignored_signals_unchanged) {
    expect_same_surroundings([] {
        sigset_t mask;
        sigemptyset(&mask);
        for (int blocked : {SIGUSR1, SIGCHLD, SIGTERM, SIGRTMIN + 3})
            sigaddset(&mask, blocked);
        sigprocmask(SIG_SETMASK, &mask, nullptr);
        for (int ignored : {SIGINT, SIGCHLD, SIGPIPE, SIGHUP, SIGTSTP, SIGRTMIN + 5})
            signal(ignored, SIG_IGN);
    });
}

TEST(Launch, a_target_gets_every_descriptor_and_no_other) {
    expect_same_surroundings([] {
        close(0);
        dup2(1, 7);
        fcntl(7, F_SETFL, O_APPEND);
        dup2(2, 200);
    });
}

TEST(Launch, a_target_works_with_all_descriptors_closed) {
    Program run(supervised("pass", shell("exit 5")), [] {
        for (int i = 0; i < 3; i++)
            close(i);
    });
    run.finish();
    EXPECT_EQ(5, run.code());
}

TEST(Launch, settings_are_added_to_the_environment) {
    std::string output = output_of(supervised("pass", {"env"}, {"NATIVEHEAP_SOCKET=/x/y", "FIRST=new"}),
                                   [] { setenv("FIRST", "old", 1); });
    EXPECT_NE(std::string::npos, output.find("NATIVEHEAP_SOCKET=/x/y\n"));
    EXPECT_NE(std::string::npos, output.find("FIRST=new\n"));
    EXPECT_EQ(std::string::npos, output.find("FIRST=old"));
    EXPECT_EQ(std::string::npos, output.find("NATIVEHEAP_SUPERVISOR"));
}

TEST(Launch, a_preload_of_the_users_stays_behind_ours) {
    auto theirs = [] { setenv("LD_PRELOAD", "libm.so.6", 1); };
    EXPECT_NE(std::string::npos, output_of(supervised("pass", {"env"}, {"LD_PRELOAD=libdl.so.2"}), theirs)
                                     .find("LD_PRELOAD=libdl.so.2:libm.so.6\n"));
    EXPECT_NE(std::string::npos,
              output_of(supervised("pass", {"env"}, {"LD_PRELOAD=libdl.so.2"})).find("LD_PRELOAD=libdl.so.2\n"));
}

TEST(Launch, the_exit_code_is_the_targets) {
    EXPECT_EQ(0, code_of("pass", "exit 0"));
    EXPECT_EQ(42, code_of("pass", "exit 42"));
    EXPECT_EQ(128 + SIGKILL, code_of("pass", "kill -KILL $$"));
    EXPECT_EQ(128 + SIGSEGV, code_of("pass", "kill -SEGV $$"));
}

TEST(Launch, a_refusal_is_the_collectors_code) {
    EXPECT_EQ(3, code_of("refuse", "echo never"));
    EXPECT_EQ("", output_of(supervised("refuse", shell("echo never"))));
}

TEST(Launch, a_collector_that_dies_leaves_the_target_alone) {
    Program run(supervised(
        "die",
        shell("while [ $(wc -w < /proc/$PPID/task/$PPID/children) -gt 1 ]; do sleep 0.01; done; echo whole; exit 6")));
    run.finish();
    EXPECT_EQ(6, run.code());
    EXPECT_EQ("whole\n", run.output);
    EXPECT_NE(std::string::npos, run.error.find("nativeheap: error: the collector was ended by signal 9"));
}

TEST(Launch, a_collector_that_dies_first_is_a_fault_of_ours) {
    Program run(supervised("die-early", shell("echo never")));
    run.finish();
    EXPECT_EQ(1, run.code());
    EXPECT_EQ("", run.output);
}

TEST(Launch, a_collector_whose_runtime_does_not_come_up_is_a_fault_of_ours) {
    Program run(supervised("no-runtime", shell("echo never")));
    run.finish();
    EXPECT_EQ(1, run.code());
    EXPECT_EQ("", run.output);
    EXPECT_NE(std::string::npos, run.error.find("nativeheap: error: the collector cannot start here (exit code 137"));
}

TEST(Launch, a_collector_that_is_not_there_is_a_fault_of_ours) {
    Program run({LAUNCHER, "/nonexistent/collector", "run"});
    run.finish();
    EXPECT_EQ(1, run.code());
    EXPECT_NE(std::string::npos,
              run.error.find("nativeheap: error: cannot start the collector /nonexistent/collector"));
}

TEST(Launch, a_command_that_cannot_be_executed_is_reported_with_its_error) {
    Program missing(supervised("pass", {"/nonexistent/command"}));
    missing.finish();
    EXPECT_EQ(3, missing.code());
    EXPECT_NE(std::string::npos, missing.error.find("report 3 status 0 error 2"));
    Program directory(supervised("pass", {"/"}));
    directory.finish();
    EXPECT_NE(std::string::npos, directory.error.find("error 13"));
    Program unknown(supervised("pass", {"no-such-command-anywhere"}));
    unknown.finish();
    EXPECT_NE(std::string::npos, unknown.error.find("error 2"));
}

TEST(Launch, an_order_that_makes_no_sense_starts_nothing) {
    for (const char* behaviour : {"garbage", "long"}) {
        Program run(supervised(behaviour, shell("echo never")));
        run.finish();
        EXPECT_EQ(3, run.code());
        EXPECT_EQ("", run.output);
    }
}

TEST(Launch, a_signal_sent_to_the_supervisor_reaches_the_target) {
    for (int sent : {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGRTMIN + 2}) {
        Program run(supervised("pass", shell("trap 'exit 44' " + std::to_string(sent) +
                                             "; echo ready >&2; while :; do sleep 0.01; done")));
        ASSERT_TRUE(run.await("ready"));
        kill(run.pid, sent);
        run.finish();
        EXPECT_EQ(44, run.code()) << sent;
    }
}

TEST(Launch, a_signal_the_target_dies_of_is_its_end_and_not_ours) {
    Program run(supervised("pass", shell("echo ready >&2; while :; do sleep 0.01; done")));
    ASSERT_TRUE(run.await("ready"));
    kill(run.pid, SIGTERM);
    run.finish();
    EXPECT_EQ(128 + SIGTERM, run.code());
    EXPECT_NE(std::string::npos, run.error.find("report 4 status f"));
}

TEST(Launch, a_signal_before_the_target_starts_ends_it_all) {
    Program run(supervised("wait", shell("echo never")));
    ASSERT_TRUE(run.await("waiting"));
    kill(run.pid, SIGTERM);
    run.finish();
    EXPECT_EQ(128 + SIGTERM, run.code());
    EXPECT_EQ("", run.output);
}

TEST(Launch, a_signal_after_the_targets_end_hurries_the_collector) {
    Program run(supervised("linger", shell("exit 7")));
    ASSERT_TRUE(run.await("lingering"));
    kill(run.pid, SIGINT);
    run.finish();
    EXPECT_EQ(7, run.code());
    EXPECT_NE(std::string::npos, run.error.find("report 5"));
}

TEST(Launch, a_second_signal_ends_a_collector_that_does_not_listen) {
    Program run(supervised("stuck", shell("exit 7")));
    ASSERT_TRUE(run.await("stuck"));
    kill(run.pid, SIGINT);
    kill(run.pid, SIGTERM);
    run.finish();
    EXPECT_EQ(7, run.code());
}

TEST(Launch, signals_of_the_group_are_outlived_by_supervisor_and_collector) {
    Program run(supervised("pass", shell("trap 'exit 8' USR1; echo ready >&2; while :; do sleep 0.01; done")),
                [] { setpgid(0, 0); });
    ASSERT_TRUE(run.await("ready"));
    kill(-run.pid, SIGUSR1);
    run.finish();
    EXPECT_EQ(8, run.code());
    EXPECT_NE(std::string::npos, run.error.find("report 4 status 800"));
}

TEST(Launch, a_key_of_the_terminal_reaches_the_target_once) {
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ASSERT_EQ(0, grantpt(terminal));
    ASSERT_EQ(0, unlockpt(terminal));
    std::string name = ptsname(terminal);
    const char* script =
        "trap 'n=$((n+1)); echo int >&2' INT; echo ready >&2; until read -r line; do :; done; echo $n; exit 9";
    Program run(supervised("pass", shell(script)), [&name] {
        setsid();
        dup2(open(name.c_str(), O_RDWR), 0);  // becomes the terminal of the session
    });
    ASSERT_TRUE(run.await("ready"));
    ASSERT_EQ(1, write(terminal, "\x03", 1));
    ASSERT_TRUE(run.await("int\n"));
    ASSERT_EQ(2, write(terminal, "x\n", 2));
    run.finish();
    EXPECT_EQ("1\n", run.output);
    EXPECT_EQ(9, run.code());
    close(terminal);
}

TEST(Launch, nobody_but_the_target_keeps_its_pipe_open) {
    // The target closes its output and lives on: the reader must see the end at once, while it still runs.
    Program run(
        supervised("pass", shell("exec >&-; echo closed >&2; read -r line < " + std::string("/proc/self/fd/60"))), [] {
            int ends[2];
            ASSERT_EQ(0, pipe(ends));
            dup2(ends[0], 60);
            dup2(ends[1], 61);
        });
    ASSERT_TRUE(run.await("closed"));
    run.finish_output();
    kill(run.pid, SIGTERM);
    run.finish();
    EXPECT_EQ(128 + SIGTERM, run.code());
}

TEST(Launch, the_collector_gets_room_and_no_signals_of_the_terminal) {
    std::string output = output_of(supervised("state", {SURROUNDINGS}), [] {
        limit(RLIMIT_AS, 1 << 30, 1L << 40);
        limit(RLIMIT_NOFILE, 64, 512);
        dup2(1, 50);
        setenv("DOTNET_DiagnosticPorts", "/x,suspend", 1);
        setenv("CORECLR_ENABLE_PROFILING", "1", 1);
        setenv("DOTNET_ROOT", "/there", 1);
    });
    for (const char* line : {"signal 2 ignored\n", "signal 3 ignored\n", "signal 15 ignored\n", "signal 1 ignored\n",
                             "signal 25 ignored\n", "environment DOTNET_ROOT=/there\n"})
        EXPECT_NE(std::string::npos, output.find(line)) << line;
    for (const char* line : {"descriptor 50", "DOTNET_DiagnosticPorts", "CORECLR", "limit 9 40000000 ", "limit 7 40 "})
        EXPECT_EQ(std::string::npos, output.find(line)) << line;
}

}  // namespace
