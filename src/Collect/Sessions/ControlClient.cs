using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using NativeHeap.Collect.Launching;
using NativeHeap.Collect.Server;
using NativeHeap.Memory.Proc;
using NativeHeap.Model;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Sessions;

/// <summary>Asks the collector of a recorded process for something. For one thread.</summary>
public static class ControlClient
{
    /// <summary>Has a snapshot taken; returns when it can be read.</summary>
    /// <param name="pid">A recorded process.</param>
    /// <param name="name">Null: the snapshot gets a number alone.</param>
    /// <returns>The name to read it by is the given one, or its number.</returns>
    /// <exception cref="ToolException">The process is not being recorded (exit code 3), or the name cannot be given
    /// (exit code 2).</exception>
    public static TakenSnapshot TakeSnapshot(int pid, string? name)
    {
        var text = Encoding.UTF8.GetBytes(name ?? "");
        if (text.Length > RequestText.MaxBytes)
        {
            throw new ToolException($"a snapshot's name has at most {RequestText.MaxBytes} bytes", ExitCodes.Usage);
        }
        var request = new RequestRecord
        {
            Kind = (uint)RequestKind.Snapshot,
            Pid = (uint)pid,
            TextLength = (uint)text.Length,
        };
        text.CopyTo((Span<byte>)request.Text);
        var answer = Ask(pid, request);
        return (RequestResult)answer.Result switch
        {
            RequestResult.Done or RequestResult.DoneInPart => Taken(answer),
            RequestResult.NameTaken => throw new ToolException(
                $"'{name}' cannot be a snapshot's name: it is taken, or means something already", ExitCodes.Usage),
            RequestResult.UnknownPid => throw NotRecorded(pid, "its collector does not know it"),
            _ => throw new ToolException("the collector could not take the snapshot", ExitCodes.Fault),
        };
    }

    /// <summary>Has the snapshot taken for which the collector wants objects counted; returns when it can be read.</summary>
    /// <param name="pid">The process whose objects are counted.</param>
    /// <exception cref="ToolException">The process is not being recorded, or no snapshot is due (exit code 3).</exception>
    public static TakenSnapshot TakeDueSnapshot(int pid)
    {
        var answer = Ask(pid, Request(RequestKind.DueSnapshot, pid, ""));
        return (RequestResult)answer.Result is RequestResult.Done or RequestResult.DoneInPart
            ? Taken(answer)
            : throw new ToolException($"no snapshot of process {pid} is due", ExitCodes.Target);
    }

    /// <summary>Has recording paused, or taken up again.</summary>
    /// <param name="pid">A recorded process.</param>
    /// <param name="pause">Which of the two.</param>
    /// <returns>False when it was so already.</returns>
    /// <exception cref="ToolException">The process is not being recorded (exit code 3).</exception>
    public static bool Pause(int pid, bool pause)
    {
        var answer = Ask(pid, Request(pause ? RequestKind.Pause : RequestKind.Resume, pid, ""));
        return (RequestResult)answer.Result == RequestResult.Done
            ? answer.TextLength > 0
            : throw NotRecorded(pid, "its collector does not know it");
    }

    /// <summary>Has births recorded at another rate from now on.</summary>
    /// <param name="pid">A recorded process.</param>
    /// <param name="meanBytes">Mean bytes between samples, 1 TiB at most; 0: every birth.</param>
    /// <returns>False when it was so already.</returns>
    /// <exception cref="ToolException">The process is not being recorded, or needs every block (exit code 3).</exception>
    public static bool Sample(int pid, long meanBytes)
    {
        var answer = Ask(pid, Request(RequestKind.Sample, pid, meanBytes.ToString(CultureInfo.InvariantCulture)));
        return (RequestResult)answer.Result switch
        {
            RequestResult.Done => answer.TextLength > 0,
            RequestResult.Failed => throw new ToolException(
                $"process {pid} cannot be sampled: {RequestText.Read(answer)}", ExitCodes.Target),
            _ => throw NotRecorded(pid, "its collector does not know it"),
        };
    }

    /// <summary>Has the heap checked; returns when the result can be read.</summary>
    /// <param name="pid">A recorded process.</param>
    /// <returns>The check's number in the trace.</returns>
    /// <exception cref="ToolException">The process is not being recorded (exit code 3), or could not be looked at (exit
    /// code 5).</exception>
    public static int Check(int pid)
    {
        var answer = Ask(pid, Request(RequestKind.Check, pid, ""), () => new ToolException(
            $"process {pid} could not be checked: its recording ended", ExitCodes.Incomplete));
        var text = RequestText.Read(answer) ?? "";
        return (RequestResult)answer.Result switch
        {
            RequestResult.Done when int.TryParse(text, CultureInfo.InvariantCulture, out var number) => number,
            RequestResult.UnknownPid => throw NotRecorded(pid, "its collector does not know it"),
            _ => throw new ToolException(
                $"process {pid} could not be checked: {(text.Length > 0 ? text : "its collector does not check heaps")}",
                ExitCodes.Incomplete),
        };
    }

