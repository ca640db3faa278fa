namespace NativeHeap.Cli;

/// <summary>How this program was started.</summary>
internal static class Ourselves
{
    /// <summary>The command line that starts it again, without arguments.</summary>
    public static IReadOnlyList<string> Command { get; } = Environment.ProcessPath is { } program && Path.GetFileName(program) == "dotnet"
        ? [program, Path.Combine(AppContext.BaseDirectory, "nativeheap.dll")]
        : [Environment.ProcessPath!];
}
