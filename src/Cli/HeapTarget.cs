using System.Buffers.Binary;
using System.CommandLine;
using NativeHeap.Graph.Objects;
using NativeHeap.Model;

namespace NativeHeap.Cli;

/// <summary>What <c>objects</c> and <c>refs</c> look at: a process, a core dump or a snapshot of a trace.</summary>
internal sealed record HeapTarget
{
    /// <summary>The option for a process.</summary>
    public static readonly Option<int?> PidOption = Quantities.NumberOption("--pid", "PID", "A running process.");

    static HeapTarget() => PidOption.Aliases.Add("-p");

    /// <summary>The process; null: a file.</summary>
    public int? Pid { get; private init; }

    /// <summary>The file; null: a process.</summary>
    public string? Path { get; private init; }

    /// <summary>Reads what the command line says.</summary>
    /// <param name="pid">Of <see cref="PidOption"/>.</param>
    /// <param name="file">TRACE@S or CORE; null: none given.</param>
    /// <param name="verb">For messages.</param>
    /// <exception cref="ToolException">Neither or both (exit code 2).</exception>
    public static HeapTarget Read(int? pid, string? file, string verb) => (pid, file) switch
    {
        (null, null) => throw new ToolException(
            $"give a process, a core dump or a snapshot, as in: nativeheap {verb} -p 4711", ExitCodes.Usage),
        ({ }, { }) => throw new ToolException("give either -p PID or a file, not both", ExitCodes.Usage),
        ( <= 0, _) => throw new ToolException("--pid is the number of a process", ExitCodes.Usage),
        _ => new HeapTarget { Pid = pid, Path = file },
    };

    /// <summary>Whether it is a trace, as far as its first bytes tell, or a snapshot of one.</summary>
    /// <exception cref="ToolException">The file cannot be read (exit code 4).</exception>
    public bool IsTrace => Path is { } path && !(File.Exists(path) && IsElf(path));

    /// <summary>Looks at a process or a core dump.</summary>
    /// <param name="withRoots">Also at what keeps its objects and blocks alive.</param>
    /// <param name="recorded">Gets what the process's recording knows; null when nobody records it.</param>
    /// <exception cref="ToolException">It cannot be looked at (exit code 3), or read (4).</exception>
    public HeapPicture Take(bool withRoots, out RecordedHeap? recorded)
    {
        recorded = null;
        if (Pid is not { } pid)
        {
            return HeapPicture.TakeCore(Path!, withRoots);
        }

        var found = recorded = RecordedHeap.Find(pid);
        try
        {
            return HeapPicture.Take(pid, withRoots, found is null ? null : _ => found.Take(null));
        }
        catch
        {
            found?.Dispose();
            throw;
        }
    }

    private static bool IsElf(string path)
    {
        const uint magic = 0x464C457F;
        var start = new byte[sizeof(uint)];
        try
        {
            using var file = File.OpenRead(path);
            return file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false) == start.Length
                && BinaryPrimitives.ReadUInt32LittleEndian(start) == magic;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ToolException($"{path} cannot be read: {error.Message}", ExitCodes.Input, error);
        }
    }
}
