namespace NativeHeap.Graph.Objects;

/// <summary>What a chain begins at; those that a person can name come first.</summary>
public enum GraphRootKind
{
    /// <summary>A static field of .NET.</summary>
    StaticField,

    /// <summary>A variable of a managed method that runs.</summary>
    ManagedFrame,

    /// <summary>A static field that each thread has its own of.</summary>
    ThreadStatic,

    /// <summary>A GC handle.</summary>
    Handle,

    /// <summary>A GC handle that also pins.</summary>
    PinnedHandle,

    /// <summary>Data of a binary: a global or static variable.</summary>
    Global,

    /// <summary>A word on a thread's stack.</summary>
    ThreadStack,

    /// <summary>Thread-local data of native code.</summary>
    ThreadLocal,

    /// <summary>The finalizer is about to run.</summary>
    FinalizerQueue,

    /// <summary>Dead but for its finalizer, which will run after the next collection.</summary>
    AwaitsFinalizer,

    /// <summary>A register of a thread.</summary>
    Register,

    /// <summary>Writable memory that is none of the others.</summary>
    OtherMemory,
}

/// <summary>The words for a <see cref="GraphRootKind"/>.</summary>
public static class GraphRootKinds
{
    /// <summary>What text and JSON say.</summary>
    public static string Name(this GraphRootKind kind) => kind switch
    {
        GraphRootKind.StaticField => "static field",
        GraphRootKind.Global => "global",
        GraphRootKind.ManagedFrame => "stack frame",
        GraphRootKind.ThreadStack => "thread stack",
        GraphRootKind.ThreadStatic => "thread static",
        GraphRootKind.ThreadLocal => "thread local",
        GraphRootKind.Handle => "handle",
        GraphRootKind.PinnedHandle => "pinned handle",
        GraphRootKind.Register => "register",
        GraphRootKind.OtherMemory => "other memory",
        GraphRootKind.FinalizerQueue => "finalizer queue",
        GraphRootKind.AwaitsFinalizer => "finalizer (unreachable)",
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    /// <summary>The round of the search that a kind belongs to: a chain from an earlier round is never replaced by one
    /// from a later. First come the roots that the runtime tells of, then words that have a name, then finalizers, and last
    /// words that nobody can name and that may be left-overs.</summary>
    public static int Round(this GraphRootKind kind) => kind switch
    {
        < GraphRootKind.Global => 0,
        < GraphRootKind.FinalizerQueue => 1,
        GraphRootKind.FinalizerQueue => 2,
        GraphRootKind.AwaitsFinalizer => 3,
        _ => 4,
    };
}

/// <summary>A root that a node hangs from directly.</summary>
/// <param name="Node">The node.</param>
/// <param name="Kind">What the root is.</param>
/// <param name="Location">The address that the reference stands at; 0 when it is not known.</param>
/// <param name="Number">Which of the static fields, or of the picture's managed roots; -1: neither.</param>
public readonly record struct GraphRoot(uint Node, GraphRootKind Kind, ulong Location, int Number);
