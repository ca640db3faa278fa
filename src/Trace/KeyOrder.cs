namespace NativeHeap.Trace;

/// <summary>
/// Sees to it that the rows of a table come in strictly rising order of their key. A damaged file may hold a page
/// twice or in a circle; then a key repeats, and a walk that would not end does.
/// </summary>
internal struct KeyOrder
{
    private (long, long, long, long) _last;
    private bool _any;

    /// <exception cref="TraceException">The key is not above the one before.</exception>
    public void Next(TableRows row, long first, long second = 0, long third = 0, long fourth = 0)
    {
        var key = (first, second, third, fourth);
        if (_any && key.CompareTo(_last) <= 0)
        {
            throw row.Damaged(0, "out of order");
        }

        _last = key;
        _any = true;
    }
}
