using NativeHeap.Managed;
using NativeHeap.Model;

namespace NativeHeap.Collect.Sessions;

/// <summary>Looks code up in processes whose runtime tells nothing, on a thread at a time. For one thread.</summary>
internal sealed class RuntimeLookups : IDisposable
{
    private const int MostWaiting = 100_000;
    private const int MostWaitMs = 2000;

    private readonly Dictionary<ProcessId, HashSet<ulong>> _waiting = [];
    private readonly Dictionary<ProcessId, RuntimeLookup> _lookups = [];
    private Task<bool> _running = Task.FromResult(true);
    private (ProcessId Process, ulong[] Addresses) _asked;

    /// <summary>Notes an address to be looked up.</summary>
    public void Add(ProcessId process, ulong address)
    {
        if (!_waiting.TryGetValue(process, out var addresses))
        {
            addresses = [];
            _waiting.Add(process, addresses);
        }

        if (addresses.Count < MostWaiting)
        {
            addresses.Add(address);
        }
    }

    /// <summary>Begins to look up what is waiting, unless that is still being done. Returns at once.</summary>
    /// <param name="target">Whose they are and where the answers go; null: that runtime can still be asked itself.</param>
    public void Run(Func<ProcessId, (int Pid, CodeMap Code)?> target)
    {
        if (!_running.IsCompleted)
        {
            return;
        }

        AskAgain();
        foreach (var (process, addresses) in _waiting.Where(item => item.Value.Count > 0))
        {
            if (target(process) is { } found)
            {
                var lookup = LookupOf(process, found.Pid, found.Code);
                ulong[] now = [.. addresses];
                addresses.Clear();
                _asked = (process, now);
                _running = Task.Factory.StartNew(
                    () => lookup.Find(now), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
                return;
            }
        }
    }

    // What a look-up that broke off was asked.
    private void AskAgain()
    {
        if (_running.IsCompletedSuccessfully && !_running.Result)
        {
            _waiting[_asked.Process].UnionWith(_asked.Addresses);
        }

        _running = Task.FromResult(true);
    }

    /// <summary>Waits for what is being looked up.</summary>
    /// <returns>What went wrong in a process; null: nothing.</returns>
    public string? Finish(ProcessId process) =>
        _running.Wait(MostWaitMs) ? _lookups.GetValueOrDefault(process)?.Problem : null;

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_running.Wait(MostWaitMs))
        {
            foreach (var lookup in _lookups.Values)
            {
                lookup.Dispose();
            }
        }
    }

    private RuntimeLookup LookupOf(ProcessId process, int pid, CodeMap code)
    {
        if (!_lookups.TryGetValue(process, out var lookup))
        {
            lookup = new RuntimeLookup(pid, code);
            _lookups.Add(process, lookup);
        }

        return lookup;
    }
}
