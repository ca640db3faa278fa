using System.Text;
using NativeHeap.Model;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Stacks;

/// <summary>Takes over the module records of a region as the shim writes them. For one thread.</summary>
internal sealed class ModuleTable
{
    private readonly RegionView _region;
    private readonly StackRegistry _registry;
    private readonly List<int> _unfilled = [];
    private readonly List<LoadedModule> _loaded = [];
    private int _seen;

    public ModuleTable(RegionView region, StackRegistry registry)
    {
        _region = region;
        _registry = registry;
    }

    /// <summary>Records that are claimed and not filled in, or whose process is not known yet: a module that is missed
    /// may be among them.</summary>
    public int Unfilled => _unfilled.Count;

    /// <summary>Whether the shim has added any since <see cref="Refresh"/>.</summary>
    public bool HasNew => _region.ModuleCount > _seen || _unfilled.Count > 0;

    /// <summary>Reads what is new, and which modules are gone.</summary>
    /// <param name="owner">The process of a slot, null when there is none.</param>
    /// <param name="shared">The recording's.</param>
    public void Refresh(Func<uint, TrackedProcess?> owner, RecordingShared shared)
    {
        var count = _region.ModuleCount;
        for (; _seen < count; _seen++)
        {
            _unfilled.Add(_seen);
        }

        for (var i = 0; i < _unfilled.Count;)
        {
            if (TryTake(_unfilled[i], owner, shared))
            {
                _unfilled.RemoveAt(i);
            }
            else
            {
                i++;
            }
        }

        foreach (var module in _loaded)
        {
            if (_region.TryReadModule(module.Record, out var record)
                && record.State == (uint)ModuleState.Unloaded)
            {
                module.UnloadNs = Math.Max(module.LoadNs, shared.Relative(record.UnloadNs));
                module.Dirty = true;
            }
        }

        _loaded.RemoveAll(module => module.UnloadNs is not null);
    }

    private bool TryTake(int index, Func<uint, TrackedProcess?> owner, RecordingShared shared)
    {
        if (!_region.TryReadModule(index, out var record) || owner(record.Slot) is not { } process)
        {
            return false;
        }

        var path = ((ReadOnlySpan<byte>)record.Path)[..record.PathLength];
        var buildId = ((ReadOnlySpan<byte>)record.BuildId)[..record.BuildIdLength];
        var binary = new Binary(
            path.IsEmpty ? process.Executable ?? "" : Encoding.UTF8.GetString(path),
            buildId.IsEmpty ? null : Convert.ToHexStringLower(buildId));
        var module = new LoadedModule
        {
            Row = ++shared.MappingRows,
            Module = _registry.ModuleId(binary),
            Start = record.Start,
            End = record.End,
            Bias = record.Bias,
            Generation = record.Generation,
            LoadNs = shared.Relative(record.LoadNs),
            Record = index,
        };
        process.Modules.Add(module);
        _loaded.Add(module);
        if (binary.Path.EndsWith("/libcoreclr.so", StringComparison.Ordinal))
        {
            shared.RuntimesSeen.Enqueue((process.Id, true));
        }

        return true;
    }
}
