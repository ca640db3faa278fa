using System.Globalization;
using NativeHeap.Collect.Stacks;
using NativeHeap.Memory.Elf;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Collect.Sessions;

/// <summary>Modules of living processes by /proc/PID/maps, for stacks that the shim's own table does not explain. On the
/// drain's thread.</summary>
internal sealed class ProcessMappings : IMappingSource
{
    private const string Deleted = " (deleted)";
    private const uint ExecuteFlag = 1; // PF_X
    private const ulong PageBytes = 4096;

    private readonly Dictionary<int, int> _hostPids = [];

    /// <summary>Remembers what a process's pid is for us.</summary>
    /// <param name="pid">In its own namespace.</param>
    /// <param name="hostPid">In ours.</param>
    public void Know(int pid, int hostPid) => _hostPids[pid] = hostPid;

    /// <inheritdoc/>
    public IReadOnlyList<MappedModule>? Read(int pid)
    {
        if (!_hostPids.TryGetValue(pid, out var hostPid) || new ProcessReader(hostPid).ReadMappings() is not { } mappings)
        {
            return null;
        }
        return
        [
            .. mappings
                .Where(mapping => mapping.Inode != 0 && mapping.Path.StartsWith('/'))
                .GroupBy(mapping => (mapping.Inode, mapping.Path))
                .Where(file => file.Any(mapping => mapping.IsExecutable))
                .Select(file => Describe(hostPid, file.Key.Path, [.. file]))
                .OfType<MappedModule>(),
        ];
    }

    private static ulong PageOf(ulong address) => address & ~(PageBytes - 1);

    private static MappedModule? Describe(int hostPid, string path, List<MemoryMapping> parts)
    {
        // The file as the process sees it: it may live in another root.
        var root = string.Create(CultureInfo.InvariantCulture, $"/proc/{hostPid}/root");
        using var file = ElfFile.TryOpen(root + path, out _);
        var code = parts.First(part => part.IsExecutable);
        var segment = file?.Segments.FirstOrDefault(load =>
            load.Kind == ElfSegment.Load && (load.Flags & ExecuteFlag) != 0
            && PageOf(load.Offset) <= code.Offset && code.Offset - PageOf(load.Offset) < load.FileBytes + PageBytes);
        if (file is null || segment is not { Kind: ElfSegment.Load } found)
        {
            return null;
        }
        var bias = code.Start - (code.Offset - PageOf(found.Offset)) - PageOf(found.Address);
        var name = path.EndsWith(Deleted, StringComparison.Ordinal) ? path[..^Deleted.Length] : path;
        return new MappedModule(
            name, file.BuildId, parts.Min(part => part.Start), parts.Max(part => part.End), bias);
    }
}
