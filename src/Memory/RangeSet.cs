namespace NativeHeap.Memory;

/// <summary>Ranges of addresses, to take others out of. For one thread.</summary>
public sealed class RangeSet
{
    private readonly List<AddressRange> _holes = [];
    private bool _isSorted = true;

    /// <summary>Takes a range out of whatever is asked for later.</summary>
    public void Exclude(AddressRange range)
    {
        if (range.End > range.Start)
        {
            _holes.Add(range);
            _isSorted = false;
        }
    }

    /// <summary>What is left of a range.</summary>
    public IEnumerable<AddressRange> Rest(AddressRange range)
    {
        Sort();
        var at = range.Start;
        for (var i = FirstEndingAfter(range.Start); i < _holes.Count && _holes[i].Start < range.End; i++)
        {
            if (_holes[i].Start > at)
            {
                yield return new AddressRange(at, _holes[i].Start);
            }

            at = Math.Max(at, _holes[i].End);
        }

        if (at < range.End)
        {
            yield return new AddressRange(at, range.End);
        }
    }

    private int FirstEndingAfter(ulong address)
    {
        int low = 0, high = _holes.Count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = _holes[middle].End <= address ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    // By rising address, and none that overlap.
    private void Sort()
    {
        if (_isSorted)
        {
            return;
        }

        _isSorted = true;
        _holes.Sort((one, other) => one.Start.CompareTo(other.Start));
        var kept = 0;
        for (var i = 1; i < _holes.Count; i++)
        {
            if (_holes[i].Start <= _holes[kept].End)
            {
                _holes[kept] = new AddressRange(_holes[kept].Start, Math.Max(_holes[kept].End, _holes[i].End));
            }
            else
            {
                _holes[++kept] = _holes[i];
            }
        }

        _holes.RemoveRange(kept + 1, _holes.Count - kept - 1);
    }
}
