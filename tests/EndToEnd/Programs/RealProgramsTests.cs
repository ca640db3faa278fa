using System.Text.RegularExpressions;

namespace NativeHeap.EndToEnd.Programs;

/// <summary>Programs of every day give the same output and exit code under the profiler as without it.</summary>
public sealed partial class RealProgramsTests : IDisposable
{
    private const string Python = "/usr/bin/python3";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Python_passes_its_own_tests()
    {
        string[] command = [Python, "-m", "test", "test_json", "test_ctypes", "test_threading", "test_subprocess"];
        // Both at once: they sleep most of their time.
        using var unprofiled = Program.Start(command, InFolder("plain"));
        using var trace = Recording.Start(_folder, command, InFolder("profiled"));
        var plain = unprofiled.Wait().Expect(0);
        trace.Outcome.Expect(0);
        Assert.Equal(WithoutTimes(plain.Output), WithoutTimes(trace.Outcome.Output));
        Assert.Equal(plain.OwnErrors, trace.Outcome.OwnErrors);
        // Its tests leave a child that sleeps on; nothing else is incomplete.
        Assert.Equal(
            [],
            trace.Query("SELECT command, note FROM process WHERE complete = 0 AND ending IS NOT NULL").Select(row => row[0]));
        Assert.Equal(0, trace.Report.LostEvents);
        Assert.True(trace.Report.Totals.Sums.Allocations > 0);
    }

    [Fact]
    public void Sqlite_answers_the_same()
    {
        const string Script =
            """
            CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, v REAL);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
              INSERT INTO t SELECT i, printf('name %d', i * 7919 % 1000), i * 0.5 FROM n;
            CREATE INDEX byname ON t(name);
            SELECT name, count(*), round(sum(v), 1) FROM t GROUP BY name ORDER BY 3 DESC LIMIT 20;
            SELECT json_group_array(name) FROM (SELECT DISTINCT name FROM t ORDER BY name LIMIT 50);
            SELECT nosuchcolumn FROM t;
            """;
        AssertSame(["sqlite3", ":memory:", Script]);
    }

    [Fact]
    public void The_compiler_driver_and_all_it_starts_make_the_same_object_file()
    {
        var source = _folder.Write("heavy.cpp", TemplateHeavySource);
        string[] command = ["g++", "-std=c++20", "-O1", "-c", source, "-o", _folder["heavy.o"]];
        Program.Run(command).Expect(0);
        var plain = File.ReadAllBytes(_folder["heavy.o"]);
        File.Delete(_folder["heavy.o"]);
        using var trace = Recording.Run(_folder, command);
        trace.Outcome.Expect(0);
        Assert.Equal(plain, File.ReadAllBytes(_folder["heavy.o"]));
        var commands = trace.Report.Processes.Select(process => Path.GetFileName(process.Command!.Split(' ')[0])).ToList();
        Assert.Contains("cc1plus", commands);
        Assert.Contains("as", commands);
        AssertRecorded(trace);
    }

    [Fact]
    public void A_compiler_error_is_the_same()
    {
        var source = _folder.Write("wrong.cpp", "#include <vector>\nint main() { std::vector<int> v; v.push(1) }\n");
        AssertSame(["g++", "-c", source, "-o", _folder["wrong.o"]]);
    }

    [Fact]
    public void Node_computes_the_same()
    {
        const string Script =
            """
            const a = Array.from({ length: 20000 }, (_, i) => ({ id: i, text: 'x'.repeat(i % 50), even: i % 2 === 0 }));
            const back = JSON.parse(JSON.stringify(a)).filter(o => o.even).map(o => o.text.length);
            console.log(back.reduce((s, n) => s + n, 0), Buffer.alloc(1 << 20, 'ab').toString('base64').length);
            require('zlib').gzip('hello'.repeat(10000), (e, z) => { console.log(z.length); process.exit(3); });
            """;
        AssertSame(["node", "-e", Script]);
    }

    [Fact]
    public void Perl_computes_the_same()
    {
        const string Script =
            """
            my %h; for my $i (1..50000) { push @{$h{$i % 997}}, "value $i"; }
            my $t = join ',', map { scalar @{$h{$_}} } sort { $a <=> $b } keys %h;
            print length $t, " ", unpack('%32C*', $t), "\n"; print STDERR "to stderr\n"; exit 7;
            """;
        AssertSame(["perl", "-e", Script]);
    }

    [Fact]
    public void Git_makes_and_reads_the_same_history()
    {
        // Dates are fixed, so that the hashes are the same in every run.
        const string Script =
            """
            set -e; rm -rf r; git init -q r; cd r
            export GIT_AUTHOR_DATE=2024-01-01T00:00:00Z GIT_COMMITTER_DATE=2024-01-01T00:00:00Z
            export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@b
            for i in 1 2 3 4 5; do seq $((i * 500)) > file$i; git add .; git commit -q -m "commit $i"; done
            git gc -q; git log --stat --format='%H %s'; git grep -c 77; git fsck 2>&1; git diff HEAD~2 --stat
            """;
        AssertSame(["sh", "-c", Script], new Surroundings { Folder = _folder.Path });
    }

