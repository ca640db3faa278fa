using Microsoft.Win32.SafeHandles;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Server;

/// <summary>What the server asks of the rest of the collector; called on the poll thread, must not wait.</summary>
internal interface IServerHost
{
    /// <summary>A target introduces itself.</summary>
    /// <returns>Its region, or null and why there is none.</returns>
    (SharedRegion? Region, WelcomeStatus Status) Welcome(in HelloRecord hello, Peer peer);

    /// <summary>The welcome was sent (true), or could not be (false: nobody has the region).</summary>
    void Welcomed(SharedRegion region, bool sent);

    /// <summary>A client asks for something; <see cref="ControlRequest.Answer"/> may be called from any thread, once.</summary>
    void Request(ControlRequest request);
}

/// <summary>Who connected, as the kernel tells.</summary>
/// <param name="Pid">In our pid namespace; 0 when it has no pid there.</param>
/// <param name="Process">A pidfd of it; invalid when there is none to be had. Owned by the receiver of the peer.</param>
internal sealed record Peer(int Pid, SafeFileHandle Process);

/// <summary>A control request of a client, and the way to answer it.</summary>
/// <param name="Record">What was asked; every field may hold anything.</param>
/// <param name="Answer">Sends the answer: result, and a name of at most 112 bytes of UTF-8.</param>
internal sealed record ControlRequest(RequestRecord Record, Action<RequestResult, string> Answer);

/// <summary>
/// The socket that targets and clients of the same user find us at. Whatever they send or fail to send, the server
/// lives on: connections are bounded in number and in time, and each is read into a buffer of fixed size.
/// </summary>
internal sealed class ControlServer : IDisposable
{
    /// <summary>Most connections at once; when there are more, the one that has been silent longest is closed.</summary>
    public const int MaxConnections = 128;

    /// <summary>How long a connection may take to say what it wants.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private const int Backlog = 4096; // the kernel cuts it to net.core.somaxconn
    private const int AcceptsAtOnce = 64;

    private readonly SafeFileHandle _listener;
    private readonly PollLoop _loop;
    private readonly IServerHost _host;
    private readonly LinkedList<Connection> _connections = new(); // oldest first

    private ControlServer(SafeFileHandle listener, PollLoop loop, IServerHost host)
    {
        _listener = listener;
        _loop = loop;
        _host = host;
        loop.Add(listener, AcceptSome);
        loop.Tick += CloseSilent;
    }

    /// <summary>Listens at a path; call before the loop starts.</summary>
    /// <exception cref="IOException">The socket cannot be made.</exception>
    public static ControlServer Listen(string path, PollLoop loop, IServerHost host)
    {
        var listener = Libc.Listen(path, Backlog);
        if (listener.IsInvalid)
        {
            throw new IOException($"cannot listen at {path}: {Libc.ErrorText}");
        }
        return new ControlServer(listener, loop, host);
    }

    /// <summary>Accepts nobody any more and closes every connection. On the loop's thread.</summary>
    public void Stop()
    {
        _loop.Remove(_listener);
        _loop.Tick -= CloseSilent;
        while (_connections.First is { } first)
        {
            Close(first.Value);
        }
        _listener.Dispose();
    }

    /// <summary>Closes every connection and the socket; call after the loop has ended.</summary>
    public void Dispose()
    {
        foreach (var connection in _connections)
        {
            connection.Dispose();
        }
        _connections.Clear();
        _listener.Dispose();
    }

    private void AcceptSome()
    {
        for (var i = 0; i < AcceptsAtOnce; i++)
        {
            var socket = Libc.Accept(_listener);
            if (socket.IsInvalid)
            {
                // Out of descriptors: those that say nothing make room.
                if (Libc.Error is not (Libc.Eagain or Libc.Eintr) && _connections.First is { } oldest)
                {
                    Close(oldest.Value);
                }
                return;
            }
            if (!IsAllowed(socket, out var pid))
            {
                socket.Dispose();
                continue;
            }
            Begin(socket, pid);
        }
    }

    // The socket's mode keeps other users out; this holds where the folder has been opened up, or modes mean nothing.
    private static bool IsAllowed(SafeFileHandle socket, out int pid)
    {
        var known = Libc.TryGetCredentials(socket, out var credentials);
        pid = credentials.Pid;
        return known && (credentials.UserId == Libc.GetUserId() || credentials.UserId == 0);
    }

    private void Begin(SafeFileHandle socket, int pid)
    {
        if (_connections.Count >= MaxConnections)
        {
            Close(_connections.First!.Value);
        }
        var connection = new Connection(socket, pid, _host, PostAnswer);
        _connections.AddLast(connection);
        _loop.Add(socket, () =>
        {
            if (!connection.Advance())
            {
                Close(connection);
            }
        });
    }

    private void PostAnswer(Connection connection, RequestRecord answer) => _loop.Post(() =>
    {
        if (_connections.Contains(connection))
        {
            connection.Finish(answer);
            Close(connection);
        }
    });

    private void CloseSilent()
    {
        var now = Environment.TickCount64;
        for (var node = _connections.First; node is not null;)
        {
            var next = node.Next;
            if (!node.Value.IsAnswering && now - node.Value.Since > Patience.TotalMilliseconds)
            {
                Close(node.Value);
            }
            node = next;
        }
    }

    private void Close(Connection connection)
    {
        _loop.Remove(connection.Socket);
        _connections.Remove(connection);
        connection.Dispose();
    }
}
