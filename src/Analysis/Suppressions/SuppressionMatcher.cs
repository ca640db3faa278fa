using System.Globalization;
using NativeHeap.Graph;
using NativeHeap.Model;
using NativeHeap.Symbols;

namespace NativeHeap.Analysis.Suppressions;

/// <summary>Finds for the stacks of one check which suppression means them.</summary>
internal sealed class SuppressionMatcher
{
    private readonly IReadOnlyList<SuppressionEntry> _entries;
    private readonly Dictionary<(int Node, LeakKind Kind), int> _answers = [];

    /// <param name="suppressions">The suppressions.</param>
    /// <param name="sums">What a check found, by stack and kind.</param>
    /// <param name="stackOf">A stack by its node.</param>
    /// <param name="linkage">Linkage names.</param>
    public SuppressionMatcher(
        LeakSuppressions suppressions,
        IReadOnlyDictionary<(int Node, LeakKind Kind), LeakSum> sums,
        Func<int, CallStack> stackOf,
        LinkageNames linkage)
    {
        _entries = suppressions.Entries;
        if (_entries.Count == 0)
        {
            return;
        }

        var stacks = sums.Keys.Select(key => key.Node).Distinct()
            .ToDictionary(node => node, node => new NamedStack(stackOf(node), linkage));
        var dropped = new HashSet<int>();
        var matched = new Dictionary<int, LeakSum>();
        do
        {
            matched.Clear();
            _answers.Clear();
            foreach (var ((node, kind), sum) in sums)
            {
                if (Find(stacks[node], kind, dropped) is { } answer)
                {
                    _answers[(node, kind)] = answer;
                    matched[answer] = matched.GetValueOrDefault(answer) + sum;
                }
            }
        }
        while (Drop(matched, dropped));
    }

    /// <summary>Remarks on entries that did not count.</summary>
    public List<string> Notes { get; } = [];

    /// <summary>The place of the entry that means blocks of a kind from a stack; null: none.</summary>
    public int? this[int node, LeakKind kind] => _answers.TryGetValue((node, kind), out var answer) ? answer : null;

    private int? Find(NamedStack stack, LeakKind kind, HashSet<int> dropped)
    {
        for (var i = 0; i < _entries.Count; i++)
        {
            if (!dropped.Contains(i) && _entries[i].Matches(stack, kind))
            {
                return i;
            }
        }

        return null;
    }

    // Entries that mean more than they may; then what they meant may be another's.
    private bool Drop(Dictionary<int, LeakSum> matched, HashSet<int> dropped)
    {
        var before = dropped.Count;
        foreach (var (index, sum) in matched)
        {
            var entry = _entries[index];
            if (!entry.Allows(sum) && dropped.Add(index))
            {
                var most = entry.MostBlocks is { } blocks && sum.Blocks > blocks
                    ? string.Create(CultureInfo.InvariantCulture, $"{blocks} blocks")
                    : string.Create(CultureInfo.InvariantCulture, $"{entry.MostBytes} bytes");
                Notes.Add(string.Create(
                    CultureInfo.InvariantCulture,
                    $"suppression '{entry.Pattern}' ({entry.Source}) was not used: {sum.Bytes} bytes in {sum.Blocks} blocks match, more than its maximum of {most}"));
            }
        }

        return dropped.Count > before;
    }
}
