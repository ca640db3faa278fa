using NativeHeap.Model;
using NativeHeap.Symbols;

namespace NativeHeap.Analysis.Suppressions;

/// <summary>Writes suppressions for leaks, as blocks that valgrind can read, too. For one thread.</summary>
public sealed class SuppressionWriter : IDisposable
{
    private const int MostFrames = 24; // as many as valgrind reads

    private readonly LinkageNames _linkage = new();

    /// <summary>Writes a block for a leak.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="leak">The leak.</param>
    public void Write(TextWriter output, Leak leak)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(leak);
        var frames = FramesOf(leak.Stack);
        output.Write($$"""
            {
               {{NameOf(leak.Stack)}}
               Memcheck:Leak
               match-leak-kinds: {{leak.Kind.ToString().ToLowerInvariant()}}

            """);
        foreach (var frame in frames.Take(MostFrames))
        {
            output.Write($"   {frame}\n");
        }

        output.Write("}\n");
    }

    /// <inheritdoc/>
    public void Dispose() => _linkage.Dispose();

    // Nothing outside of main tells leaks apart.
    private List<string> FramesOf(CallStack stack)
    {
        var lines = new List<string>();
        var frames = new NamedStack(stack, _linkage).Frames;
        var isNew = frames is [_, { Function: { } second }, ..]
            && second.StartsWith("operator new", StringComparison.Ordinal);
        foreach (var frame in frames.Skip(isNew ? 1 : 0))
        {
            lines.Add(frame switch
            {
                { LinkageName: { } name } => "fun:" + name,
                { Function: { } function } => "fun:" + function,
                { Module: { } module } => "obj:" + module,
                _ => "obj:*",
            });
            if (frame.Function == "main")
            {
                break;
            }
        }

        return lines;
    }

    private static string NameOf(CallStack stack)
    {
        var frame = stack.Frames.FirstOrDefault(frame => frame.Name?.Function is { } function
            && !function.StartsWith("operator new", StringComparison.Ordinal));
        return frame is null ? "leak of an unnamed function" : "leak of " + frame.Name!.Function;
    }
}
