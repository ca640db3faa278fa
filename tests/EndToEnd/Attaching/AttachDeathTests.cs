using System.Globalization;

namespace NativeHeap.EndToEnd.Attaching;

/// <summary>The target or the one who attaches killed at any moment of the attach.</summary>
[Trait("repeated", "yes")]
public sealed class AttachDeathTests : IDisposable
{
    private const int LatestMs = 60;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static int Times => Seed.Times / 4;

    [Fact]
    public void Who_is_being_attached_to_goes_on_when_the_one_who_attaches_is_killed_at_any_moment()
    {
        var random = Seed.Next();
        var target = new SteadyTarget(_folder);
        using var program = Program.Start(target.Command);
        for (var i = 0; i < Times; i++)
        {
            using var attachment = Attachment.Begin(_folder, program.Pid);
            AwaitTracer(program.Pid, attachment);
            Spend(random.Next(LatestMs));
            attachment.Signal(Signals.Kill);
            attachment.Wait();
            target.WaitForOperations(target.Operations + 10_000, over: () => program.HasEnded);
            Assert.False(program.HasEnded, $"it ended after the {i + 1}. time");
        }
        using (var last = Attachment.Cycle(
            _folder, program.Pid, () => target.WaitForOperations(target.Operations + 10_000, over: () => program.HasEnded)))
        {
            Assert.InRange(last.Report().Totals.Sums.Allocations, 4_000, target.Counted.Allocations);
        }
        Signals.Send(program.Pid, Signals.Kill);
        Assert.Equal("", program.Wait().Expect(128 + Signals.Kill).Errors);
    }

    [Fact]
    public void Who_attaches_ends_in_order_when_the_target_is_killed_at_any_moment()
    {
        var random = Seed.Next();
        for (var i = 0; i < Times; i++)
        {
            var target = new SteadyTarget(_folder);
            using var program = Program.Start(target.Command);
            target.WaitForOperations(1000, over: () => program.HasEnded);
            using var attachment = Attachment.Begin(_folder, program.Pid);
            AwaitTracer(program.Pid, attachment);
            Spend(random.Next(LatestMs));
            Signals.Send(program.Pid, Signals.Kill);
            program.Wait().Expect(128 + Signals.Kill);
            var outcome = attachment.Wait();
            if (outcome.ExitCode == 3)
            {
                Assert.False(File.Exists(attachment.TracePath));
                continue;
            }
            outcome.Expect(0);
            Assert.InRange(attachment.Report().Totals.Sums.Allocations, 0, target.Counted.Allocations);
        }
    }

    // Until somebody traces one of its threads for the first time, or has done so.
    private static void AwaitTracer(int pid, Attachment attachment)
    {
        while (!attachment.HasEnded && !attachment.Said.Contains("attached", StringComparison.Ordinal)
            && File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/status")).Contains("TracerPid:\t0\n", StringComparison.Ordinal))
        {
            // the moments that matter are short
        }
    }

    private static void Spend(int milliseconds)
    {
        for (var clock = System.Diagnostics.Stopwatch.StartNew(); clock.ElapsedMilliseconds < milliseconds;)
        {
            Thread.SpinWait(100);
        }
    }
}
