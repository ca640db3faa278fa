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
                .Where(mapping => mapping.IsExecutable && mapping.Inode != 0 && mapping.Path.StartsWith('/'))
                .Select(code => Describe(hostPid, code))
                .OfType<MappedModule>(),
        ];
    }

    private static ulong PageOf(ulong address) => address & ~(PageBytes - 1);

    // Its code alone: a file may be mapped anywhere else, too, as bytes (an application with its assemblies in one file).
    private static MappedModule? Describe(int hostPid, MemoryMapping code)
    {
        // The file as the process sees it: it may live in another root.
        var path = code.Path;
        var root = string.Create(CultureInfo.InvariantCulture, $"/proc/{hostPid}/root");
        using var file = ElfFile.TryOpen(root + path, out _);
        var segment = file?.Segments.FirstOrDefault(load =>
            load.Kind == ElfSegment.Load && (load.Flags & ExecuteFlag) != 0
            && PageOf(load.Offset) <= code.Offset && code.Offset - PageOf(load.Offset) < load.FileBytes + PageBytes);
        if (file is null || segment is not { Kind: ElfSegment.Load } found)
        {
            return null;
        }
        var bias = code.Start - (code.Offset - PageOf(found.Offset)) - PageOf(found.Address);
        var name = path.EndsWith(Deleted, StringComparison.Ordinal) ? path[..^Deleted.Length] : path;
        return new MappedModule(name, file.BuildId, code.Start, code.End, bias);
    }
}
