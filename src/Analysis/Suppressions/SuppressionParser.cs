using System.Globalization;
using NativeHeap.Graph;
using NativeHeap.Model;

namespace NativeHeap.Analysis.Suppressions;

/// <summary>
/// Reads suppressions in the forms of LeakSanitizer (<c>leak:PATTERN</c>) and of valgrind (blocks in braces, of which those
/// for <c>Memcheck:Leak</c> count); one file may have both. A comment <c># max-blocks: N</c> or <c># max-bytes: N</c> before
/// an entry, or within a block, gives it a maximum; the others' tools pass over it.
/// </summary>
internal sealed class SuppressionParser
{
    private const int MostLines = 1_000_000;

    private readonly string _source;
    private readonly string[] _lines;
    private readonly List<SuppressionEntry> _entries = [];
    private int _at; // the line to be read next
    private bool _isInBlock;
    private long? _mostBlocks;
    private long? _mostBytes;

    private SuppressionParser(string text, string source)
    {
        _source = source;
        _lines = text.Split('\n', MostLines + 1);
    }

    /// <summary>Reads a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="source">Where it comes from: a file's name.</param>
    /// <param name="complain">Told of each suppression that is none, which is then passed over; null: there may be
    /// none.</param>
    /// <exception cref="ToolException">It is no list of suppressions; the message begins with the source and the line
    /// (exit code 2).</exception>
    public static IReadOnlyList<SuppressionEntry> Parse(string text, string source, Action<string>? complain = null)
    {
        var parser = new SuppressionParser(text, source);
        if (parser._lines.Length > MostLines)
        {
            parser._at = MostLines + 1;
            throw parser.Bad("the file is too long");
        }

        while (parser._at < parser._lines.Length)
        {
            try
            {
                parser.EntryOrEnd();
            }
            catch (ToolException bad) when (complain is not null)
            {
                complain(bad.Message);
                parser.PassOver();
            }
        }

        return parser._entries;
    }

    private void EntryOrEnd()
    {
        if (Next() is { } line)
        {
            Entry(line);
        }
        else if (HasMaximum)
        {
            throw Bad("no suppression follows the maximum");
        }
    }

    // The rest of a block; a bad line outside of blocks is over.
    private void PassOver()
    {
        ForgetMaximum();
        while (_isInBlock && _at < _lines.Length && _lines[_at - 1].Trim() != "}")
        {
            _at++;
        }

        _isInBlock = false;
    }

    private bool HasMaximum => _mostBlocks is not null || _mostBytes is not null;

    private void Entry(string line)
    {
        if (line == "{")
        {
            Block();
        }
        else if (line.StartsWith("leak:", StringComparison.Ordinal))
        {
            var pattern = line["leak:".Length..];
            if (pattern.AsSpan().TrimStart('^').TrimEnd('$').IsEmpty)
            {
                throw Bad("there is no pattern after leak: (leak:* stands for everything)");
            }

            _entries.Add(new LineEntry { Pattern = pattern, Source = Here, MostBlocks = _mostBlocks, MostBytes = _mostBytes });
            ForgetMaximum();
        }
        else
        {
            throw Bad("neither leak:PATTERN nor the { of a valgrind suppression");
        }
    }

    private void Block()
    {
        _isInBlock = true;
        var source = Here;
        var name = NextInBlock();
        var heading = NextInBlock();
        var colon = heading.IndexOf(':', StringComparison.Ordinal);
        if (name == "}" || colon <= 0)
        {
            throw Bad("a suppression has a name, then a line such as Memcheck:Leak");
        }

        var isForLeaks = heading[..colon].Split(',').Contains("Memcheck") && heading[(colon + 1)..] == "Leak";
        var frames = new List<FramePattern>();
        var kinds = new HashSet<LeakKind>(Enum.GetValues<LeakKind>());
        for (var line = NextInBlock(); line != "}"; line = NextInBlock())
        {
            if (!isForLeaks)
            {
                continue; // of another tool or for another kind of error
            }

            if (frames.Count == 0 && line.StartsWith("match-leak-kinds:", StringComparison.Ordinal))
            {
                kinds = Kinds(line["match-leak-kinds:".Length..]);
            }
            else
            {
                frames.Add(Frame(line));
            }
        }

        if (isForLeaks)
        {
            _entries.Add(new BlockEntry
            {
                Pattern = name,
                Source = source,
                Kinds = kinds,
                Frames = frames.Count > 0 ? frames : throw Bad("the suppression has no frames"),
                MostBlocks = _mostBlocks,
                MostBytes = _mostBytes,
            });
        }

        _isInBlock = false;
        ForgetMaximum();
    }

    private FramePattern Frame(string line)
    {
        if (line == "...")
        {
            return new FramePattern(FramePatternKind.Frames, "");
        }

        FramePatternKind? kind = line.Length < 5 ? null : line[..4] switch
        {
            "fun:" => FramePatternKind.Function,
            "obj:" => FramePatternKind.Module,
            "src:" => FramePatternKind.Source,
            _ => null,
        };
        return kind is { } known
            ? new FramePattern(known, line[4..])
            : throw Bad("a frame is fun:NAME, obj:PATH, src:FILE[:LINE] or ...");
    }

    private HashSet<LeakKind> Kinds(string list)
    {
        var kinds = new HashSet<LeakKind>();
        foreach (var word in list.Split(',', StringSplitOptions.TrimEntries))
        {
            kinds.UnionWith(word switch
            {
                "all" => Enum.GetValues<LeakKind>(),
                "none" => [],
                "definite" => [LeakKind.Definite],
                "indirect" => [LeakKind.Indirect],
                "possible" => [LeakKind.Possible],
                "reachable" => [LeakKind.Reachable],
                _ => throw Bad("match-leak-kinds: is a list of definite, indirect, possible, reachable, or all"),
            });
        }

        return kinds;
    }

    // The next line that says something, without blanks around it; null at the end.
    private string? Next()
    {
        while (_at < _lines.Length)
        {
            var line = _lines[_at++].Trim();
            if (line.StartsWith(LineOfReport, StringComparison.Ordinal))
            {
                line = line[LineOfReport.Length..].Trim(); // a report's lines count when they are pasted as they are
            }

            if (line.StartsWith('#'))
            {
                Maximum(line[1..].Trim());
            }
            else if (line.Length > 0)
            {
                return line;
            }
        }

        return null;
    }

    private const string LineOfReport = "nativeheap:";

    private string NextInBlock() => Next() ?? throw Bad("the } of the last suppression is missing");

    private void Maximum(string comment)
    {
        if (comment.StartsWith("max-blocks:", StringComparison.Ordinal))
        {
            _mostBlocks = Number(comment["max-blocks:".Length..]);
        }
        else if (comment.StartsWith("max-bytes:", StringComparison.Ordinal))
        {
            _mostBytes = Number(comment["max-bytes:".Length..]);
        }
    }

    private long Number(string text) =>
        long.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw Bad("a maximum is a whole number");

    private void ForgetMaximum() => (_mostBlocks, _mostBytes) = (null, null);

    private string Here => string.Create(CultureInfo.InvariantCulture, $"{_source}:{Math.Max(_at, 1)}");

    private ToolException Bad(string problem) => new($"{Here}: {problem}", ExitCodes.Usage);
}
