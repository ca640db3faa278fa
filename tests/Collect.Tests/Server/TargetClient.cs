using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Tests.Server;

/// <summary>The other end of the socket: what a shim or a client does, with everything in the test's hands.</summary>
internal sealed unsafe partial class TargetClient : IDisposable
{
    private readonly SafeFileHandle _socket;

    public TargetClient(string path)
    {
        _socket = Collect.Server.Libc.Connect(path);
        Assert.False(_socket.IsInvalid, Collect.Server.Libc.ErrorText);
        // A server that never answers fails the test instead of holding it.
        var patience = stackalloc long[] { 30, 0 };
        _ = SetOption(_socket, 1, 20, patience, 16);
    }

    public static HelloRecord Hello(Wire.Peer peer = Wire.Peer.Shim) => new()
    {
        Magic = WireConstants.HelloMagic,
        Version = WireConstants.WireVersion,
        Peer = (uint)peer,
        Pid = (uint)Environment.ProcessId,
        StartNs = (ulong)Stopwatch.GetTimestamp(),
    };

    public static byte[] Bytes<T>(T record)
        where T : unmanaged => MemoryMarshal.AsBytes(new ReadOnlySpan<T>(ref record)).ToArray();

    public int Send(params byte[] bytes) => Collect.Server.Libc.Send(_socket, bytes);

    public void Hang() => _ = Shutdown(_socket, 1);

    /// <summary>The next bytes; fewer than asked for when the server hung up.</summary>
    public byte[] Receive(int count)
    {
        var bytes = new byte[count];
        var have = 0;
        while (have < count)
        {
            var got = Collect.Server.Libc.Receive(_socket, bytes.AsSpan(have));
            if (got <= 0)
            {
                break;
            }
            have += got;
        }
        return bytes[..have];
    }

    /// <summary>The welcome and the region's memory, null when none was attached.</summary>
    public (WelcomeRecord Welcome, SafeFileHandle? Memory) ReceiveWelcome()
    {
        WelcomeRecord welcome;
        var control = stackalloc byte[64];
        var vector = stackalloc nint[2] { (nint)(&welcome), WelcomeRecord.StatedSize };
        var message = stackalloc nint[7] { 0, 0, (nint)vector, 1, (nint)control, 64, 0 };
        Assert.Equal(WelcomeRecord.StatedSize, (int)Recvmsg(_socket, message, 0x40000000));
        return (welcome, message[5] == 0 ? null : new SafeFileHandle(*(int*)(control + 16), ownsHandle: true));
    }

    public void Dispose() => _socket.Dispose();

    [LibraryImport("libc", EntryPoint = "recvmsg", SetLastError = true)]
    private static partial nint Recvmsg(SafeFileHandle socket, nint* message, int flags);

    [LibraryImport("libc", EntryPoint = "shutdown")]
    private static partial int Shutdown(SafeFileHandle socket, int how);

    [LibraryImport("libc", EntryPoint = "setsockopt")]
    private static partial int SetOption(SafeFileHandle socket, int level, int option, void* value, int bytes);
}
