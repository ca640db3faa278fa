using System.Runtime.CompilerServices;

namespace NativeHeap.Collect.Heap;

/// <summary>
/// Partial sums of one ring's share in a process's live bytes: births when they are read, deaths when they are
/// applied (only then their size is known). So the sum is never below the true one at that point of the ring; it is
/// above it while a death waits for its turn. Kept for the last few passes of the drain.
/// </summary>
internal sealed class StreamSums
{
    /// <summary>Passes that are remembered; a power of two.</summary>
    public const int History = 8;

    private Ring _most;
    private Ring _least;
    private Ring _delayed;

    public StreamSums(long pass)
    {
        LastPass = pass;
    }

    /// <summary>The sum now.</summary>
    public long Sum { get; private set; }

    /// <summary>The pass up to which the history is filled in.</summary>
    public long LastPass { get; private set; }

    /// <summary>Adds a change that is seen in a pass, or takes bytes away by a negative one.</summary>
    public void Add(long bytes, long pass) => Move(bytes, Math.Max(0, bytes), Math.Min(0, bytes), pass);

    /// <summary>Adds what several changes that are seen in a pass come to.</summary>
    /// <param name="bytes">All of them together.</param>
    /// <param name="most">The most that they came to meanwhile, not negative.</param>
    /// <param name="least">The least, not positive.</param>
    /// <param name="pass">The pass.</param>
    public void Move(long bytes, long most, long least, long pass)
    {
        Advance(pass);
        var i = (int)(pass & (History - 1));
        _most[i] = Math.Max(_most[i], Sum + most);
        _least[i] = Math.Min(_least[i], Sum + least);
        Sum += bytes;
    }

    /// <summary>A death that had to wait for its turn has been applied: from where it was read the sums were too
    /// high by its bytes.</summary>
    public void WasDelayed(long bytes, long readInPass, long pass)
    {
        Advance(pass);
        for (var p = Math.Max(readInPass, pass - History + 1); p <= pass; p++)
        {
            _delayed[(int)(p & (History - 1))] += bytes;
        }
    }

    /// <summary>Fills the history in up to a pass in which nothing was seen.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Advance(long pass)
    {
        if (LastPass != pass)
        {
            FillIn(pass);
        }
    }

    /// <summary>No less than the most the true sum was in a pass.</summary>
    public long UpperMost(long pass) => _most[(int)(pass & (History - 1))];

    /// <summary>No more than the most the true sum was in a pass.</summary>
    public long LowerMost(long pass)
    {
        var i = (int)(pass & (History - 1));
        return _most[i] - _delayed[i];
    }

    /// <summary>No more than the least the true sum was in a pass.</summary>
    public long LowerLeast(long pass)
    {
        var i = (int)(pass & (History - 1));
        return _least[i] - _delayed[i];
    }

    private void FillIn(long pass)
    {
        for (var p = Math.Max(LastPass + 1, pass - History + 1); p <= pass; p++)
        {
            var i = (int)(p & (History - 1));
            _most[i] = _least[i] = Sum;
            _delayed[i] = 0;
        }

        LastPass = pass;
    }

    [InlineArray(History)]
    private struct Ring
    {
        private long _element;
    }
}
