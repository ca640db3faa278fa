using System.Globalization;
using System.IO.Hashing;
using System.Text.Json;

namespace NativeHeap.Symbols;

/// <summary>Reads lines of llvm-symbolizer's JSON. Texts that come again are the same object: a large program has far
/// more frames than functions and files. Not for several threads.</summary>
internal sealed class LlvmAnswers
{
    private const int MostTexts = 1 << 20;

    private readonly Dictionary<ulong, string> _texts = [];

    /// <summary>Parses a line; false when it is no answer to the question. An error that the tool reports for the file
    /// gives null frames.</summary>
    internal bool TryParse(ReadOnlySpan<byte> line, string module, ulong address, out RawFrame[]? frames)
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

    private bool Parse(ref Utf8JsonReader reader, string module, ulong address, ref RawFrame[]? frames)
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

    private bool ParseFrames(ref Utf8JsonReader reader, out RawFrame[]? frames)
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

    private RawFrame ParseFrame(ref Utf8JsonReader reader)
    {
        string? name = null;
        string? file = null;
        var line = 0;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("FunctionName"))
            {
                reader.Read();
                name = Text(ref reader);
            }
            else if (reader.ValueTextEquals("FileName"))
            {
                reader.Read();
                file = Text(ref reader);
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

    private string? Text(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.String)
        {
            return null;
        }

        var key = XxHash3.HashToUInt64(reader.ValueSpan);
        if (_texts.TryGetValue(key, out var known) && reader.ValueTextEquals(known))
        {
            return known;
        }

        var text = reader.GetString()!;
        if (_texts.Count < MostTexts)
        {
            _texts[key] = text;
        }

        return text;
    }
}
