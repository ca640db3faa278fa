using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace NativeHeap.EndToEnd.Objects;

/// <summary>Objects of a process of whose blocks the recording knows some: the others are not left out.</summary>
public sealed class PartlyRecordedTests : IDisposable
{
    private const int Blocks = 20_000, OfBytes = 1000;

    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void By_samples()
    {
        using var target = Start("", "dotnet", Built.Command, "run", "-o", _folder["trace.nheap"], "--sample", "64KiB", "--");
        AssertCounted();
        target.EndInput();
        target.Wait().Expect(0);
    }

    [Fact]
    public void Since_an_attach()
    {
        using var target = Start("");
        using var attachment = Attachment.Start(_folder, Pid);
        AssertCounted();
        target.EndInput();
        target.Wait().Expect(0);
        attachment.Wait().Expect(0);
    }

    [Fact]
    public void Inherited_by_a_forked_child()
    {
        using var target = Start("if os.fork(): os.wait(); os._exit(0)", "dotnet", Built.Command, "run", "-o", _folder["trace.nheap"], "--");
        AssertCounted();
        target.EndInput();
        target.Wait().Expect(0);
    }

    private int Pid => int.Parse(File.ReadAllText(_folder["pid"]), CultureInfo.InvariantCulture);

    private Program Start(string then, params string[] wrapper)
    {
        var script = $"""
            import os, sys
            kept = [bytearray({OfBytes - 1}) for i in range({Blocks})]
            {then}
            open('{_folder["new"]}', 'w').write(str(os.getpid()))
            os.rename('{_folder["new"]}', '{_folder["pid"]}')
            sys.stdin.read()
            """;
        string[] launcher = wrapper.Length > 0 ? [Built.Supervisor, .. wrapper] : [];
        var target = Program.Start([.. launcher, "/usr/bin/python3", "-c", script], new Surroundings { KeepInput = true });
        for (var clock = Stopwatch.StartNew(); !File.Exists(_folder["pid"]); Thread.Yield())
        {
            Assert.False(target.HasEnded, "it ended");
            Assert.True(clock.Elapsed < s_patience, "it does not say its pid");
        }

        return target;
    }

    // Where its own blocks are known by their requested sizes, and the others by what the allocator made of them.
    private void AssertCounted()
    {
        var pid = Pid.ToString(CultureInfo.InvariantCulture);
        var outcome = Program.Run(["dotnet", Built.Command, "objects", "-p", pid, "--json"]).Expect(0);
        Assert.Matches("of its [0-9]+ native blocks the recording does not know [0-9]+: their sizes are the allocator's", outcome.Errors);
        using var counted = JsonDocument.Parse(outcome.Output);
        var total = counted.RootElement.GetProperty("total");
        Assert.InRange(total.GetProperty("count").GetInt32(), Blocks, 2 * Blocks);
        Assert.InRange(total.GetProperty("bytes").GetInt64(), Blocks * OfBytes, 2 * Blocks * OfBytes);
    }
}
