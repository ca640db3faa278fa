using System.Diagnostics;
using System.Globalization;

namespace NativeHeap.EndToEnd.Managed;

/// <summary>
/// What the shim captured in a .NET process is what the runtime's own StackTrace said at the same moment, over every
/// context that managed code can stand in (tests/targets/dotnet-truth), tier by tier and under a busy garbage collector.
/// </summary>
public sealed class TruthTests : IDisposable
{
    private const int BlocksPerTime = 100; // 2,000 in a test, 100,000 and more in all of a soak

    private const long DepthLimit = 64; // enum marker in native/wire/records.def

    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(4);

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [Trait("repeated", "yes")]
    [InlineData("idle", "")]
    [InlineData("load", "")]
    [InlineData("idle", "DOTNET_ReadyToRun=0 DOTNET_TC_CallCountingDelayMs=0")]
    [InlineData("load", "DOTNET_ReadyToRun=0")]
    [InlineData("load", "DOTNET_TieredPGO=0 DOTNET_TC_CallCountingDelayMs=0")]
    [InlineData("load", "DOTNET_TieredCompilation=0")]
    public void Every_stack_reaches_its_root_through_the_methods_that_StackTrace_names(string load, string settings)
    {
        var truth = _folder["truth"];
        using var recording = Record(truth, load, settings);
        var blocks = TruthFile.Read(truth);
        var captured = new CapturedStacks(recording);
        var comparison = new StackComparison();
        foreach (var block in blocks)
        {
            comparison.Add(block, captured.Find(block.Address));
        }
        var figures = $"{load} {settings}: {comparison}";
        TestContext.Current.TestOutputHelper?.WriteLine(figures);
        Assert.False(comparison.Failed, figures);
        Assert.True(comparison.Stacks >= Blocks, "the target did not do its work");
        // What the runtime allocates on its own account must have its root, too.
        Assert.All(captured.All, stack => Assert.All(stack.Markers, marker => Assert.Equal(DepthLimit, marker)));
    }

    private static int Blocks => BlocksPerTime * Seed.Times;

    private Recording Record(string truth, string load, string settings)
    {
        string[] command =
        [
            "dotnet", Built.DotNetTarget("dotnet-truth"), Built.Library("truth_probe"), truth,
            Blocks.ToString(CultureInfo.InvariantCulture), load,
        ];
        var environment = settings.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(setting => setting.Split('=')).ToDictionary(parts => parts[0], parts => (string?)parts[1]);
        var recording = Recording.Start(_folder, command, new Surroundings { KeepInput = true, Environment = environment });
        var clock = Stopwatch.StartNew();
        while (!File.Exists(truth + ".ready") && !recording.HasEnded)
        {
            Assert.True(clock.Elapsed < s_patience, "the target does not come to its end");
            Thread.Sleep(10);
        }
        if (!recording.HasEnded)
        {
            Program.Run(["dotnet", Built.Command, "snapshot", "-p", File.ReadAllText(truth + ".ready"), "--name", "truth"]).Expect(0);
            recording.EndInput();
        }
        recording.Outcome.Expect(0);
        return recording;
    }
}