    [Fact]
    public void Make_with_two_jobs_builds_the_same_program()
    {
        for (var i = 0; i < 6; i++)
        {
            _folder.Write($"part{i}.c", $"int part{i}(int x) {{ return x * {i} + 1; }}\n");
        }
        _folder.Write("main.c", "#include <stdio.h>\nint part3(int); int main(void) { printf(\"%d\\n\", part3(13)); return 4; }\n");
        _folder.Write(
            "Makefile",
            "parts = main.o $(foreach i,0 1 2 3 4 5,part$(i).o)\nall: program\n\t@./program; test $$? -eq 4\n"
            + "program: $(parts)\n\t@$(CC) -o $@ $(parts)\n%.o: %.c\n\t@$(CC) -c -o $@ $<\nclean:\n\t@rm -f *.o program\n");
        string[] command = ["make", "-j2", "--output-sync", "-C", _folder.Path];
        var plain = Program.Run(command).Expect(0);
        Program.Run(["make", "-C", _folder.Path, "clean"]).Expect(0);
        using var trace = Recording.Run(_folder, command);
        trace.Outcome.Expect(0);
        Assert.Equal(plain.Output, trace.Outcome.Output);
        Assert.Equal(plain.OwnErrors, trace.Outcome.OwnErrors);
        AssertRecorded(trace);
    }

    [Theory]
    [InlineData("exit 0")]
    [InlineData("exit 42")]
    [InlineData("kill -TERM $$")]
    [InlineData("kill -SEGV $$")]
    [InlineData("exec nosuchcommand")]
    [InlineData("echo out; echo err >&2; (sleep 0; exit 3); exit $?")]
    public void A_shell_ends_the_same(string script) => AssertSame(["sh", "-c", script]);

    private Surroundings InFolder(string name) => new() { Folder = Directory.CreateDirectory(_folder[name]).FullName };

    private void AssertSame(string[] command, Surroundings? around = null)
    {
        var plain = Program.Run(command, around);
        using var trace = Recording.Run(_folder, command, around);
        trace.Outcome.Expect(plain.ExitCode);
        Assert.Equal(plain.Output, trace.Outcome.Output);
        Assert.Equal(plain.Errors, trace.Outcome.OwnErrors);
        AssertRecorded(trace);
    }

    private static void AssertRecorded(Recording trace)
    {
        Assert.True(trace.Report.Complete);
        Assert.Equal(0, trace.Report.LostEvents);
        Assert.All(trace.Report.Processes, process => Assert.True(process.Totals.Sums.LiveBlocks >= 0));
        Assert.Equal(
            trace.Report.Totals.Sums.Allocations, trace.Report.Processes.Sum(process => process.Totals.Sums.Allocations));
        Assert.True(trace.Report.Totals.Sums.Allocations > 0);
    }

    // Clock, load and durations differ from run to run; a test that took 30 s and more gets a remark.
    private static string WithoutTimes(string output) =>
        PythonClock().Replace(PythonSlow().Replace(output, ""), "T");

    [GeneratedRegex(@"( -- |\n)\w+ passed in .*")]
    private static partial Regex PythonSlow();

    [GeneratedRegex(@"\d+:\d\d:\d\d|load avg: [\d.]+|Total duration: .*|\d+(\.\d+)? (min|sec|ms)( \d+(\.\d+)? (sec|ms))?|test_python_\w+|Using random seed: \d+")]
    private static partial Regex PythonClock();

    private const string TemplateHeavySource =
        """
        #include <algorithm>
        #include <functional>
        #include <map>
        #include <string>
        #include <tuple>
        #include <variant>
        #include <vector>
        template <int N> struct Fib { static constexpr long value = Fib<N - 1>::value + Fib<N - 2>::value; };
        template <> struct Fib<0> { static constexpr long value = 0; };
        template <> struct Fib<1> { static constexpr long value = 1; };
        template <typename... T> auto all(T... t) { return std::tuple_cat(std::make_tuple(t, std::vector<T>{t, t})...); }
        std::variant<int, std::string, std::map<std::string, std::function<long(long)>>> things[3];
        long use(const std::string& s) {
            auto t = all(1, 2.0, 'c', 4L, std::string("five"), 6u, 7.0f, short(8));
            std::map<std::string, std::vector<std::tuple<int, double, std::string>>> m;
            m[s].emplace_back(std::get<0>(t), 2.5, s);
            std::sort(m[s].begin(), m[s].end());
            return Fib<80>::value + static_cast<long>(m.size());
        }
        """;
}
