using System.Globalization;
using System.Text.RegularExpressions;

namespace NativeHeap.EndToEnd.Programs;

/// <summary>
/// Totals equal those of another tool that counts every call: memcheck's "total heap usage", to the byte. Perl keeps two
/// copies of its environment, so every variable has the same length under both tools.
/// </summary>
public sealed partial class MemcheckTests : IDisposable
{
    private const string Preload = "LD_PRELOAD=";

    // As long as the one that the supervisor sets.
    private const string OurVariable = "NATIVEHEAP_SOCKET=/tmp/nativeheap-XXXXXX/socket";

    // Addresses and hashes would change the order, and so the number, of some allocations.
    private static readonly string[] s_variables =
        ["PYTHONHASHSEED=0", "PERL_HASH_SEED=0", "PATH=/usr/bin:/bin", "HOME=/", "PWD=/"];

    private static readonly string[] s_valgrind =
    [
        "valgrind", "--tool=memcheck", "--leak-check=no", "--undef-value-errors=no", "--run-libc-freeres=no",
        "--run-cxx-freeres=no",
    ];

    private readonly TempFolder _folder = new();
    private readonly Surroundings _aroundMemcheck;
    private readonly Surroundings _aroundUs;

    public MemcheckTests()
    {
        // valgrind, or the distribution's script around it, sets variables of its own: ours are made from what it leaves.
        var theirs = EnvironmentUnderMemcheck(Around(s_variables, OurVariable));
        string[] common = [.. theirs.Where(line => !line.StartsWith(Preload, StringComparison.Ordinal) && line != OurVariable)];
        var longer = PreloadLength(theirs) - PreloadLength(EnvironmentUnderUs(Around(common)));
        _aroundMemcheck = Around(s_variables, OurVariable, Padding(-longer));
        _aroundUs = Around(common, Padding(longer));
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_variable_is_as_long_under_memcheck() =>
        Assert.Equal(Lengths(EnvironmentUnderMemcheck(_aroundMemcheck)), Lengths(EnvironmentUnderUs(_aroundUs)));

    [Theory]
    [InlineData("/usr/bin/sqlite3", ":memory:", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<5000) SELECT sum(i), max(printf('%d',i)) FROM n ORDER BY 1;")]
    [InlineData("/usr/bin/sort", "-R", "--random-source=/bin/true", "/etc/passwd")]
    [InlineData("/usr/bin/python3", "-c", "import json; print(len(json.dumps([{'a': i, 'b': 'x' * i} for i in range(600)])))")]
    [InlineData("/usr/bin/perl", "-e", "my %h; $h{$_ % 97} .= $_ for 1..5000; print scalar keys %h")]
    public void Totals_equal_memchecks(params string[] command)
    {
        var log = _folder["memcheck.log"];
        Program.Run([.. s_valgrind, $"--log-file={log}", .. command], _aroundMemcheck).Expect(0);
        var usage = TotalHeapUsage().Match(File.ReadAllText(log));
        Assert.True(usage.Success, File.ReadAllText(log));
        using var trace = Recording.Run(_folder, command, _aroundUs);
        trace.Outcome.Expect(0);
        var totals = trace.Report.First.Totals.Sums;
        Assert.Equal(
            (Number(usage, 1), Number(usage, 2), Number(usage, 3)), (totals.Allocations, totals.Frees, totals.AllocatedBytes));
    }

    private static Surroundings Around(string[] variables, params string[] more) =>
        new() { Folder = "/", Wrapper = ["setarch", "-R", "env", "-i", .. variables, .. more] };

    // The dynamic linker passes over what is empty between colons; both tools put their own libraries and a colon before.
    private static string Padding(int length) => Preload + new string(':', 1 + Math.Max(0, length));

    private string[] EnvironmentUnderMemcheck(Surroundings around) =>
        Lines(Program.Run([.. s_valgrind, $"--log-file={_folder["env.log"]}", "/usr/bin/env"], around));

    private string[] EnvironmentUnderUs(Surroundings around)
    {
        using var trace = Recording.Run(_folder, ["/usr/bin/env"], around);
        return Lines(trace.Outcome);
    }

    private static string[] Lines(Outcome outcome) =>
        outcome.Expect(0).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static int PreloadLength(string[] environment) =>
        environment.Single(line => line.StartsWith(Preload, StringComparison.Ordinal)).Length;

    private static IEnumerable<(string Name, int Length)> Lengths(string[] environment) =>
        environment.Select(line => (line.Split('=')[0], line.Length)).Order();

    private static long Number(Match match, int group) =>
        long.Parse(match.Groups[group].Value, NumberStyles.AllowThousands, CultureInfo.InvariantCulture);

    [GeneratedRegex("total heap usage: ([0-9,]+) allocs, ([0-9,]+) frees, ([0-9,]+) bytes allocated")]
    private static partial Regex TotalHeapUsage();
}
