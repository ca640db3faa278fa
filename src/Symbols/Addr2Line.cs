using System.Globalization;
using System.Text;

namespace NativeHeap.Symbols;

/// <summary>Asks binutils' addr2line, one child for each binary.</summary>
internal sealed class Addr2Line(string path, TimeSpan patience) : ILineTool
{
    private readonly HashSet<string> _failed = new(StringComparer.Ordinal);

    public string Name => "addr2line";

    public bool IsUsable => true;

    public void Answer(IReadOnlyList<ModuleQuery> queries, CancellationToken cancellation)
    {
        foreach (var query in queries.Where(query => !_failed.Contains(query.Symbols.LinesPath!)))
        {
            string[] arguments = ["-a", "-i", "-f", "-e", query.Symbols.LinesPath!];
            using var process = ToolProcess.Start(path, arguments, patience);
            if (process is null)
            {
                return;
            }

            var addresses = query.Addresses.Select(address => address.ToString("x", CultureInfo.InvariantCulture));
            process.Ask(addresses, last: true, cancellation);
            if (!Read(process, query))
            {
                _failed.Add(query.Symbols.LinesPath!);
                query.Symbols.AddBrokenTool(Name);
            }

            cancellation.ThrowIfCancellationRequested();
        }
    }

    public void Dispose()
    {
    }

    // Each answer is the address, then a function and a place for each frame, the innermost first.
    private static bool Read(ToolProcess process, ModuleQuery query)
    {
        var frames = new List<RawFrame>();
        var asked = -1;
        while (process.ReadLine(out var bytes))
        {
            var line = Encoding.UTF8.GetString(bytes);
            if (asked + 1 < query.Addresses.Length && IsAddress(line, query.Addresses[asked + 1]))
            {
                Store(query, asked, frames);
                asked++;
                continue;
            }

            if (asked < 0 || frames.Count == ModuleQuery.MostFrames || !process.ReadLine(out bytes))
            {
                return false;
            }

            frames.Add(Frame(line, Encoding.UTF8.GetString(bytes)));
        }

        // The last answer may have been cut short by the tool's end.
        var whole = asked == query.Addresses.Length - 1 && frames.Count > 0;
        if (whole)
        {
            Store(query, asked, frames);
        }

        return whole;
    }

    private static bool IsAddress(string line, ulong address) =>
        line.StartsWith("0x", StringComparison.Ordinal)
        && ulong.TryParse(line.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var value)
        && value == address;

    private static void Store(ModuleQuery query, int index, List<RawFrame> frames)
    {
        if (index >= 0)
        {
            LeaveOutBorrowedName(query, index, frames);
            var known = frames.Exists(frame => frame.Name is not null || frame.File is not null);
            query.Answers[index] = known ? [.. frames] : [];
            frames.Clear();
        }
    }

    // For the innermost inlined function of C++, binutils falls back on the symbol that covers the place when debug
    // information has no linkage name (functions of one file, lambdas): that is the name of another function.
    private static void LeaveOutBorrowedName(ModuleQuery query, int index, List<RawFrame> frames)
    {
        if (frames.Count > 1
            && frames[0].Name is { } name
            && (name == frames[^1].Name || name == query.Symbols.FindFunction(query.Addresses[index])))
        {
            frames[0] = frames[0] with { Name = null };
        }
    }

    // "file:line", "file:line (discriminator 2)", "file:?", "??:0"
    private static RawFrame Frame(string function, string place)
    {
        var remark = place.LastIndexOf(" (discriminator ", StringComparison.Ordinal);
        place = remark < 0 ? place : place[..remark];
        var colon = place.LastIndexOf(':');
        var file = colon < 0 ? place : place[..colon];
        _ = int.TryParse(place.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var line);
        return new RawFrame(function is "??" or "" ? null : function, file is "??" or "" ? null : file, line);
    }
}
