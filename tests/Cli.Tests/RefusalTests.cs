using System.Diagnostics;
using NativeHeap.Testing;

namespace NativeHeap.Cli.Tests;

/// <summary>What is refused: a clear line, the right code, and nothing started, overwritten or left behind. Programs that
/// cannot be profiled and files that are no traces are in EndToEnd's BadInputTests.</summary>
public sealed class RefusalTests : IDisposable
{
    private readonly TempFolder _folder = new();

    [Fact]
    public void With_force_an_existing_file_is_replaced()
    {
        var path = _folder.Write("trace.nheap", "old");
        Assert.Equal(0, CommandLine.Run("run", "--force", "-o", path, "--", "sh", "-c", ":").Code);
        using var trace = Trace.TraceReader.Open(path);
        Assert.NotEmpty(trace.Processes);
    }

    [Fact]
    public void An_existing_picture_is_refused() =>
        Refused(
            2, "exists", "run", "-o", _folder["trace.nheap"], "--plot", _folder.Write("heap.png", ""), "--", "touch", _folder["started"]);

    [Fact]
    public void A_device_is_no_command()
    {
        Refused(3, "regular", "run", "-o", _folder["trace.nheap"], "--", "/dev/null");
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Theory]
    [InlineData("put -- before", "run", "true")]
    [InlineData("no option --sample-rate", "run", "--sample-rate", "5", "--", "true")]
    [InlineData("Required argument", "run")]
    [InlineData("more than 0", "run", "--sample", "0", "--", "true")]
    [InlineData("at most", "run", "--sample", "2TiB", "--", "true")]
    [InlineData("a size", "run", "--snapshot-growth", "much", "--", "true")]
    [InlineData("a duration", "run", "--snapshot-interval", "30", "--", "true")]
    [InlineData("more than 0", "run", "--snapshot-interval", "0s", "--", "true")]
    [InlineData("maybe", "run", "--follow-children", "maybe", "--", "true")]
    [InlineData("--nonsense", "run", "--nonsense", "--", "true")]
    public void Bad_usage_is_explained(string why, params string[] arguments) => Refused(2, why, arguments);

    [Theory]
    [InlineData("NATIVEHEAP_SAMPLE", "often")]
    [InlineData("NATIVEHEAP_FOLLOW", "perhaps")]
    public void A_setting_that_cannot_be_followed_is_refused(string name, string value)
    {
        var outcome = CommandLine.RunIn(
            start => start.Environment[name] = value,
            "run", "-o", _folder["trace.nheap"], "--", "touch", _folder["started"]);
        Expect(2, name, outcome);
    }

    [Fact]
    public void Without_the_supervisor_run_says_how_it_is_started() =>
        Expect(2, "supervisor", CommandLine.RunAlone("run", "-o", _folder["trace.nheap"], "--", "touch", _folder["started"]));

    [Theory]
    [InlineData("no-such-command-anywhere")]
    [InlineData("/")]
    [InlineData("linked_statically")]
    public void A_refusal_takes_little_longer_than_our_own_start(string command)
    {
        var target = command.StartsWith("linked", StringComparison.Ordinal) ? CommandLine.Target(command) : command;
        var start = Fastest(() => CommandLine.RunAlone("--version"), 0);
        var refusal = Fastest(() => CommandLine.Run("run", "-o", _folder["trace.nheap"], "--", target), 3);
        Assert.True(refusal < 5 * start, $"{refusal} against {start}");
    }

    public void Dispose() => _folder.Dispose();

    // Of several, so that what else the machine does is left out.
    private static TimeSpan Fastest(Func<Outcome> action, int code)
    {
        var fastest = TimeSpan.MaxValue;
        for (var i = 0; i < 5; i++)
        {
            var clock = Stopwatch.StartNew();
            Assert.Equal(code, action().Code);
            fastest = clock.Elapsed < fastest ? clock.Elapsed : fastest;
        }
        return fastest;
    }

    private void Refused(int code, string why, params string[] arguments) =>
        Expect(code, why, CommandLine.Run(arguments));

    private void Expect(int code, string why, Outcome outcome)
    {
        Assert.Equal((code, ""), (outcome.Code, outcome.Output));
        var first = outcome.Error.Split('\n')[0];
        Assert.StartsWith("nativeheap: error: ", first, StringComparison.Ordinal);
        Assert.Contains(why, first, StringComparison.Ordinal);
        Assert.False(File.Exists(_folder["started"]), "it was started");
    }
}
