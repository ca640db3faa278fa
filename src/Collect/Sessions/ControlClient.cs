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
    /// <returns>The name to read it by: the given one, or its number.</returns>
    /// <exception cref="ToolException">The process is not being recorded (exit code 3), or the name cannot be given
    /// (exit code 2).</exception>
    public static string TakeSnapshot(int pid, string? name)
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
            RequestResult.Done => RequestText.Read(answer) ?? "",
            RequestResult.NameTaken => throw new ToolException(
                $"'{name}' cannot be a snapshot's name: it is taken, or means something already", ExitCodes.Usage),
            RequestResult.UnknownPid => throw NotRecorded(pid, "its collector does not know it"),
            _ => throw new ToolException("the collector could not take the snapshot", ExitCodes.Fault),
        };
    }

    private static RequestRecord Ask(int pid, RequestRecord request)
    {
        using var socket = Connect(pid);
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
        RequestRecord answer = default;
        if (Libc.Send(socket, message) != message.Length
            || !TryReceive(socket, MemoryMarshal.AsBytes(new Span<RequestRecord>(ref answer))))
        {
            throw NotRecorded(pid, "its collector is ending");
        }
        return answer;
    }

    private static SafeFileHandle Connect(int pid)
    {
        var process = new ProcessReader(pid);
        if (process.ReadStat() is null)
        {
            throw new ToolException($"there is no process {pid}", ExitCodes.Target);
        }
        var environment = process.ReadEnvironment()
            ?? throw new ToolException($"the environment of process {pid} cannot be read: it belongs to somebody else, or may not be looked at", ExitCodes.Target);
        var path = environment.FirstOrDefault(variable => variable.Key == ShimSettings.Socket).Value
            ?? throw NotRecorded(pid, "it was not started by nativeheap run");
        var socket = Libc.Connect(path);
        return socket.IsInvalid ? throw NotRecorded(pid, $"its collector is gone ({Libc.ErrorText})") : socket;
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
