using System.Net.Sockets;
using NativeHeap.Collect.Launching;
using NativeHeap.Memory.Proc;
using NativeHeap.Model;

namespace NativeHeap.Collect.Diagnosis;

/// <summary>Whether a running process is being recorded.</summary>
/// <param name="Pid">The process.</param>
/// <param name="Command">Its arguments, joined by spaces.</param>
/// <param name="HasShim">The shim is loaded into it.</param>
/// <param name="IsRecorded">It shares a region with a collector that still answers at its socket.</param>
/// <param name="Detail">What that means, in words.</param>
public sealed record ProcessDiagnosis(int Pid, string Command, bool HasShim, bool IsRecorded, string Detail)
{
    /// <summary>Looks at a process.</summary>
    /// <exception cref="ToolException">There is none, or it is not ours to look at.</exception>
    public static ProcessDiagnosis Examine(int pid)
    {
        var reader = new ProcessReader(pid);
        if (reader.ReadStat() is not { } stat)
        {
            throw new ToolException($"there is no process {pid}; see ps for the pids there are", ExitCodes.Target);
        }

        var command = reader.ReadCommandLine() is { Count: > 0 } words ? string.Join(' ', words) : stat.Name;
        if (stat.IsZombie)
        {
            return new ProcessDiagnosis(pid, command, false, false, "it has ended; its parent has not waited for it");
        }

        if (reader.ReadMappings() is not { } mappings || reader.ReadEnvironment() is not { } environment)
        {
            throw new ToolException(
                $"process {pid} belongs to another user or protects itself; look at it as its user or as root",
                ExitCodes.Target);
        }

        var shim = mappings.Any(mapping => mapping.Path.EndsWith("/libnativeheap.so", StringComparison.Ordinal));
        var region = mappings.Any(mapping => mapping.Path.StartsWith("/memfd:nativeheap", StringComparison.Ordinal));
        var socket = environment.LastOrDefault(variable => variable.Key == ShimSettings.Socket).Value;
        var answers = socket is not null && Answers(socket);
        var detail = Describe(shim, region, socket, answers);
        return new ProcessDiagnosis(pid, command, shim, shim && region && answers, detail);
    }

    private static string Describe(bool shim, bool region, string? socket, bool answers)
    {
        if (!shim)
        {
            return "it is not recorded: the shim is not loaded; start it by nativeheap run";
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
