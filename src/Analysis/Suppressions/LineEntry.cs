using NativeHeap.Graph;

namespace NativeHeap.Analysis.Suppressions;

/// <summary>A line of LeakSanitizer, <c>leak:PATTERN</c>: found in the function, the file or the module of any frame, with
/// <c>*</c> for any text, <c>^</c> at its beginning and <c>$</c> at its end. It means what is lost, surely or possibly.</summary>
internal sealed class LineEntry : SuppressionEntry
{
    private string? _wildcard;

    internal override bool Matches(NamedStack stack, LeakKind kind) =>
        kind != LeakKind.Reachable && stack.Frames.Any(Matches);

    private bool Matches(NamedFrame frame)
    {
        _wildcard ??= Translate(Pattern);
        return Covers(frame.Function) || Covers(frame.File) || Covers(frame.Module);
    }

    private bool Covers(string? text) => text is { Length: > 0 } && Wildcards.Match(_wildcard, text, hasSingle: false);

    private static string Translate(string pattern)
    {
        var begins = pattern.StartsWith('^');
        var ends = pattern.EndsWith('$');
        var inner = pattern[(begins ? 1 : 0)..^(ends ? 1 : 0)];
        return (begins ? "" : "*") + inner + (ends ? "" : "*");
    }
}
