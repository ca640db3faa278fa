using NativeHeap.Graph;

namespace NativeHeap.Analysis.Suppressions;

/// <summary>What a frame of a valgrind suppression says.</summary>
internal enum FramePatternKind
{
    /// <summary><c>fun:</c>, the function.</summary>
    Function,

    /// <summary><c>obj:</c>, the path of the module.</summary>
    Module,

    /// <summary><c>src:</c>, the source file, and the line after another colon.</summary>
    Source,

    /// <summary><c>...</c>, any number of frames.</summary>
    Frames,
}

/// <summary>A frame of a valgrind suppression.</summary>
/// <param name="Kind">What it says.</param>
/// <param name="Text">With <c>*</c> and <c>?</c>.</param>
internal sealed record FramePattern(FramePatternKind Kind, string Text)
{
    /// <summary>Whether a frame is as this says. Functions go by their linkage name, as in valgrind, and also by their
    /// name in the source, with parameters or without.</summary>
    public bool Matches(NamedFrame frame) => Kind switch
    {
        FramePatternKind.Function => Covers(frame.Function) || Covers(frame.BareFunction)
            || (Text.StartsWith('_') && Covers(frame.LinkageName)),
        FramePatternKind.Module => Covers(frame.Module),
        FramePatternKind.Source => frame.File is { } file
            && (CoversFile(file) || (frame.Line is { } line && CoversFile($"{file}:{line}"))),
        _ => true,
    };

    private bool CoversFile(string file) => Covers(file) || Covers(Path.GetFileName(file));

    private bool Covers(string? text) => text is not null && Wildcards.Match(Text, text, hasSingle: true);
}

/// <summary>A block of a valgrind suppression file: its frames are the innermost of a stack.</summary>
internal sealed class BlockEntry : SuppressionEntry
{
    public required IReadOnlySet<LeakKind> Kinds { get; init; }

    public required IReadOnlyList<FramePattern> Frames { get; init; }

    internal override bool Matches(NamedStack stack, LeakKind kind)
    {
        if (!Kinds.Contains(kind))
        {
            return false;
        }

        // operator new calls malloc, but in valgrind it is the allocation function.
        var begin = stack.Frames is [_, { Function: { } second }, ..]
            && second.StartsWith("operator new", StringComparison.Ordinal) ? 1 : 0;
        return IsBeginning(stack.Frames, 0) || (begin > 0 && IsBeginning(stack.Frames, begin));
    }

    // As wildcards are matched: the last "..." takes one frame more when nothing else helps.
    private bool IsBeginning(IReadOnlyList<NamedFrame> frames, int place)
    {
        int at = 0, gap = -1, resume = 0;
        while (at < Frames.Count)
        {
            if (Frames[at].Kind == FramePatternKind.Frames)
            {
                gap = at++;
                resume = place;
            }
            else if (place < frames.Count && Frames[at].Matches(frames[place]))
            {
                at++;
                place++;
            }
            else if (gap >= 0 && resume < frames.Count)
            {
                at = gap + 1;
                place = ++resume;
            }
            else
            {
                return false;
            }
        }

        return true;
    }
}
