using NativeHeap.Collect.Server;
using NativeHeap.Memory.Proc;
using NativeHeap.Model;

namespace NativeHeap.Collect.Sessions;

/// <summary>Processes of this machine that are being recorded, as far as we may look at them.</summary>
public static class RecordedProcesses
{
    /// <summary>Finds them.</summary>
    /// <returns>Pids in our namespace by rising number, each with its trace.</returns>
    public static IReadOnlyList<(int Pid, string Trace)> Find()
    {
        var found = new List<(int, string)>();
        foreach (var pid in ProcessReader.ProcessIds().Where(pid => pid != Environment.ProcessId && IsRecorded(pid)).Order())
        {
            try
            {
                found.Add((pid, ControlClient.TracePath(pid)));
            }
            catch (ToolException)
            {
                // Its collector has gone, or it has gone itself meanwhile.
            }
        }
        return found;
    }

    // A collector has regions, too; it is not told by them but by the library that it has not loaded.
    private static bool IsRecorded(int pid) => new ProcessReader(pid).ReadMappings() is { } mappings
        && mappings.Any(mapping => RegionName.Parse(mapping.Path) is not null)
        && mappings.Any(mapping => Path.GetFileName(mapping.Path) == "libnativeheap.so");
}
