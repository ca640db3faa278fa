using Microsoft.Diagnostics.Runtime;

namespace NativeHeap.Managed.Heaps;

/// <summary>What keeps an object alive from outside of the heap.</summary>
public enum HeapRootKind
{
    /// <summary>A static field of a type.</summary>
    StaticField,

    /// <summary>A static field of a type, one for each thread.</summary>
    ThreadStatic,

    /// <summary>A variable of a method that runs.</summary>
    Stack,

    /// <summary>A GCHandle or a handle of the runtime's own.</summary>
    Handle,

    /// <summary>A handle that also keeps the object in its place.</summary>
    PinnedHandle,

    /// <summary>Nothing but its finalizer, which is about to run.</summary>
    FinalizerQueue,

    /// <summary>Nothing: it is dead, but its finalizer must run before its memory is given back.</summary>
    AwaitsFinalizer,
}

/// <summary>A root of a heap.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Location">Where the reference stands; 0 when that is not known.</param>
/// <param name="Target">The object's address.</param>
public sealed record HeapRoot(HeapRootKind Kind, ulong Location, ulong Target)
{
    internal ClrRoot? Source { get; init; }

    /// <summary>For people: the method of a stack root, the kind of a handle. Asks ClrMD.</summary>
    public string Describe() => Source switch
    {
        ClrStackRoot { StackFrame.Method: { } method } => method.Signature ?? method.Name ?? "a method without a name",
        ClrStackRoot => "a frame of the runtime",
        _ => Kind switch
        {
            HeapRootKind.Handle => Source?.RootKind switch
            {
                ClrRootKind.RefCountedHandle => "reference-counted handle",
                ClrRootKind.SizedRefHandle => "sized handle",
                _ => "strong handle",
            },
            HeapRootKind.PinnedHandle =>
                Source?.RootKind == ClrRootKind.AsyncPinnedHandle ? "pinned handle of an I/O" : "pinned handle",
            HeapRootKind.FinalizerQueue => "finalizer queue",
            HeapRootKind.AwaitsFinalizer => "dead, waits for its finalizer",
            HeapRootKind.ThreadStatic => "thread static",
            _ => "static field",
        },
    };

    internal static HeapRoot From(TableHandle handle) => new(
        handle.Kind is TableHandleKind.Pinned or TableHandleKind.AsyncPinned ? HeapRootKind.PinnedHandle : HeapRootKind.Handle,
        handle.Location,
        handle.Target);

    internal static HeapRoot From(ClrRoot root) => new(
        root.RootKind switch
        {
            ClrRootKind.Stack => HeapRootKind.Stack,
            ClrRootKind.PinnedHandle or ClrRootKind.AsyncPinnedHandle => HeapRootKind.PinnedHandle,
            ClrRootKind.FinalizerQueue => HeapRootKind.FinalizerQueue,
            ClrRootKind.ThreadStaticVar => HeapRootKind.ThreadStatic,
            // The shared array that statics stand in; the fields themselves are roots of their own.
            ClrRootKind.StaticVar => HeapRootKind.PinnedHandle,
            _ => HeapRootKind.Handle,
        },
        root.Address,
        root.Object.Address)
    {
        Source = root,
    };
}
