using NativeHeap.Managed;
using NativeHeap.Model;

namespace NativeHeap.Collect.Stacks;

/// <summary>What the stacks say was called from each place in code of .NET.</summary>
/// <param name="registry">The trace's stacks.</param>
/// <param name="owners">Code of .NET by location.</param>
internal sealed class CalleeTable(StackRegistry registry, IReadOnlyDictionary<int, MethodCode> owners)
{
    // What the runtime does there on its own account says nothing of the call.
    private static readonly string[] s_runtime = ["libcoreclr.so", "libclrjit.so", "libclrgc.so"];

    private readonly Dictionary<int, MethodCode?> _callees = [];
    private readonly HashSet<int> _severalCallees = [];

    /// <summary>By location: the one method that was called; null: native code. Locations that called nothing, or not
    /// always the same, are left out.</summary>
    public IReadOnlyDictionary<int, MethodCode?> Read()
    {
        for (var id = 1; id <= registry.Stacks.Count; id++)
        {
            var (parent, location) = registry.Stacks[id];
            if (parent != 0 && registry.Stacks[parent].Location is var caller && owners.TryGetValue(caller, out var code))
            {
                Take(caller, code, location);
            }
        }

        foreach (var location in _severalCallees)
        {
            _callees.Remove(location);
        }

        return _callees;
    }

    private void Take(int caller, MethodCode code, int location)
    {
        var (module, _, kind) = registry.Locations[location - 1];
        if (owners.TryGetValue(location, out var callee))
        {
            if (callee.Tier == CodeTier.Osr && callee.MethodId == code.MethodId)
            {
                return; // not called: it replaced its caller
            }
        }
        else if (kind != FrameKind.Entry
            && (kind != FrameKind.Native || module == 0 || IsRuntime(registry.Modules[module - 1].Path)))
        {
            return;
        }

        if (!_callees.TryAdd(caller, callee) && _callees[caller]?.MethodId != callee?.MethodId)
        {
            _severalCallees.Add(caller);
        }
    }

    private static bool IsRuntime(string path) => Array.Exists(s_runtime, name => path.EndsWith(name, StringComparison.Ordinal));
}
