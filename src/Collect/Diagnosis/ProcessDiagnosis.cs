using System.Net.Sockets;
using NativeHeap.Collect.Attaching;
using NativeHeap.Collect.Launching;
using NativeHeap.Collect.Sessions;
using NativeHeap.Memory.Proc;
using NativeHeap.Model;

namespace NativeHeap.Collect.Diagnosis;

/// <summary>Whether a running process is being recorded, or could be.</summary>
/// <param name="Pid">The process.</param>
/// <param name="Command">Its arguments, joined by spaces.</param>
/// <param name="HasShim">The shim is loaded into it.</param>
/// <param name="IsRecorded">It shares a region with a collector that still answers at its socket.</param>
/// <param name="Detail">What that means, in words.</param>
/// <param name="CanAttach"><c>nativeheap attach</c> would be tried.</param>
/// <param name="Attaching">How, or why not, in words.</param>
public sealed record ProcessDiagnosis(
    int Pid, string Command, bool HasShim, bool IsRecorded, string Detail, bool CanAttach, string Attaching)
{
    /// <summary>Looks at a process.</summary>
    /// <param name="pid">In our pid namespace.</param>
    /// <param name="shim">What would be loaded to attach.</param>
    /// <exception cref="ToolException">There is none, or it is not ours to look at.</exception>
    public static ProcessDiagnosis Examine(int pid, string shim)
    {
        var reader = new ProcessReader(pid);
        if (reader.ReadStat() is not { } stat)
        {
            throw new ToolException($"there is no process {pid}; see ps for the pids there are", ExitCodes.Target);
        }

        var command = reader.ReadCommandLine() is { Count: > 0 } words ? string.Join(' ', words) : stat.Name;
        if (stat.IsZombie)
        {
            const string ended = "it has ended; its parent has not waited for it";
            return new ProcessDiagnosis(pid, command, false, false, ended, false, ended);
        }

        if (reader.ReadMappings() is not { } mappings || reader.ReadEnvironment() is not { } environment)
        {
            throw new ToolException(
                $"process {pid} belongs to another user or protects itself; look at it as its user or as root",
                ExitCodes.Target);
        }

        var hasShim = mappings.Any(mapping => mapping.Path.EndsWith("/libnativeheap.so", StringComparison.Ordinal));
        var region = mappings.Any(mapping => mapping.Path.StartsWith("/memfd:nativeheap", StringComparison.Ordinal));
        var socket = Collectors.FindSocket(pid)
            ?? environment.LastOrDefault(variable => variable.Key == ShimSettings.Socket).Value;
        var answers = socket is not null && Answers(socket);
        var detail = Describe(hasShim, region, socket, answers);
        var (canAttach, attaching) = Attach(pid, shim);
        return new ProcessDiagnosis(pid, command, hasShim, hasShim && region && answers, detail, canAttach, attaching);
    }

    private static (bool CanAttach, string How) Attach(int pid, string shim)
    {
        try
        {
            return AttachTarget.Examine(pid, shim).Way == AttachWay.DiagnosticPort
                ? (true, "it can be attached to, by its diagnostic port; no thread is stopped")
                : (true, "it can be attached to, by ptrace; one thread is stopped for some milliseconds");
        }
        catch (ToolException error)
        {
            return (false, "it cannot be attached to: " + error.Message);
        }
    }

    private static string Describe(bool shim, bool region, string? socket, bool answers)
    {
        if (!shim)
        {
            return "it is not recorded: the shim is not loaded";
        }

        if (!region)
        {
            return socket is null
                ? $"it is not recorded: the shim is loaded, but {ShimSettings.Socket} was not set"
                : "it is not recorded: the shim is loaded, but found no collector when it started";
        }

        return answers
            ? "it is recorded; its collector listens at " + socket
            : "it was recorded; its collector is gone";
    }

    // Only connects: a collector takes that for a client that changed its mind.
    private static bool Answers(string path)
    {
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Connect(new UnixDomainSocketEndPoint(path));
            return true;
        }
        catch (Exception error) when (error is SocketException or ArgumentException)
        {
            return false;
        }
    }
}
