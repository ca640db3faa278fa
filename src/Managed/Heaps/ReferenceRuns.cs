namespace NativeHeap.Managed.Heaps;

/// <summary>The runs of references in one object: first word and number of words, all within the object.</summary>
/// <param name="type">The object's type.</param>
/// <param name="words">Words of the object.</param>
public ref struct ReferenceRuns(HeapType type, int words)
{
    private const int WordBytes = 8;

    private readonly ReferenceMap _map = type.References;
    private int _next;
    private int _item;
    private long _at = type.References.ElementsOffset;

    /// <summary>The run that <see cref="MoveNext"/> came to.</summary>
    public (int From, int Count) Current { get; private set; }

    /// <summary>For foreach.</summary>
    public readonly ReferenceRuns GetEnumerator() => this;

    /// <summary>Goes to the next run.</summary>
    public bool MoveNext() => _map.Element.Length > 0 ? NextInArray() : NextSeries();

    private bool NextSeries()
    {
        while (_next < _map.Series.Length)
        {
            var (offset, less) = _map.Series[_next++];
            if (Take(offset, less + ((long)words * WordBytes)))
            {
                return true;
            }
        }
        return false;
    }

    private bool NextInArray()
    {
        // Bounded: each step either ends or goes on by at least a word, as damaged maps may not.
        for (var steps = 0; steps <= words + _map.Element.Length && _at < (long)(words - 1) * WordBytes; steps++)
        {
            var (references, skip) = _map.Element[_item];
            _item = (_item + 1) % _map.Element.Length;
            var from = _at;
            _at += ((long)references * WordBytes) + skip;
            if (Take(from, (long)references * WordBytes))
            {
                return true;
            }
        }
        return false;
    }

    private bool Take(long offset, long bytes)
    {
        var from = offset / WordBytes;
        var count = Math.Min(bytes / WordBytes, words - 1 - from); // the last word is the next object's header
        if (from <= 0 || count <= 0)
        {
            return false;
        }
        Current = ((int)from, (int)count);
        return true;
    }
}
