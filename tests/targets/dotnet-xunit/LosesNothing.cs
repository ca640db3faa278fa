using NativeHeap.Client;

namespace NativeHeap.Targets;

/// <summary>Base class of tests that fail when native memory is lost while they run; without the profiler they pass.
/// docs/heap-check.md shows it.</summary>
public abstract class LosesNothing : IDisposable
{
    protected LosesNothing() => HeapCheck.FindLeaks();

    public void Dispose()
    {
        GC.SuppressFinalize(this);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        if (HeapCheck.FindLeaks(sinceLast: true) is { LostBlocks: > 0 } leaks)
        {
            Assert.Fail($"{leaks.LostBytes} bytes in {leaks.LostBlocks} native blocks were lost");
        }
    }
}
