using NativeHeap.Model;
using NativeHeap.Symbols;

namespace NativeHeap.Analysis.Suppressions;

/// <summary>A frame as suppressions see it.</summary>
internal sealed class NamedFrame(string? function, string? file, int? line, Location? location, LinkageNames? linkage)
{
    private string? _bare;
    private string? _linkageName;
    private bool _wasAsked;

    public string? Function { get; } = function;

    public string? File { get; } = file;

    public int? Line { get; } = line;

    public string? Module => location?.Module?.Path;

    /// <summary>The function without its parameters.</summary>
    public string? BareFunction => _bare ??= Function is null ? null : WithoutParameters(Function);

    /// <summary>The function's name in the symbol table of its module; null for one that was inlined.</summary>
    public string? LinkageName
    {
        get
        {
            if (!_wasAsked)
            {
                _wasAsked = true;
                _linkageName = location is null ? null : linkage?.Find(location);
            }

            return _linkageName;
        }
    }

    // Of what stands in brackets at the end; "operator()" has none that count, "(anonymous namespace)::f" neither.
    private static string WithoutParameters(string function)
    {
        var end = function.LastIndexOf(')');
        var depth = 0;
        for (var i = end; i > 0; i--)
        {
            depth += function[i] switch { ')' => 1, '(' => -1, _ => 0 };
            if (depth == 0)
            {
                return function.AsSpan(end).Contains("::", StringComparison.Ordinal)
                    || function.AsSpan(0, i).EndsWith("operator", StringComparison.Ordinal) ? function : function[..i];
            }
        }

        return function;
    }
}

/// <summary>A stack as suppressions see it: the allocation function, then its callers.</summary>
internal sealed class NamedStack
{
    /// <param name="stack">The stack; remarks in it count for no frames.</param>
    /// <param name="linkage">Linkage names; null: none are looked up.</param>
    public NamedStack(CallStack stack, LinkageNames? linkage)
    {
        Frames =
        [
            new NamedFrame(stack.Entry?.Name(), null, null, null, null),
            .. stack.Frames.Where(frame => frame.Marker is null).Select(frame => new NamedFrame(
                frame.Name?.Function,
                frame.Name?.File,
                frame.Name?.Line,
                frame.Location,
                frame.Name?.Inlined == true ? null : linkage)),
        ];
    }

    public IReadOnlyList<NamedFrame> Frames { get; }
}
