namespace NativeHeap.EndToEnd.Checks;

/// <summary>Programs with one hazard each (tests/targets/leaks), built with -O0 and with -O2: every block of each of them
/// is in its class.</summary>
public sealed class LeakProgramsTests(LeakProgramsTests.Runs runs) : IClassFixture<LeakProgramsTests.Runs>
{
    public static TheoryData<string, string, string> Programs()
    {
        var all = new TheoryData<string, string, string>();
        foreach (var program in LeakProgram.All)
        {
            all.Add(program.Name, "O0", "normal");
            all.Add(program.Name, "O2", "normal");
            if (program.HasStrict)
            {
                all.Add(program.Name, "O0", "strict");
                all.Add(program.Name, "O2", "strict");
            }
        }

        return all;
    }

    [Theory]
    [MemberData(nameof(Programs))]
    public void Every_block_is_in_its_class(string name, string optimization, string level)
    {
        var program = LeakProgram.All.Single(program => program.Name == name);
        AssertRight(runs.Of(optimization, level), program, optimization, level);
    }

    [Fact]
    public void There_are_at_least_sixty() => Assert.InRange(LeakProgram.All.Count, 60, int.MaxValue);

    private static void AssertRight(LeakProgramsRun run, LeakProgram program, string optimization, string level)
    {
        Assert.Equal(program.ExitCode, run.ExitCodes[program.Executable(optimization)]);
        var checks = run.Check.Children.Where(child => child.Command == program.Executable(optimization)).ToList();
        program.Leaks(level).AssertFound(Assert.Single(checks, check => !check.IsForked));
        if (program.OfChild is { } expected)
        {
            expected.AssertFound(Assert.Single(checks, check => check.IsForked));
        }
    }

    /// <summary>A check of all programs one after another, for it costs a hundredth of a check of each; two checks at a
    /// time.</summary>
    public sealed class Runs : IDisposable
    {
        private static readonly string[] s_optimizations = ["O0", "O2"];

        private readonly TempFolder _folder = new();
        private readonly Dictionary<string, Task<Dictionary<string, LeakProgramsRun>>> _runs;

        public Runs()
        {
            _runs = s_optimizations.ToDictionary(optimization => optimization, optimization => Task.Run(() => Run(optimization)));
        }

        public void Dispose()
        {
            Task.WaitAll(_runs.Values);
            _folder.Dispose();
        }

        internal LeakProgramsRun Of(string optimization, string level) => _runs[optimization].Result[level];

        private Dictionary<string, LeakProgramsRun> Run(string optimization) => new()
        {
            ["normal"] = LeakProgramsRun.Start(_folder, Executables(optimization, _ => true), "normal"),
            ["strict"] = LeakProgramsRun.Start(_folder, Executables(optimization, program => program.HasStrict), "strict"),
        };

        private static IEnumerable<string> Executables(string optimization, Func<LeakProgram, bool> which) =>
            LeakProgram.All.Where(which).Select(program => program.Executable(optimization));
    }
}
