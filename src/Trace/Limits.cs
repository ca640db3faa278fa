namespace NativeHeap.Trace;

/// <summary>Bounds of what is taken from a trace; all are far above what a recording can make.</summary>
internal static class Limits
{
    /// <summary>Longest text: the longest demangled names seen are some 100 KiB.</summary>
    public const int TextBytes = 1 << 20;

    /// <summary>Longest row, for SQLite itself.</summary>
    public const int RowBytes = 8 << 20;

    /// <summary>What a heap-check found, in all its pieces.</summary>
    public const int LeakGraphBytes = 1 << 30;

    /// <summary>Deepest stack: the native limit of 1,024 frames and room for interpreter frames among them.</summary>
    public const int StackDepth = 4096;

    /// <summary>Nodes of the tree: a region has room for 4 million.</summary>
    public const int StackNodes = 1 << 26;

    /// <summary>Functions inlined into each other at one place.</summary>
    public const int InlineDepth = 1024;

    /// <summary>Rows with an id of 32 bits.</summary>
    public const int Rows = int.MaxValue - 1;

    /// <summary>Latest time: 146 years.</summary>
    public const long TimeNs = long.MaxValue / 2;
}
