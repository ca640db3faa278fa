using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using NativeHeap.Collect.Server;
using NativeHeap.Model;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Launching;

/// <summary>Our end of the socket pair to nativeheap-launch, which starts the target and waits for it.</summary>
public sealed class SupervisorLink : IDisposable
{
    private const string Variable = "NATIVEHEAP_SUPERVISOR";
    private const int MaxText = 65_536;

    private readonly SafeFileHandle _socket;

    private SupervisorLink(SafeFileHandle socket)
    {
        _socket = socket;
    }

    /// <summary>The target ended. On the poll thread.</summary>
    public event Action<WaitStatus>? Ended;

    /// <summary>The user wants it over. On the poll thread.</summary>
    public event Action? Hurried;

    /// <summary>The supervisor is gone, which nothing but SIGKILL can do to it. On the poll thread.</summary>
    public event Action? Lost;

    /// <summary>The supervisor's pid: the process that the user's shell started.</summary>
    public static int Pid => Libc.GetParentPid();

    /// <summary>The link that the supervisor gave us, null when there is no supervisor. It is taken out of the
    /// environment and kept from our children.</summary>
    public static SupervisorLink? TryTake()
    {
        var number = Environment.GetEnvironmentVariable(Variable);
        Environment.SetEnvironmentVariable(Variable, null);
        if (!int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var descriptor))
        {
            return null;
        }
        var socket = new SafeFileHandle(descriptor, ownsHandle: true);
        return Libc.CloseOnExec(socket) ? new SupervisorLink(socket) : null;
    }

    /// <summary>Starts the target; returns when it runs.</summary>
    /// <param name="argumentCount">How many of the last arguments of our own command line are the target's.</param>
    /// <param name="settings">Environment to set; LD_PRELOAD is put before what the user has.</param>
    /// <returns>Its pid.</returns>
    /// <exception cref="ToolException">It cannot be executed, or the supervisor does not answer.</exception>
    public int Start(int argumentCount, IReadOnlyDictionary<string, string> settings)
    {
        var text = Encoding.UTF8.GetBytes(string.Concat(settings.Select(setting => $"{setting.Key}={setting.Value}\0")));
        if (text.Length > MaxText)
        {
            throw new ToolException("the settings of the target are too long", ExitCodes.Fault);
        }
        var order = new LaunchOrderRecord
        {
            Kind = (uint)LaunchKind.Start,
            ArgumentCount = (uint)argumentCount,
            TextBytes = (uint)text.Length,
        };
        byte[] message = [.. MemoryMarshal.AsBytes(new ReadOnlySpan<LaunchOrderRecord>(ref order)), .. text];
        if (Libc.Send(_socket, message) != message.Length || !TryReceive(out var report))
        {
            throw new ToolException("the supervisor does not answer", ExitCodes.Fault);
        }
        if (report.Kind != (uint)LaunchKind.Started)
        {
            throw new ToolException(
                $"the command cannot be started: {Marshal.GetPInvokeErrorMessage((int)report.Error)}", ExitCodes.Target);
        }
        return (int)report.Pid;
    }

    /// <summary>Has the supervisor end with a code of ours instead of the target's.</summary>
    /// <param name="exitCode">0 to 255.</param>
    public void Decide(int exitCode)
    {
        var order = new LaunchOrderRecord { Kind = (uint)LaunchKind.Verdict, ArgumentCount = (uint)exitCode };
        Libc.Send(_socket, MemoryMarshal.AsBytes(new ReadOnlySpan<LaunchOrderRecord>(ref order)));
    }

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();

    /// <summary>Has the events raised from now on.</summary>
    internal void Watch(PollLoop loop) => loop.Add(_socket, () =>
    {
        if (!TryReceive(out var report))
        {
            loop.Remove(_socket);
            Lost?.Invoke();
        }
        else if (report.Kind == (uint)LaunchKind.Ended)
        {
            Ended?.Invoke(WaitStatus.Of(report.Status));
        }
        else if (report.Kind == (uint)LaunchKind.Hurry)
        {
            Hurried?.Invoke();
        }
    });

    private bool TryReceive(out LaunchReportRecord report)
    {
        report = default;
        var bytes = MemoryMarshal.AsBytes(new Span<LaunchReportRecord>(ref report));
        while (bytes.Length > 0)
        {
            var got = Libc.Receive(_socket, bytes);
            if (got > 0)
            {
                bytes = bytes[got..];
            }
            else if (got == 0 || Libc.Error != Libc.Eintr)
            {
                return false;
            }
        }
        return true;
    }
}
