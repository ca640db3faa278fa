namespace NativeHeap.Present.Exports;

/// <summary>Strings by number, as pprof and OTLP keep them: the first is empty. Not for several threads.</summary>
/// <param name="strings">Where they go, in the order of their numbers.</param>
internal sealed class StringTable(IList<string> strings)
{
    private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal);

    /// <summary>The number of a string, the same for equal ones.</summary>
    public int this[string text]
    {
        get
        {
            if (strings.Count == 0)
            {
                Add("");
            }

            return _numbers.TryGetValue(text, out var number) ? number : Add(text);
        }
    }

    private int Add(string text)
    {
        var number = strings.Count;
        _numbers.Add(text, number);
        strings.Add(text);
        return number;
    }
}
