using System.Globalization;
using System.Text.RegularExpressions;

namespace NativeHeap.EndToEnd.Checks;

/// <summary>A test of xunit that loses native memory fails under the profiler, and only there (tests/targets/dotnet-xunit).</summary>
public sealed class XunitFixtureTests : IDisposable
{
    private static readonly string[] Tests = ["dotnet", Built.DotNetTarget("dotnet-xunit"), "-noLogo", "-noColor"];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_test_that_loses_memory_fails_and_others_pass()
    {
        Harness.Program.Run(Tests).Expect(0);

        var around = new Surroundings { Environment = new Dictionary<string, string?> { ["DOTNET_TieredCompilation"] = "0" } };
        var outcome = Harness.Program.Run(
            [Built.Supervisor, "dotnet", Built.Command, "run", "-o", _folder["a.nheap"], "--", .. Tests], around);

        outcome.Expect(1);
        Assert.Contains("NativeTests.Loses_memory [FAIL]", outcome.Output, StringComparison.Ordinal);
        // Words that calls have left behind may still point to some of the three blocks, never to all.
        var lost = Regex.Match(outcome.Output, "([0-9]+) bytes in ([1-3]) native blocks were lost");
        Assert.True(lost.Success, outcome.Output);
        Assert.Equal(1234 * Number(lost.Groups[2]), Number(lost.Groups[1]));
        Assert.DoesNotContain("Frees_memory [FAIL]", outcome.Output, StringComparison.Ordinal);
    }

    private static int Number(Group group) => int.Parse(group.Value, CultureInfo.InvariantCulture);
}
