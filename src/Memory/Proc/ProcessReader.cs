using System.Buffers.Text;
using System.Globalization;
using System.Text;
using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Malloc;

namespace NativeHeap.Memory.Proc;

/// <summary>
/// Reads one process's files below /proc. Everything returned was true at some moment of the call; null means that the
/// process has vanished or that we may not look. Pids are used again: compare <see cref="ProcessStat.StartTicks"/>
/// where that matters. Reads are bounded, and safe from several threads.
/// </summary>
public sealed class ProcessReader
{
    private const int LargestSmallFile = 1 << 16;
    private const int LargestArgumentArea = 8 << 20; // the kernel's own bound is 6 MiB (ARG_MAX)
    private const int MostThreads = 1 << 20;

    private readonly string _folder;

    /// <summary>A reader for one process; nothing is read yet.</summary>
    /// <param name="pid">The process.</param>
    /// <param name="procRoot">Where procfs is mounted.</param>
    public ProcessReader(int pid, string procRoot = "/proc")
    {
        Pid = pid;
        _folder = string.Create(CultureInfo.InvariantCulture, $"{procRoot}/{pid}");
    }

    /// <summary>The process.</summary>
    public int Pid { get; }

    /// <summary>All processes that can be seen. One that begins or ends meanwhile may be missing, or be told and be gone.</summary>
    /// <returns>Pids in our namespace.</returns>
    public static IEnumerable<int> ProcessIds()
    {
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var pid))
            {
                yield return pid;
            }
        }
    }

    /// <summary>Mappings by rising address; empty for a zombie or a kernel thread.</summary>
    public IReadOnlyList<MemoryMapping>? ReadMappings()
    {
        var mappings = new List<MemoryMapping>();
        var whole = ProcFile.ReadLines(_folder + "/maps", line =>
        {
            if (MemoryMapping.Parse(line) is { } mapping)
            {
                mappings.Add(mapping);
            }
        });
        return whole ? mappings : null;
    }

    /// <summary>Resident bytes from statm: cheap, but on Linux 6.2 and later off by up to a few dozen pages a CPU.
    /// Null for a zombie.</summary>
    public long? ReadResidentBytes()
    {
        // size resident shared text lib data dt, in pages
        var text = ProcFile.ReadText(_folder + "/statm", LargestSmallFile);
        var fields = text?.Split(' ', 3);
        return fields is { Length: 3 }
            && long.TryParse(fields[1], NumberStyles.None, CultureInfo.InvariantCulture, out var pages)
            && pages > 0 && pages <= long.MaxValue / Environment.SystemPageSize
            ? pages * Environment.SystemPageSize
            : null;
    }

    /// <summary>Where the resident memory is. The kernel walks every page table of the process for it and holds the
    /// lock of its address space meanwhile: not for a tight loop.</summary>
    /// <param name="memory">Of the process, to find what malloc has; null: of that only [heap] is known.</param>
    public ResidentMemory? ReadResidentMemory(IMemoryReader? memory = null)
    {
        var malloc = memory is null ? MallocMemory.None : FindMalloc(memory);
        var reader = new ResidentMemoryReader(ReadStackPointers(), malloc);
        return ProcFile.ReadLines(_folder + "/smaps", reader.Take) && reader.HasMappings
            && ReadResidentBytes() is { } rss
            ? reader.Finish(rss)
            : null;
    }

    // It may be read in the middle of a change.
    private MallocMemory FindMalloc(IMemoryReader memory)
    {
        const int tries = 4;
        var found = MallocMemory.None;
        for (var i = 0; i < tries && found.Arenas.Count == 0; i++)
        {
            var mappings = ReadMappings() ?? [];
            found = MallocMappings.Find(memory, mappings);
            if (!mappings.Any(mapping => mapping.Path == "[heap]"))
            {
                break;
            }
        }

        return found;
    }

    /// <summary>/proc/PID/status.</summary>
    public ProcessStatus? ReadStatus() =>
        ProcFile.ReadText(_folder + "/status", LargestSmallFile) is { Length: > 0 } text
            ? ProcessStatus.Parse(text)
            : null;

    /// <summary>/proc/PID/stat.</summary>
    public ProcessStat? ReadStat() =>
        ProcFile.ReadText(_folder + "/stat", LargestSmallFile) is { } text ? ProcessStat.Parse(text) : null;

    /// <summary>The environment the image was started with (changes by setenv do not show); names may repeat, what is
    /// no name=value is left out.</summary>
    public IReadOnlyList<KeyValuePair<string, string>>? ReadEnvironment()
    {
        if (ProcFile.ReadBytes(_folder + "/environ", LargestArgumentArea) is not { } bytes)
        {
            return null;
        }

        var variables = new List<KeyValuePair<string, string>>();
        foreach (var text in SplitAtNul(bytes))
        {
            var equals = text.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0)
            {
                variables.Add(new(text[..equals], text[(equals + 1)..]));
            }
        }

        return variables;
    }

    /// <summary>Arguments as the process shows them now (it may have rewritten them); empty for a zombie.</summary>
    public IReadOnlyList<string>? ReadCommandLine() =>
        ProcFile.ReadBytes(_folder + "/cmdline", LargestArgumentArea) is { } bytes ? SplitAtNul(bytes) : null;

    /// <summary>Path of the executable in the process's own root, with " (deleted)" when it is gone.</summary>
    public string? ReadExecutable()
    {
        try
        {
            return new FileInfo(_folder + "/exe").LinkTarget;
        }
        catch (Exception error) when (ProcFile.IsGone(error))
        {
            return null;
        }
    }

    /// <summary>What an open file is: a path, or a kind and a number such as pipe:[4711]; null when it is not open.</summary>
    public string? ReadOpenFile(ulong descriptor)
    {
        try
        {
            return new FileInfo(string.Create(CultureInfo.InvariantCulture, $"{_folder}/fd/{descriptor}")).LinkTarget;
        }
        catch (Exception error) when (ProcFile.IsGone(error))
        {
            return null;
        }
    }

    /// <summary>comm: the name of the main thread, at most 15 bytes.</summary>
    public string? ReadName() => ReadNameAt(_folder + "/comm");

    /// <summary>comm of one thread.</summary>
    public string? ReadThreadName(int tid) =>
        ReadNameAt(string.Create(CultureInfo.InvariantCulture, $"{_folder}/task/{tid}/comm"));

    /// <summary>stat of one thread.</summary>
    public ProcessStat? ReadThreadStat(int tid)
    {
        var path = string.Create(CultureInfo.InvariantCulture, $"{_folder}/task/{tid}/stat");
        return ProcFile.ReadText(path, LargestSmallFile) is { } text ? ProcessStat.Parse(text) : null;
    }

    /// <summary>/proc/PID/task/TID/status.</summary>
    public ProcessStatus? ReadThreadStatus(int tid)
    {
        var path = string.Create(CultureInfo.InvariantCulture, $"{_folder}/task/{tid}/status");
        return ProcFile.ReadText(path, LargestSmallFile) is { Length: > 0 } text ? ProcessStatus.Parse(text) : null;
    }

    /// <summary>The number of the system call that a thread sleeps in; null when it runs, sleeps in none, or we may not
    /// look: it takes the right to trace the process.</summary>
    public long? ReadSystemCall(int tid)
    {
        var path = string.Create(CultureInfo.InvariantCulture, $"{_folder}/task/{tid}/syscall");
        var text = ProcFile.ReadText(path, LargestSmallFile);
        return text is not null && long.TryParse(
            text.Split(' ', 2)[0], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            && number >= 0
            ? number
            : null;
    }

    /// <summary>Thread ids. Threads that begin or end during the call may be missing.</summary>
    public IReadOnlyList<int>? ReadThreads()
    {
        var threads = new List<int>();
        try
        {
            foreach (var folder in Directory.EnumerateDirectories(_folder + "/task"))
            {
                if (int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var tid)
                    && threads.Count < MostThreads)
                {
                    threads.Add(tid);
                }
            }
        }
        catch (Exception error) when (ProcFile.IsGone(error))
        {
            return null;
        }

        return threads;
    }

    private static string? ReadNameAt(string path) =>
        ProcFile.ReadText(path, LargestSmallFile) is { Length: > 0 } text ? text.TrimEnd('\n') : null;

    private static List<string> SplitAtNul(ReadOnlySpan<byte> bytes)
    {
        var parts = new List<string>();
        while (!bytes.IsEmpty)
        {
            var end = bytes.IndexOf((byte)0);
            parts.Add(Encoding.UTF8.GetString(end < 0 ? bytes : bytes[..end]));
            bytes = end < 0 ? [] : bytes[(end + 1)..];
        }

        return parts;
    }

    // /proc/PID/task/TID/syscall: "number arguments… sp pc" of a thread that sleeps in the kernel. It takes the right
    // to trace the process; without it, or for running threads, there is nothing.
    private ulong[] ReadStackPointers()
    {
        const int mostThreads = 4096;
        var pointers = new List<ulong>();
        foreach (var tid in (ReadThreads() ?? []).Take(mostThreads))
        {
            var path = string.Create(CultureInfo.InvariantCulture, $"{_folder}/task/{tid}/syscall");
            if (ProcFile.ReadBytes(path, LargestSmallFile) is not { } bytes)
            {
                continue;
            }

            var text = bytes.AsSpan().TrimEnd((byte)'\n');
            var last = text.LastIndexOf((byte)' ');
            var before = last < 0 ? -1 : text[..last].LastIndexOf((byte)' ');
            if (before >= 0 && text[(before + 1)..].StartsWith("0x"u8)
                && Utf8Parser.TryParse(text[(before + 3)..last], out ulong pointer, out _, 'x'))
            {
                pointers.Add(pointer);
            }
        }

        pointers.Sort();
        return [.. pointers];
    }
}
