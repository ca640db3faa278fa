using System.Collections.Concurrent;
using System.Diagnostics;
using NativeHeap.Collect.Server;
using NativeHeap.Wire;
using Peer = NativeHeap.Collect.Server.Peer;

namespace NativeHeap.Collect.Tests.Server;

/// <summary>A running server and a host that does the least.</summary>
internal sealed class ServerFixture : IServerHost, IDisposable
{
    private readonly PrivateFolder _folder = PrivateFolder.Create();
    private readonly PollLoop _loop;
    private readonly ControlServer _server;
    private readonly List<SharedRegion> _regions = [];

    public ServerFixture()
    {
        _loop = new PollLoop(Faults.Add);
        _server = ControlServer.Listen(_folder.SocketPath, _loop, this);
        _loop.Start();
    }

    public string Path => _folder.SocketPath;

    public BlockingCollection<ControlRequest> Requests { get; } = [];

    public ConcurrentQueue<Peer> Peers { get; } = [];

    public ConcurrentBag<Exception> Faults { get; } = [];

    public (SharedRegion? Region, WelcomeStatus Status) Welcome(in HelloRecord hello, Peer peer)
    {
        Peers.Enqueue(peer);
        if (RegionSize.Fit(hello.RegionLimit) is not { } layout)
        {
            return (null, WelcomeStatus.TooSmall);
        }
        var region = SharedRegion.Create(layout, "nativeheap-test", hello.SampleBytes, (ulong)Stopwatch.GetTimestamp());
        Assert.NotNull(region);
        return (region, WelcomeStatus.Accepted);
    }

    public void Welcomed(SharedRegion region, bool sent) => _regions.Add(region);

    public void Request(ControlRequest request) => Requests.Add(request);

    /// <summary>A whole handshake; fails the test unless a region comes out of it.</summary>
    public void Handshake()
    {
        using var client = new TargetClient(Path);
        client.Send(TargetClient.Bytes(TargetClient.Hello()));
        var (welcome, memory) = client.ReceiveWelcome();
        using (memory)
        {
            Assert.Equal((uint)WelcomeStatus.Accepted, welcome.Status);
            Assert.NotNull(memory);
        }
    }

    public void Dispose()
    {
        _loop.Dispose();
        _server.Dispose();
        _regions.ForEach(region => region.Dispose());
        _folder.Dispose();
        Requests.Dispose();
        foreach (var peer in Peers)
        {
            peer.Process.Dispose();
        }
        Assert.Empty(Faults);
    }
}
