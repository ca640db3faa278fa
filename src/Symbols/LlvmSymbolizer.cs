using System.Globalization;
using System.Text.Json;

namespace NativeHeap.Symbols;

/// <summary>
/// Asks one llvm-symbolizer (14 or newer, JSON output) about any number of binaries, and starts it anew when it breaks
/// down. A binary at which it breaks down twice is left to others; so is everything when it never answers at all.
/// </summary>
internal sealed class LlvmSymbolizer(string path, TimeSpan patience) : ILineTool
{
    private static readonly string[] s_arguments =
        ["--output-style=JSON", "--functions=linkage", "--no-demangle", "--inlines"];

    private readonly Dictionary<string, int> _failures = new(StringComparer.Ordinal);
    private ToolProcess? _process;
    private bool _hasAnswered;
    private int _failuresInVain;

    public string Name => "llvm-symbolizer";

    public bool IsUsable => _hasAnswered || _failuresInVain < 2;

    public void Answer(IReadOnlyList<ModuleQuery> queries, CancellationToken cancellation)
    {
        var at = 0;
        while (IsUsable && at < queries.Count)
        {
            if (HasFailed(queries[at]))
            {
                at++;
                continue;
            }

            var next = at;
            while (next < queries.Count && !HasFailed(queries[next]))
            {
                next++;
            }

            at += AnswerRun(queries.Skip(at).Take(next - at).ToList(), cancellation);
            cancellation.ThrowIfCancellationRequested();
        }
    }

    public void Dispose() => _process?.Dispose();

    private bool HasFailed(ModuleQuery query) => _failures.GetValueOrDefault(query.Symbols.LinesPath!) > 1;

    // Returns how many of the queries were answered in full.
    private int AnswerRun(List<ModuleQuery> queries, CancellationToken cancellation)
    {
        _process ??= ToolProcess.Start(path, s_arguments, patience);
        if (_process is null)
        {
            _failuresInVain++;
            return 0;
        }

        _process.Ask(queries.SelectMany(Requests), last: false, cancellation);
        for (var answered = 0; answered < queries.Count; answered++)
        {
            if (!Read(queries[answered]))
            {
                GiveUp(queries[answered]);
                return answered;
            }
        }

        return queries.Count;
    }

    private static IEnumerable<string> Requests(ModuleQuery query) =>
        query.Addresses.Select(address =>
            string.Create(CultureInfo.InvariantCulture, $"\"{query.Symbols.LinesPath}\" 0x{address:x}"));

    private bool Read(ModuleQuery query)
    {
        for (var i = 0; i < query.Addresses.Length; i++)
        {
            if (!_process!.ReadLine(out var line)
                || !LlvmAnswer.TryParse(line, query.Symbols.LinesPath!, query.Addresses[i], out var frames))
            {
                return false;
            }

            _hasAnswered = true;
            query.Answers[i] = frames;
        }

        return true;
    }

    private void GiveUp(ModuleQuery query)
    {
        _process!.Dispose();
        _process = null;
        _failuresInVain++;
        var file = query.Symbols.LinesPath!;
        _failures[file] = _failures.GetValueOrDefault(file) + 1;
        if (HasFailed(query))
        {
            query.Symbols.BrokenTools.Add(Name);
        }
    }
}

/// <summary>One line of llvm-symbolizer's JSON.</summary>
internal static class LlvmAnswer
{
    /// <summary>Parses a line; false when it is no answer to the question. An error that the tool reports for the file
    /// gives null frames.</summary>
    internal static bool TryParse(ReadOnlySpan<byte> line, string module, ulong address, out RawFrame[]? frames)
    {
        frames = null;
        try
        {
            var reader = new Utf8JsonReader(line);
            return Parse(ref reader, module, address, ref frames);
        }
        catch (JsonException)
        {
            return false;
        }
        catch (InvalidOperationException)
        {
            return false; // a value of another type, or text that is no UTF-8
        }
    }

    private static bool Parse(ref Utf8JsonReader reader, string module, ulong address, ref RawFrame[]? frames)
    {
        var matches = 0;
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            return false;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("Symbol"))
            {
                if (!ParseFrames(ref reader, out frames))
                {
                    return false;
                }
            }
            else if (reader.ValueTextEquals("Address"))
            {
                reader.Read();
                matches += reader.GetString() == string.Create(CultureInfo.InvariantCulture, $"0x{address:x}") ? 1 : 0;
            }
            else if (reader.ValueTextEquals("ModuleName"))
            {
                reader.Read();
                matches += reader.ValueTextEquals(module) ? 1 : 0;
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        return reader.TokenType == JsonTokenType.EndObject && matches == 2;
    }

    private static bool ParseFrames(ref Utf8JsonReader reader, out RawFrame[]? frames)
    {
        frames = null;
        var list = new List<RawFrame>();
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartArray)
        {
            return false;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
        {
            if (list.Count == ModuleQuery.MostFrames)
            {
                return false;
            }

            list.Add(ParseFrame(ref reader));
        }

        frames = [.. list];
        return reader.TokenType == JsonTokenType.EndArray;
    }

    private static RawFrame ParseFrame(ref Utf8JsonReader reader)
    {
        string? name = null;
        string? file = null;
        var line = 0;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("FunctionName"))
            {
                reader.Read();
                name = reader.GetString();
            }
            else if (reader.ValueTextEquals("FileName"))
            {
                reader.Read();
                file = reader.GetString();
            }
            else if (reader.ValueTextEquals("Line"))
            {
                reader.Read();
                line = reader.TryGetInt32(out var value) && value > 0 ? value : 0;
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        return new RawFrame(
            string.IsNullOrEmpty(name) || name == "??" ? null : name,
            string.IsNullOrEmpty(file) || file == "??" ? null : file,
            line);
    }
}
