namespace NativeHeap.Collect.Mappings;

/// <summary>Which mapping each address of a process is of, as far as is known: ranges that do not overlap, by rising
/// address. Bounded. For one thread.</summary>
internal sealed class MappedRanges
{
    /// <summary>Most ranges: four times as many as a process of a usual kernel may have areas (vm.max_map_count); areas
    /// that the kernel joins are several here.</summary>
    public const int Most = 1 << 18;

    private readonly SortedSet<ulong> _starts = [];
    private readonly Dictionary<ulong, Piece> _pieces = [];

    /// <summary>Bytes of a mapping are over.</summary>
    /// <param name="mapping">The mapping.</param>
    /// <param name="bytes">How many.</param>
    public delegate void Ended(Mapping mapping, ulong bytes);

    /// <summary>How many there are.</summary>
    public int Count => _pieces.Count;

    /// <summary>Whether anything is known of a range.</summary>
    public bool Knows(ulong start, ulong end) =>
        (TryFindBefore(start, out var piece) && piece.End > start) || TryFindFrom(start, end, out _);

    /// <summary>Adds a range of which nothing is known; false, and nothing happens: there are too many.</summary>
    public bool TryAdd(ulong start, ulong end, Mapping mapping)
    {
        if (_pieces.Count >= Most)
        {
            return false;
        }

        _starts.Add(start);
        _pieces.Add(start, new Piece(end, mapping));
        return true;
    }

    /// <summary>Forgets what is known of a range.</summary>
    /// <param name="start">Its first address, not 0.</param>
    /// <param name="end">One past the last.</param>
    /// <param name="ended">Told of each part, and of what is left where there is no room to keep it.</param>
    /// <returns>False: there was no room to keep what is left of one.</returns>
    public bool Cut(ulong start, ulong end, Ended ended)
    {
        var all = true;
        if (TryFindBefore(start, out var piece) && piece.End > start)
        {
            _pieces[_starts.GetViewBetween(1, start - 1).Max] = piece with { End = start };
            all = End(piece, start, end, ended);
        }

        while (TryFindFrom(start, end, out var from))
        {
            piece = _pieces[from];
            _pieces.Remove(from);
            _starts.Remove(from);
            all &= End(piece, from, end, ended);
        }

        return all;
    }

    // The part of a piece from an address on; what lies behind the end stays.
    private bool End(Piece piece, ulong from, ulong end, Ended ended)
    {
        var isLonger = piece.End > end;
        var isKept = isLonger && TryAdd(end, piece.End, piece.Mapping);
        ended(piece.Mapping, (isKept ? end : piece.End) - from);
        return isKept == isLonger;
    }

    // 0 is no piece's start.
    private bool TryFindBefore(ulong address, out Piece piece)
    {
        var start = address > 1 ? _starts.GetViewBetween(1, address - 1).Max : 0;
        return _pieces.TryGetValue(start, out piece);
    }

    private bool TryFindFrom(ulong start, ulong end, out ulong found)
    {
        found = _starts.GetViewBetween(start, end - 1).Min;
        return found != 0;
    }

    private readonly record struct Piece(ulong End, Mapping Mapping);
}

/// <summary>One successful call of mmap or mremap.</summary>
/// <param name="Stack">By which it was made.</param>
internal sealed record Mapping(MappedStack Stack)
{
    /// <summary>Bytes of it that are still mapped.</summary>
    public ulong Left { get; set; }
}
