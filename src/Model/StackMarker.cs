namespace NativeHeap.Model;

/// <summary>
/// Remarks that stand in a stack in a frame's place. The values are the wire's (<c>enum marker</c> in records.def).
/// </summary>
public enum StackMarker
{
    /// <summary>Outer frames beyond the limit of 1,024 were cut.</summary>
    DepthLimit = 64,

    /// <summary>The walk ended before a known root: outer frames are missing.</summary>
    Lost = 65,

    /// <summary>The calling-context tree had no room: frames between the caller's and this one are missing.</summary>
    TreeFull = 66,

    /// <summary>Code without unwind information was left by its frame pointer: callers of such code may be missing.</summary>
    Guessed = 67,

    /// <summary>Nodes started anew because code addresses were reused; tells nothing about the stack.</summary>
    Generation = 128,
}
