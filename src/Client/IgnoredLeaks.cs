namespace NativeHeap.Client;

/// <summary>A region of code whose native blocks are no leaks; see <see cref="HeapCheck.IgnoreLeaks"/>. It cannot leave its
/// thread, nor be awaited over.</summary>
public readonly ref struct IgnoredLeaks
{
    private readonly bool _isLive;

    internal IgnoredLeaks(bool isLive) => _isLive = isLive;

    /// <summary>Ends it.</summary>
    public void Dispose()
    {
        if (_isLive)
        {
            HeapCheck.Enable();
        }
    }
}
