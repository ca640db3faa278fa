using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using NativeHeap.Collect.Sessions;

namespace NativeHeap.Cli;

/// <summary>Has objects counted by a process of its own, <c>snapshot --due</c>: what it takes of memory goes with it, and
/// when it breaks down nobody else does.</summary>
internal sealed class ObjectCounter : IObjectCounter
{
    private const int MostAtOnce = 2; // of all programs that a collector records
    private const int LongestProblem = 400;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private int _running;

    /// <inheritdoc/>
    public Task<string?>? TryBegin(int pid, CancellationToken cancellation)
    {
        if (Interlocked.Increment(ref _running) > MostAtOnce)
        {
            Interlocked.Decrement(ref _running);
            return null;
        }

        return Task.Run(() => Count(pid, cancellation), CancellationToken.None);
    }

    private async Task<string?> Count(int pid, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(Patience);
        try
        {
            using var process = Process.Start(Command(pid))!;
            process.StandardInput.Close();
            var output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
            var errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
            using (patience.Token.Register(process.Kill))
            {
                await process.WaitForExitAsync(CancellationToken.None);
            }

            await output;
            return process.ExitCode == 0 ? null : patience.IsCancellationRequested ? "it took too long" : Problem(await errors);
        }
        catch (Win32Exception error)
        {
            return error.Message;
        }
        finally
        {
            Interlocked.Decrement(ref _running);
        }
    }

    private static ProcessStartInfo Command(int pid)
    {
        string[] arguments = ["snapshot", "--due", "--pid", pid.ToString(CultureInfo.InvariantCulture)];
        return new ProcessStartInfo(Ourselves.Command[0], [.. Ourselves.Command.Skip(1), .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
    }

    // The last line that it said, without our name before it.
    private static string Problem(string errors)
    {
        var line = errors.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).LastOrDefault() ?? "no reason given";
        var start = line.IndexOf(": ", StringComparison.Ordinal);
        line = line.StartsWith("nativeheap", StringComparison.Ordinal) && start > 0 ? line[(start + 2)..] : line;
        return line.Length > LongestProblem ? line[..LongestProblem] : line;
    }
}