    /// <summary>The trace that a process is being recorded to.</summary>
    /// <param name="pid">A recorded process.</param>
    /// <exception cref="ToolException">The process is not being recorded (exit code 3).</exception>
    public static string TracePath(int pid)
    {
        var path = "";
        while (true)
        {
            var start = Encoding.UTF8.GetByteCount(path).ToString(CultureInfo.InvariantCulture);
            var answer = Ask(pid, Request(RequestKind.TracePath, pid, start));
            if ((RequestResult)answer.Result != RequestResult.Done || RequestText.Read(answer) is not { } piece)
            {
                throw NotRecorded(pid, "its collector does not say where");
            }

            if (piece.Length == 0)
            {
                return path;
            }

            path += piece;
        }
    }

    /// <summary>Has the recording of a process end that was attached to; returns when its collector has ended.</summary>
    /// <param name="pid">A recorded process.</param>
    /// <returns>The trace.</returns>
    /// <exception cref="ToolException">The process is not being recorded, or not by an attach (exit code 3).</exception>
    public static string Detach(int pid)
    {
        var trace = TracePath(pid);
        using var collector = OpenCollector(pid);
        var answer = Ask(pid, Request(RequestKind.Detach, pid, ""));
        if ((RequestResult)answer.Result != RequestResult.Done)
        {
            throw new ToolException(
                $"process {pid} was not attached to: its recording ends with it, or with its collector", ExitCodes.Target);
        }

        // A pidfd can be read when its process has ended.
        if (!collector.IsInvalid)
        {
            Libc.WaitForEnd(collector);
        }

        return trace;
    }

    private static TakenSnapshot Taken(in RequestRecord answer) =>
        new(RequestText.Read(answer) ?? "", (RequestResult)answer.Result == RequestResult.Done);

    private static SafeFileHandle OpenCollector(int pid)
    {
        using var socket = Connect(pid);
        return Libc.TryGetCredentials(socket, out var credentials)
            ? Libc.OpenProcess(credentials.Pid)
            : throw NotRecorded(pid, "its collector is ending");
    }

    private static RequestRecord Request(RequestKind kind, int pid, string value)
    {
        var text = Encoding.UTF8.GetBytes(value);
        var request = new RequestRecord { Kind = (uint)kind, Pid = (uint)pid, TextLength = (uint)text.Length };
        text.CopyTo((Span<byte>)request.Text);
        return request;
    }

    // unanswered: thrown when whoever was asked is gone.
    private static RequestRecord Ask(int pid, RequestRecord request, Func<ToolException>? unanswered = null)
    {
        using var socket = Connect(pid);
        return TryAsk(socket, request, out var answer)
            ? answer
            : throw unanswered?.Invoke() ?? NotRecorded(pid, "its collector is ending");
    }

    private static bool TryAsk(SafeFileHandle socket, RequestRecord request, out RequestRecord answer)
    {
        var hello = new HelloRecord
        {
            Magic = WireConstants.HelloMagic,
            Version = WireConstants.WireVersion,
            Peer = (uint)Wire.Peer.Client,
            Pid = (uint)Environment.ProcessId,
        };
        byte[] message =
        [
            .. MemoryMarshal.AsBytes(new ReadOnlySpan<HelloRecord>(ref hello)),
            .. MemoryMarshal.AsBytes(new ReadOnlySpan<RequestRecord>(ref request)),
        ];
        answer = default;
        return Libc.Send(socket, message) == message.Length
            && TryReceive(socket, MemoryMarshal.AsBytes(new Span<RequestRecord>(ref answer)));
    }

    private static SafeFileHandle Connect(int pid)
    {
        var process = new ProcessReader(pid);
        if (process.ReadStat() is null)
        {
            throw new ToolException($"there is no process {pid}", ExitCodes.Target);
        }

        var path = Collectors.FindSocket(pid) ?? (process.ReadEnvironment() is { } environment
            ? environment.FirstOrDefault(variable => variable.Key == ShimSettings.Socket).Value
                ?? throw NotRecorded(pid, "it was not started by nativeheap run, nor attached to")
            : FindByAsking(pid)
                ?? throw new ToolException($"the environment of process {pid} cannot be read: it belongs to somebody else, or may not be looked at", ExitCodes.Target));
        var socket = Libc.Connect(path);
        return socket.IsInvalid ? throw NotRecorded(pid, $"its collector is gone ({Libc.ErrorText})") : socket;
    }

    // Of a process that nobody may look at, one that has made itself undumpable say, its collector still knows.
    private static string? FindByAsking(int pid)
    {
        foreach (var path in Collectors.Sockets())
        {
            using var socket = Libc.Connect(path);
            if (!socket.IsInvalid && TryAsk(socket, Request(RequestKind.TracePath, pid, "0"), out var answer)
                && (RequestResult)answer.Result == RequestResult.Done)
            {
                return path;
            }
        }

        return null;
    }

    private static bool TryReceive(SafeFileHandle socket, Span<byte> to)
    {
        while (to.Length > 0)
        {
            var got = Libc.Receive(socket, to);
            if (got > 0)
            {
                to = to[got..];
            }
            else if (got == 0 || Libc.Error != Libc.Eintr)
            {
                return false;
            }
        }
        return true;
    }

    private static ToolException NotRecorded(int pid, string reason) =>
        new($"process {pid} is not being recorded: {reason}", ExitCodes.Target);
}
