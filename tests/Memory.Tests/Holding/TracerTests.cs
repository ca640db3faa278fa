using System.Diagnostics;
using System.Globalization;
using NativeHeap.Memory.Holding;

namespace NativeHeap.Memory.Tests.Holding;

/// <summary>Processes that are held, and let go.</summary>
public sealed class TracerTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    // The tracer must have heard of the death before the parent can: it may come just when the hold ends.
    [Fact]
    public async Task The_parent_of_a_process_that_is_killed_as_it_is_let_go_hears_of_it()
    {
        using var tracer = new Tracer();
        for (var round = 0; round < 30; round++)
        {
            using var parent = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", "exec 2>/dev/null; sleep 1000 & echo $!; wait $!; echo $?"])
            {
                RedirectStandardOutput = true,
            })!;
            var pid = int.Parse(parent.StandardOutput.ReadLine()!, CultureInfo.InvariantCulture);
            using var child = Process.GetProcessById(pid);
            var held = tracer.TryHold(pid, s_patience, out var problem);
            Assert.True(held is not null, problem);

            child.Kill();
            held.Dispose();

            Assert.Equal("137", await parent.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(s_patience, TestContext.Current.CancellationToken));
            await parent.WaitForExitAsync(TestContext.Current.CancellationToken);
        }
    }
}
