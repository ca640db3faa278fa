using System.Globalization;
using System.Text.RegularExpressions;

namespace NativeHeap.EndToEnd;

/// <summary>Totals equal those of another tool that counts every call: memcheck's "total heap usage".</summary>
public sealed partial class MemcheckTests : IDisposable
{
    // Addresses and hashes would change the order, and so the number, of some allocations. Perl copies every variable of
    // its environment, so both tools' own variables are there in both runs.
    private static readonly Surroundings s_fixed = new()
    {
        Folder = "/",
        Wrapper =
        [
            "setarch", "-R", "env", "-i", "PYTHONHASHSEED=0", "PERL_HASH_SEED=0", "PATH=/usr/bin:/bin", "HOME=/", "PWD=/",
            "LD_LIBRARY_PATH=/usr/lib/debug", "GLIBCPP_FORCE_NEW=1", "GLIBCXX_FORCE_NEW=1",
        ],
    };

    // valgrind passes it on to the program; under NativeHeap the supervisor sets it anew.
    private const string OurVariable = "NATIVEHEAP_SOCKET=/tmp/nativeheap-XXXXXX/socket";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("/usr/bin/sqlite3", ":memory:", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<5000) SELECT sum(i), max(printf('%d',i)) FROM n ORDER BY 1;")]
    [InlineData("/usr/bin/sort", "-R", "--random-source=/bin/true", "/etc/passwd")]
    [InlineData("/usr/bin/python3", "-c", "import json; print(len(json.dumps([{'a': i, 'b': 'x' * i} for i in range(600)])))")]
    public void Totals_equal_memchecks(params string[] command)
    {
        var (allocations, frees, bytes) = Memcheck(command);
        using var trace = Recording.Run(_folder, command, s_fixed);
        trace.Outcome.Expect(0);
        var totals = trace.Report.First.Totals.Sums;
        Assert.Equal((allocations, frees, bytes), (totals.Allocations, totals.Frees, totals.AllocatedBytes));
    }

    // Perl keeps copies of its environment, and the LD_PRELOAD that valgrind sets is longer than ours.
    [Fact]
    public void Perls_calls_equal_memchecks_and_its_bytes_but_for_the_environment()
    {
        string[] command = ["/usr/bin/perl", "-e", "my %h; $h{$_ % 97} .= $_ for 1..5000; print scalar keys %h"];
        var (allocations, frees, bytes) = Memcheck(command);
        using var trace = Recording.Run(_folder, command, s_fixed);
        trace.Outcome.Expect(0);
        var totals = trace.Report.First.Totals.Sums;
        Assert.Equal((allocations, frees), (totals.Allocations, totals.Frees));
        Assert.InRange(bytes - totals.AllocatedBytes, 0, 2 * PreloadUnderMemcheck());
    }

    private (long Allocations, long Frees, long Bytes) Memcheck(string[] command)
    {
        var log = _folder[$"{Guid.NewGuid():N}.log"];
        Program.Run(UnderMemcheck(log, command), s_fixed).Expect(0);
        var match = TotalHeapUsage().Match(File.ReadAllText(log));
        Assert.True(match.Success, File.ReadAllText(log));
        return (Number(match, 1), Number(match, 2), Number(match, 3));
    }

    private static string[] UnderMemcheck(string log, params string[] command) =>
    [
        "env", OurVariable, "valgrind", "--tool=memcheck", "--leak-check=no", "--undef-value-errors=no",
        "--run-libc-freeres=no", "--run-cxx-freeres=no", $"--log-file={log}", .. command,
    ];

    private int PreloadUnderMemcheck() =>
        PreloadLength(Program.Run(UnderMemcheck(_folder["env.log"], "/usr/bin/env"), s_fixed).Expect(0).Output);

    private static int PreloadLength(string environment) =>
        environment.Split('\n').Single(line => line.StartsWith("LD_PRELOAD=", StringComparison.Ordinal)).Length;

    private static long Number(Match match, int group) =>
        long.Parse(match.Groups[group].Value, NumberStyles.AllowThousands, CultureInfo.InvariantCulture);

    [GeneratedRegex("total heap usage: ([0-9,]+) allocs, ([0-9,]+) frees, ([0-9,]+) bytes allocated")]
    private static partial Regex TotalHeapUsage();
}
