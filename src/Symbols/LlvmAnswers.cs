using System.Buffers.Text;
using System.IO.Hashing;
using System.Text;

namespace NativeHeap.Symbols;

/// <summary>
/// Reads llvm-symbolizer's plain answers: a line of the address; for each function one of its name and one of
/// file:line:column; an empty line. Its JSON says the same in twice the text, which takes the tool half as long again.
/// Texts that come again are the same object: a large program has far more frames than functions and files. Not for
/// several threads.
/// </summary>
internal sealed class LlvmAnswers
{
    private const int MostTexts = 1 << 20;

    private readonly Dictionary<ulong, string> _texts = [];
    private readonly List<RawFrame> _frames = [];

    /// <summary>Reads one answer; false when there is none, or it is none to the question.</summary>
    internal bool TryRead(ToolProcess process, ulong address, out RawFrame[]? frames)
    {
        frames = null;
        _frames.Clear();
        if (!process.ReadLine(out var line) || !IsAddress(line, address))
        {
            return false;
        }

        while (process.ReadLine(out line))
        {
            if (line.IsEmpty)
            {
                frames = [.. _frames];
                return true;
            }

            // What is read next takes the place of this line.
            var name = Text(line);
            if (_frames.Count == ModuleQuery.MostFrames || !process.ReadLine(out line) || !TryPlace(line, out var file, out var number))
            {
                return false;
            }

            _frames.Add(new RawFrame(name, file, number));
        }

        return false;
    }

    private static bool IsAddress(ReadOnlySpan<byte> line, ulong address) =>
        line.StartsWith("0x"u8)
        && Utf8Parser.TryParse(line[2..], out ulong value, out var length, 'x')
        && length == line.Length - 2
        && value == address;

    // Newer ones add remarks in parentheses, such as " (approximate)".
    private bool TryPlace(ReadOnlySpan<byte> line, out string? file, out int number)
    {
        file = null;
        number = 0;
        var remark = line.LastIndexOf(" ("u8);
        if (remark >= 0 && line.EndsWith(")"u8))
        {
            line = line[..remark];
        }

        if (!TryCutNumber(ref line, out _) || !TryCutNumber(ref line, out number))
        {
            return false;
        }

        file = Text(line);
        return true;
    }

    // Takes ":NUMBER" off the end; a number beyond an int is as good as none.
    private static bool TryCutNumber(ref ReadOnlySpan<byte> line, out int number)
    {
        number = 0;
        var colon = line.LastIndexOf((byte)':');
        if (colon < 0 || !Utf8Parser.TryParse(line[(colon + 1)..], out ulong value, out var length)
            || length == 0 || length != line.Length - colon - 1)
        {
            return false;
        }

        number = value <= int.MaxValue ? (int)value : 0;
        line = line[..colon];
        return true;
    }

    private string? Text(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty || bytes.SequenceEqual("??"u8))
        {
            return null;
        }

        var key = XxHash3.HashToUInt64(bytes);
        if (_texts.TryGetValue(key, out var known) && Ascii.Equals(bytes, known))
        {
            return known;
        }

        var text = Encoding.UTF8.GetString(bytes);
        if (_texts.Count < MostTexts)
        {
            _texts[key] = text;
        }

        return text;
    }
}
