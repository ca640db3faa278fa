using System.Runtime.InteropServices;
using NativeHeap.Testing;
using NativeHeap.Trace;

namespace NativeHeap.Collect.Tests.Recordings;

public sealed partial class WriteFailureTests
{
    [Fact]
    public void When_the_disk_is_full_the_drain_goes_on_and_the_trace_is_whole_up_to_the_last_commit()
    {
        using var folder = new TempFolder();
        var disk = Directory.CreateDirectory(folder["disk"]).FullName;
        Assert.SkipUnless(Mount("none", disk, "tmpfs", 0, "size=1m") == 0, "mounting takes a privilege that is not there");
        try
        {
            var path = Path.Combine(disk, "t.nheap");
            using (var writer = TraceWriter.Create(path))
            using (var recording = new Recording(writer))
            {
                var target = new Target();
                target.Drain = () => recording.DrainOnce();
                recording.Attach(target.Memory, Target.Introduction());
                recording.Tick(target.ClockNs);
                var thread = target.Thread(0, 100);
                var error = Assert.Throws<TraceWriteException>(() => Fill(target, thread, recording));
                Assert.Equal($"{path}: no room left on the disk", error.Message);
                var before = recording.LiveBlocks;
                thread.Alloc(0x1000, 10, target.AddStack(0x401000));
                Assert.True(recording.DrainOnce());
                Assert.Equal(before + 1, recording.LiveBlocks);
                Assert.Throws<TraceWriteException>(recording.Flush); // and it stays said
            }

            using var trace = TraceReader.Open(path);
            Assert.False(trace.Info.Closed);
            Assert.True(trace.Processes[0].Totals.Allocations > 0);
            Assert.Equal(trace.Processes[0].Totals.Allocations, trace.StackTotals().Sum(row => row.Allocations));
            Assert.Equal(trace.Processes[0].Totals.Allocations, trace.Cohorts().Sum(row => row.Blocks));
        }
        finally
        {
            Assert.Equal(0, Unmount(disk, 0));
        }
    }

    private static void Fill(Target target, TargetThread thread, Recording recording)
    {
        for (ulong i = 0; i < 4000; i++)
        {
            thread.Alloc(0x10000 + (i * 16), 1, target.AddNode(0, 0x401000 + (i * 16)));
            if (i % 100 == 0)
            {
                recording.DrainOnce();
                recording.Flush();
            }
        }

        for (ulong i = 0; ; i++)
        {
            recording.TakeSnapshot(null, "interval");
            recording.Flush();
        }
    }

    [LibraryImport("libc", EntryPoint = "mount", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Mount(string source, string target, string type, nuint flags, string data);

    [LibraryImport("libc", EntryPoint = "umount2", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Unmount(string target, int flags);
}
