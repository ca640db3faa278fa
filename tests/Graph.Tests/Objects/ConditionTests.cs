using NativeHeap.Graph.Objects;
using NativeHeap.Managed.Heaps;

namespace NativeHeap.Graph.Tests.Objects;

/// <summary>Objects that are dead to their program, and those it forgot to dispose of.</summary>
public sealed class ConditionTests
{
    private const int Abandoned = 30;

    [Fact]
    public void Disposed_objects_that_are_held_and_open_handles_that_nobody_holds_are_told_apart_from_garbage()
    {
        using var running = new ObjectsProgram(10, abandoned: Abandoned);
        using var picture = HeapPicture.Take(running.Pid, withRoots: true);
        using var types = new TypeStatistics(picture);
        using var held = new ReachCondition(picture, types, FieldCondition.Disposed, isReached: true);
        using var abandoned = new ReachCondition(picture, types, new OpenSafeHandles(), isReached: false);
        using var open = new ReachCondition(picture, types, new OpenSafeHandles(), isReached: true);

        Assert.Equal(5 + Abandoned, Count(FieldCondition.Disposed, "Session"));
        Assert.Equal(5, Count(held, "Session"));
        Assert.Equal(Abandoned, Count(abandoned, "Buffer"));
        Assert.Equal(100, Count(open, "Buffer"));
        Assert.Equal(0, Count(abandoned, "Borrowed") + Count(open, "Borrowed"));
        Assert.Equal(Abandoned, types.Instances("NativeHeap.Targets.Buffer", abandoned).Count());

        long Count(IObjectCondition condition, string type) =>
            types.Count(condition).Where(count => count.Type == "NativeHeap.Targets." + type).Sum(count => count.Count);
    }
}
