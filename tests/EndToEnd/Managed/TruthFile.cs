using System.Globalization;

namespace NativeHeap.EndToEnd.Managed;

/// <summary>A method as the runtime's StackTrace names it; token 0: made at run time.</summary>
internal sealed record TrueMethod(string Module, int Token, string Type, string Name, bool IsPInvoke)
{
    public override string ToString() => $"{Type}.{Name}{(IsPInvoke ? " (P/Invoke)" : "")}";
}

/// <summary>A frame of StackTrace: the method and how far the return address lies in its code, in bytes.</summary>
internal readonly record struct TrueFrame(TrueMethod Method, int Offset);

/// <summary>A block that dotnet-truth allocated: in which kind of context, and what StackTrace said at that moment,
/// innermost frame first.</summary>
internal sealed record TrueBlock(ulong Address, string Kind, IReadOnlyList<TrueFrame> Frames);

/// <summary>Reads what dotnet-truth wrote (tests/targets/dotnet-truth/Ledger.cs has the format).</summary>
internal static class TruthFile
{
    public static IReadOnlyList<TrueBlock> Read(string path)
    {
        var methods = new Dictionary<string, TrueMethod>();
        var stacks = new Dictionary<string, IReadOnlyList<TrueFrame>>();
        var blocks = new List<TrueBlock>();
        foreach (var line in File.ReadLines(path))
        {
            var fields = line.Split('\t');
            switch (fields[0])
            {
                case "method":
                    methods.Add(fields[1], new TrueMethod(fields[2], Hex(fields[4]), fields[5], fields[6], fields[7] == "pinvoke"));
                    break;
                case "stack":
                    stacks.Add(fields[1], [.. fields.Skip(2).Select(frame => Frame(frame.Split('+')))]);
                    break;
                default:
                    Assert.Equal("block", fields[0]);
                    blocks.Add(new TrueBlock(
                        ulong.Parse(fields[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture), fields[3], stacks[fields[2]]));
                    break;
            }
        }
        return blocks;

        TrueFrame Frame(string[] parts) => new(methods[parts[0]], Hex(parts[1]));
    }

    private static int Hex(string text) => int.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
