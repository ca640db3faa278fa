using System.Globalization;
using System.Runtime.InteropServices;

namespace NativeHeap.EndToEnd.Harness;

/// <summary>Signals to processes that the test started, and who those are.</summary>
internal static partial class Signals
{
    public const int Interrupt = 2;
    public const int Kill = 9;
    public const int Terminate = 15;
    public const int Continue = 18;
    public const int Stop = 19;

    public static void Send(int pid, int signal)
    {
        // It may have ended by itself in between, which is one of the moments that the tests are about.
        const int NoSuchProcess = 3;
        if (kill(pid, signal) != 0 && Marshal.GetLastPInvokeError() != NoSuchProcess)
        {
            throw new InvalidOperationException($"kill({pid}, {signal}): {Marshal.GetLastPInvokeErrorMessage()}");
        }
    }

    /// <summary>The children of a process by name, whatever they call themselves in argv.</summary>
    public static IReadOnlyList<(int Pid, string Name)> ChildrenOf(int parent)
    {
        var children = new List<(int, string)>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var pid)
                && ReadStat(pid) is { } stat && stat.Parent == parent)
            {
                children.Add((pid, stat.Name));
            }
        }
        return children;
    }

    private static (string Name, int Parent)? ReadStat(int pid)
    {
        string stat;
        try
        {
            stat = File.ReadAllText($"/proc/{pid}/stat");
        }
        catch (IOException)
        {
            return null; // ended meanwhile
        }
        // pid (name) state parent …; a name may hold parentheses itself.
        var end = stat.LastIndexOf(')');
        var name = stat[(stat.IndexOf('(', StringComparison.Ordinal) + 1)..end];
        return (name, int.Parse(stat[(end + 2)..].Split(' ')[1], CultureInfo.InvariantCulture));
    }

#pragma warning disable SA1300, CA5392, IDE1006 // The C name.
    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int pid, int signal);
#pragma warning restore SA1300, CA5392, IDE1006
}
