namespace NativeHeap.Model;

/// <summary>One frame of a stack.</summary>
/// <param name="Location">Where; when equal frames of several places were merged, one of them.</param>
/// <param name="Name">What it resolved to; null when it did not.</param>
public sealed record Frame(Location Location, ResolvedFrame? Name)
{
    /// <summary>The remark that stands here in a frame's place; null for code.</summary>
    public StackMarker? Marker =>
        Location.Kind == FrameKind.Marker ? (StackMarker)(int)Location.Offset : null;
}

/// <summary>A stack that allocated.</summary>
/// <param name="Entry">The allocation function; null when the tree had no room to say.</param>
/// <param name="Frames">
/// From the allocation function's caller outwards; inlined frames stand before the one they are inlined in. Remarks
/// (<see cref="Frame.Marker"/>) stand where frames are missing.
/// </param>
public sealed record CallStack(EntryPoint? Entry, IReadOnlyList<Frame> Frames);

/// <summary>A stack and what a question found it to cost.</summary>
/// <param name="Stack">The stack.</param>
/// <param name="Bytes">Requested bytes.</param>
/// <param name="Blocks">Blocks those bytes are in.</param>
public sealed record StackCost(CallStack Stack, long Bytes, long Blocks);
