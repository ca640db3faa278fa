using Microsoft.Diagnostics.Runtime;
using NativeHeap.Memory;
using NativeHeap.Memory.Elf;
using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Proc;
using NativeHeap.Model;

namespace NativeHeap.Managed.Heaps;

/// <summary>
/// The .NET runtime in a process or in a core, opened with ClrMD. ClrMD neither stops nor traces the process: who opens
/// it for its heap holds it. For one thread.
/// </summary>
public sealed class ClrTarget : IDisposable
{
    private const string RuntimeLibrary = "libcoreclr.so";

    private readonly List<IDisposable> _open = []; // in the order of opening

    private ClrTarget()
    {
    }

    /// <summary>The runtime.</summary>
    public ClrRuntime Runtime { get; private set; } = null!;

    /// <summary>Reads the target's memory.</summary>
    internal SegmentReader Memory { get; private set; } = null!;

    /// <summary>Whether a process has a runtime loaded that can be opened.</summary>
    /// <param name="mappings">Its mappings.</param>
    public static bool HasRuntime(IEnumerable<MemoryMapping> mappings) =>
        mappings.Any(mapping => Path.GetFileName(mapping.Path) == RuntimeLibrary);

    /// <summary>Opens a process.</summary>
    /// <param name="pid">In our pid namespace.</param>
    /// <exception cref="ToolException">It has no runtime, or none that can be read (exit code 3).</exception>
    public static ClrTarget Attach(int pid) => Open(
        $"process {pid}",
        () => DataTarget.AttachToProcess(pid, suspend: false),
        isStill: false,
        ExitCodes.Target,
        pid);

    /// <summary>Opens a core dump.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="ToolException">It is none, it is cut short, or its runtime is not on this machine (exit code 4).
    /// </exception>
    public static ClrTarget OpenCore(string path) => Open(
        path, () => DataTarget.LoadDump(path), isStill: true, ExitCodes.Input, pid: null);

    /// <summary>The process stands still from now on: what was read while it ran is forgotten.</summary>
    public void Hold(IHeldProcess held)
    {
        Memory.Hold(held);
        Runtime.FlushCachedData();
    }

    /// <summary>The process runs again: what is asked from now on is read of it as it is.</summary>
    public void Release() => Memory.Release();

    /// <summary>Reads a word: from the copied heap when it has it, else from the target.</summary>
    public bool TryReadWord(ulong address, out ulong value) => Memory.Read(address, out value);

    /// <inheritdoc/>
    public void Dispose()
    {
        for (var i = _open.Count - 1; i >= 0; i--)
        {
            _open[i].Dispose();
        }
        _open.Clear();
    }

    private static ClrTarget Open(
        string name, Func<DataTarget> open, bool isStill, int exitCode, int? pid)
    {
        var target = new ClrTarget();
        try
        {
            target.OpenRuntime(name, open, isStill, exitCode, pid);
            return target;
        }
        catch (Exception error) when (error is not (ToolException or OutOfMemoryException))
        {
            // What ClrMD makes of foreign memory has no bounds that anybody states.
            target.Dispose();
            throw new ToolException(
                $"the .NET runtime of {name} cannot be read: {EventStream.OneLine(error)}", exitCode, error);
        }
        catch (ToolException)
        {
            target.Dispose();
            throw;
        }
    }

    private void OpenRuntime(
        string name, Func<DataTarget> open, bool isStill, int exitCode, int? pid)
    {
        var plain = Keep(open());
        Memory = new SegmentReader(new MortalReader(plain.DataReader), isStill);
        var target = Keep(new DataTarget(Memory, new DataTargetOptions()));
        var info = target.ClrVersions.FirstOrDefault()
            ?? throw new ToolException($"{name} runs no .NET that can be read; only native memory can be asked about",
                exitCode);
        Runtime = Keep(info.CreateRuntime(FindDataAccess(info, name, exitCode, pid), ignoreMismatch: true));
    }

    // The version that ClrMD reads from the file is 0.0, by which it finds no library; the one beside the runtime is the
    // one, as long as the runtime is what was running.
    private static string FindDataAccess(ClrInfo info, string name, int exitCode, int? pid)
    {
        var runtime = info.ModuleInfo.FileName ?? "";
        // What another user's process sees at that path is what that user puts there.
        var onDisk = pid is { } ours && TrustedPath.IsOfOurUser(ours) ? $"/proc/{ours}/root{runtime}" : runtime;
        if (!File.Exists(onDisk))
        {
            onDisk = runtime;
        }
        using var file = ElfFile.TryOpen(onDisk, out _)
            ?? throw new ToolException(
                $"the runtime of {name} is not on this machine: {runtime} (look where it ran, or install that version)",
                exitCode);
        var running = Convert.ToHexStringLower(info.BuildId.AsSpan());
        if (running.Length > 0 && file.BuildId is { } installed && installed != running)
        {
            throw new ToolException(
                $"{runtime} is another build than the one {name} runs: its data cannot be understood", exitCode);
        }
        try
        {
            return DataAccessLibrary.Find(onDisk, pid);
        }
        catch (Exception error) when (error is FileNotFoundException or UnauthorizedAccessException)
        {
            throw new ToolException(error.Message, exitCode, error);
        }
    }

    private T Keep<T>(T opened)
        where T : IDisposable
    {
        _open.Add(opened);
        return opened;
    }
}
