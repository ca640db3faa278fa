using System.Globalization;
using Microsoft.Diagnostics.NETCore.Client;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Managed;

/// <summary>The socket that every runtime makes for those who want to ask it (dotnet/diagnostics: ipc-protocol.md).</summary>
internal static class DefaultPort
{
    private const int MostWaitMs = 3000;
    private const int StepMs = 10;

    /// <summary>Waits for a process's port, which it makes soon after its runtime was loaded.</summary>
    /// <param name="pid">In our pid namespace.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <returns>Null when it has none, or is gone.</returns>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    internal static DiagnosticsClient? Connect(int pid, CancellationToken cancellation)
    {
        if (PathOf(pid) is not { } path)
        {
            return null;
        }

        for (var waited = 0; waited < MostWaitMs; waited += StepMs)
        {
            if (File.Exists(path))
            {
                var connecting = DiagnosticsClientConnector.FromDiagnosticPort(path + ",connect", cancellation);
                connecting.Wait(cancellation);
                return connecting.Result.Instance;
            }

            if (new ProcessReader(pid).ReadStat() is null or { IsZombie: true })
            {
                return null;
            }

            cancellation.WaitHandle.WaitOne(StepMs);
            cancellation.ThrowIfCancellationRequested();
        }

        return null;
    }

    /// <summary>Whether a process has a port now.</summary>
    internal static bool Exists(int pid) => File.Exists(PathOf(pid));

    // The process may see another /tmp and be another pid to itself; its start time keeps it apart from one that had
    // the pid before.
    private static string? PathOf(int pid)
    {
        var reader = new ProcessReader(pid);
        if (reader.ReadStat() is not { } stat)
        {
            return null;
        }

        var own = reader.ReadStatus()?.NamespacePids is { Count: > 0 } pids ? pids[^1] : (uint)pid;
        var folder = reader.ReadEnvironment()?.FirstOrDefault(variable => variable.Key == "TMPDIR").Value;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"/proc/{pid}/root{(string.IsNullOrEmpty(folder) ? "/tmp" : folder)}/dotnet-diagnostic-{own}-{stat.StartTicks}-socket");
    }
}
