using System.Globalization;
using System.Text;
using NativeHeap.Analysis;
using NativeHeap.Model;

namespace NativeHeap.Present.Exports;

/// <summary>
/// A line a stack: frames from the outermost inwards, joined by semicolons, a space, and a number, as flamegraph.pl and
/// many others read it (github.com/brendangregg/FlameGraph, stackcollapse). Equal lines are added up.
/// </summary>
internal sealed class FoldedExport
{
    private readonly StackTree _tree;
    private readonly List<byte[]> _names = []; // UTF-8: a name occurs on thousands of lines
    private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal);
    private readonly int[] _nameOf; // of a frame, plus 1; 0: not met yet
    private readonly List<int> _line = [];

    private FoldedExport(StackTree tree)
    {
        _tree = tree;
        _nameOf = new int[tree.FrameCount];
    }

    /// <summary>Writes all stacks.</summary>
    /// <param name="output">Where to; stays open.</param>
    /// <param name="tree">The stacks.</param>
    /// <param name="costs">What they cost.</param>
    /// <param name="byBlocks">Whether the number is blocks; else bytes.</param>
    public static void Write(Stream output, StackTree tree, IEnumerable<NodeCost> costs, bool byBlocks)
    {
        var export = new FoldedExport(tree);
        var sums = new Dictionary<int[], long>(new SameNumbers());
        foreach (var cost in costs)
        {
            var line = export.LineOf(cost.Node);
            sums[line] = checked(sums.GetValueOrDefault(line) + (byBlocks ? cost.Blocks : cost.Bytes));
        }

        foreach (var (line, sum) in sums)
        {
            if (sum != 0)
            {
                export.Write(output, line, sum);
            }
        }
    }

    // Names from the innermost outwards.
    private void Write(Stream output, int[] line, long sum)
    {
        for (var i = line.Length - 1; i > 0; i--)
        {
            output.Write(_names[line[i]]);
            output.WriteByte((byte)';');
        }

        output.Write(_names[line[0]]);
        output.Write(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $" {sum}\n")));
    }

    private int[] LineOf(int node)
    {
        _line.Clear();
        _line.Add(-1);
        for (; node != 0; node = _tree.Parent(node))
        {
            var number = _tree.FrameOf(node);
            if (_nameOf[number] == 0)
            {
                _nameOf[number] = NumberOf(NameOf(_tree.Frame(number))) + 1;
            }

            if (_tree.Frame(number).Location.Kind != FrameKind.Entry)
            {
                _line.Add(_nameOf[number] - 1);
            }
            else if (_line[0] < 0)
            {
                _line[0] = _nameOf[number] - 1;
            }
        }

        _line[0] = _line[0] < 0 ? NumberOf("unknown") : _line[0];
        return [.. _line];
    }

    private static string NameOf(Frame frame) => frame.Location.Kind == FrameKind.Entry
        ? ((EntryPoint)(int)frame.Location.Offset).Name()
        : Words.Printable(StackText.PlainName(frame)).Replace(';', ':');

    private int NumberOf(string name)
    {
        if (!_numbers.TryGetValue(name, out var number))
        {
            number = _names.Count;
            _names.Add(Encoding.UTF8.GetBytes(name));
            _numbers.Add(name, number);
        }

        return number;
    }
}
