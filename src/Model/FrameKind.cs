namespace NativeHeap.Model;

/// <summary>What a frame of a stack stands for.</summary>
public enum FrameKind
{
    /// <summary>Machine code of a native module.</summary>
    Native,

    /// <summary>A method of .NET.</summary>
    Managed,

    /// <summary>A function of Python.</summary>
    Python,

    /// <summary>The allocation function that was called: the leaf of every stack that allocates.</summary>
    Entry,

    /// <summary>No code, but a remark on the stack (<see cref="StackMarker"/>).</summary>
    Marker,
}

/// <summary>The words by which a trace names a <see cref="FrameKind"/>.</summary>
public static class FrameKinds
{
    /// <summary>The trace's and the report's word for <paramref name="kind"/>.</summary>
    public static string Name(this FrameKind kind) => kind switch
    {
        FrameKind.Native => "native",
        FrameKind.Managed => "managed",
        FrameKind.Python => "python",
        FrameKind.Entry => "entry",
        FrameKind.Marker => "marker",
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    /// <summary>The kind that <paramref name="name"/> names; false when it names none.</summary>
    public static bool TryParse(string name, out FrameKind kind)
    {
        foreach (var candidate in Enum.GetValues<FrameKind>())
        {
            if (candidate.Name() == name)
            {
                kind = candidate;
                return true;
            }
        }

        kind = default;
        return false;
    }
}
