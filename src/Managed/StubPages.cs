using NativeHeap.Memory.Proc;

namespace NativeHeap.Managed;

/// <summary>
/// Pages with the entries of methods (precode): jumps, from which nothing is ever called, so that no return address lies in
/// them. What a target tells may say otherwise, and the runtime's library does not survive being asked what runs there.
/// </summary>
/// <remarks>A page of such code is followed by one of its data, both of a fixed size (GetStubCodePageSize and
/// InterleavedLoaderHeap of dotnet/runtime, .NET 7 and later): that is what they are known by.</remarks>
internal sealed class StubPages
{
    private const ulong PageBytes = 16 * 1024;

    private readonly List<ulong> _starts = []; // by rising address

    /// <summary>Finds them.</summary>
    /// <param name="mappings">Of a process, by rising address.</param>
    public StubPages(IReadOnlyList<MemoryMapping> mappings)
    {
        for (var i = 0; i + 1 < mappings.Count; i++)
        {
            var (code, data) = (mappings[i], mappings[i + 1]);
            if (code is { IsExecutable: true, Size: PageBytes } && data is { IsExecutable: false, IsWritable: true }
                && data.Start == code.End)
            {
                _starts.Add(code.Start);
            }
        }
    }

    /// <summary>Whether an address lies in one.</summary>
    public bool Contains(ulong address)
    {
        var found = _starts.BinarySearch(address);
        var at = found >= 0 ? found : ~found - 1;
        return at >= 0 && address - _starts[at] < PageBytes;
    }
}
