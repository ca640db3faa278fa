using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Server;

/// <summary>One peer of the server: hello, then a welcome for a target or a request for a client. Poll thread only.</summary>
internal sealed class Connection : IDisposable
{
    private readonly byte[] _received = new byte[HelloRecord.StatedSize + RequestRecord.StatedSize];
    private readonly int _pid;
    private readonly IServerHost _host;
    private readonly Action<Connection, RequestRecord> _answer;
    private int _count;
    private bool _isClient;

    /// <summary>A connection that has said nothing yet. Owns the socket.</summary>
    /// <param name="socket">Non-blocking.</param>
    /// <param name="pid">The peer's, 0 when unknown.</param>
    /// <param name="host">Told what the peer wants.</param>
    /// <param name="answer">Called from any thread with a client's answer.</param>
    public Connection(SafeFileHandle socket, int pid, IServerHost host, Action<Connection, RequestRecord> answer)
    {
        Socket = socket;
        _pid = pid;
        _host = host;
        _answer = answer;
    }

    /// <summary>The socket.</summary>
    public SafeFileHandle Socket { get; }

    /// <summary>When it was accepted, by <see cref="Environment.TickCount64"/>.</summary>
    public long Since { get; } = Environment.TickCount64;

    /// <summary>True while we are the ones who are awaited.</summary>
    public bool IsAnswering { get; private set; }

    /// <summary>Takes what has come.</summary>
    /// <returns>False when the connection is over.</returns>
    public bool Advance()
    {
        if (IsAnswering)
        {
            return false; // it hung up, or says more than there is to say
        }
        var end = _isClient ? _received.Length : HelloRecord.StatedSize;
        var got = Libc.Receive(Socket, _received.AsSpan(_count, end - _count));
        if (got <= 0)
        {
            return got < 0 && Libc.Error is Libc.Eagain or Libc.Eintr;
        }
        _count += got;
        if (_count < end)
        {
            return true;
        }
        return _isClient ? TakeRequest() : TakeHello();
    }

    /// <summary>Sends a client its answer.</summary>
    public void Finish(RequestRecord answer) => _ = Libc.Send(Socket, MemoryMarshal.AsBytes(new ReadOnlySpan<RequestRecord>(ref answer)));

    /// <inheritdoc/>
    public void Dispose() => Socket.Dispose();

    private bool TakeHello()
    {
        var hello = MemoryMarshal.Read<HelloRecord>(_received);
        if (hello.Magic != WireConstants.HelloMagic)
        {
            return false;
        }
        if (hello.Version != WireConstants.WireVersion)
        {
            Send(WelcomeStatus.WrongVersion, null);
            return false;
        }
        if (hello.Peer == (uint)Wire.Peer.Client)
        {
            _isClient = true;
            return true;
        }
        if (hello.Peer == (uint)Wire.Peer.Shim)
        {
            Welcome(hello);
        }
        return false;
    }

    private void Welcome(in HelloRecord hello)
    {
        var (region, status) = _host.Welcome(hello, new Peer(_pid, OpenPeer()));
        var sent = Send(status, region);
        if (region is not null)
        {
            _host.Welcomed(region, sent);
        }
    }

    private SafeFileHandle OpenPeer()
    {
        var process = Libc.GetPeerPidfd(Socket);
        if (process.IsInvalid && _pid != 0)
        {
            process.Dispose();
            process = Libc.OpenProcess(_pid);
        }
        return process;
    }

    private bool Send(WelcomeStatus status, SharedRegion? region)
    {
        var welcome = new WelcomeRecord
        {
            Magic = WireConstants.HelloMagic,
            Version = WireConstants.WireVersion,
            Status = (uint)status,
            RegionBytes = region?.Bytes ?? 0,
        };
        var bytes = MemoryMarshal.AsBytes(new ReadOnlySpan<WelcomeRecord>(ref welcome));
        var sent = region is null ? Libc.Send(Socket, bytes) : Libc.Send(Socket, bytes, region.Memory);
        return sent == bytes.Length;
    }

    private bool TakeRequest()
    {
        var request = MemoryMarshal.Read<RequestRecord>(_received.AsSpan(HelloRecord.StatedSize));
        IsAnswering = true;
        _host.Request(new ControlRequest(request, (result, name) => _answer(this, Answer(request, result, name))));
        return true;
    }

    private static RequestRecord Answer(RequestRecord request, RequestResult result, string name)
    {
        var text = Encoding.UTF8.GetBytes(name).AsSpan();
        text = text[..Math.Min(text.Length, RequestText.MaxBytes)];
        request.Result = (uint)result;
        request.TextLength = (uint)text.Length;
        Span<byte> place = request.Text;
        place.Clear();
        text.CopyTo(place);
        return request;
    }
}
