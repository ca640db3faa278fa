using NativeHeap.Analysis;
using NativeHeap.Managed;
using NativeHeap.Model;

namespace NativeHeap.Cli;

/// <summary>
/// Names .NET code of a process whose trace is being written, by what its runtime knows now; each address is looked up
/// once. Lines are the closed trace's alone. For one thread.
/// </summary>
/// <param name="pid">The process.</param>
internal sealed class LiveCode(int pid) : ILiveCode
{
    private readonly Dictionary<ulong, ResolvedFrame> _names = [];
    private readonly HashSet<ulong> _asked = [];

    /// <inheritdoc/>
    public int Pid => pid;

    /// <inheritdoc/>
    public IReadOnlyDictionary<ulong, ResolvedFrame> Name(IReadOnlyCollection<ulong> addresses)
    {
        var unknown = addresses.Where(_asked.Add).Order().ToList();
        if (unknown.Count > 0)
        {
            LookUp(unknown);
        }

        return _names;
    }

    private void LookUp(List<ulong> addresses)
    {
        var code = new CodeMap();
        using var lookup = new RuntimeLookup(pid, code);
        lookup.Find(addresses);
        using var namer = new MethodNamer();
        foreach (var address in addresses)
        {
            if (code.Find(address - 1, ulong.MaxValue / 2) is { } owner)
            {
                _names[address] = new ResolvedFrame(namer.Name(code, owner, address).Function, null, null, false);
            }
        }
    }
}
