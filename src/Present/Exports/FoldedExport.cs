using System.Globalization;
using NativeHeap.Model;

namespace NativeHeap.Present.Exports;

/// <summary>
/// A line a stack: frames from the outermost inwards, joined by semicolons, a space, and a number, as flamegraph.pl and
/// many others read it (github.com/brendangregg/FlameGraph, stackcollapse). Equal lines are added up.
/// </summary>
internal static class FoldedExport
{
    /// <summary>Writes all stacks.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="stacks">The stacks.</param>
    /// <param name="byBlocks">Whether the number is blocks; else bytes.</param>
    public static void Write(TextWriter output, IEnumerable<StackCost> stacks, bool byBlocks)
    {
        var lines = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var cost in stacks)
        {
            var line = string.Join(';', Names(cost.Stack));
            lines[line] = checked(lines.GetValueOrDefault(line) + (byBlocks ? cost.Blocks : cost.Bytes));
        }

        foreach (var (line, sum) in lines.Where(line => line.Value != 0))
        {
            output.Write(string.Create(CultureInfo.InvariantCulture, $"{line} {sum}\n"));
        }
    }

    private static IEnumerable<string> Names(CallStack stack) =>
        stack.Frames.Reverse()
            .Select(StackText.PlainName)
            .Append(stack.Entry?.Name() ?? "unknown")
            .Select(name => Words.Printable(name).Replace(';', ':'));
}
