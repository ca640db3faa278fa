using CsCheck;
using NativeHeap.Collect.Server;
using NativeHeap.Testing;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Tests.Server;

public sealed unsafe class ControlServerTests
{
    [Fact]
    public void A_target_gets_a_sealed_region_of_the_size_it_is_told()
    {
        using var server = new ServerFixture();
        using var client = new TargetClient(server.Path);
        client.Send(TargetClient.Bytes(TargetClient.Hello()));
        var (welcome, memory) = client.ReceiveWelcome();
        using (memory)
        {
            Assert.Equal(WireConstants.HelloMagic, welcome.Magic);
            Assert.Equal((uint)WelcomeStatus.Accepted, welcome.Status);
            Assert.NotNull(memory);
            Assert.False(Collect.Server.Libc.Resize(memory, 4096), "it can be shrunk");
            Assert.False(Collect.Server.Libc.Resize(memory, welcome.RegionBytes * 2), "it can be grown");

            var start = Collect.Server.Libc.MapWhole(memory, welcome.RegionBytes);
            Assert.True(start != null);
            var view = new RegionView(start, welcome.RegionBytes);
            Assert.Equal(Control.Record, view.Control);
            Assert.NotEqual(0u, *(uint*)view.Owner);
            Collect.Server.Libc.Unmap(start, welcome.RegionBytes);
        }
    }

    [Fact]
    public void The_server_knows_its_peer_from_the_kernel_and_not_from_the_hello()
    {
        using var server = new ServerFixture();
        using var client = new TargetClient(server.Path);
        client.Send(TargetClient.Bytes(TargetClient.Hello() with { Pid = 1 }));
        using var memory = client.ReceiveWelcome().Memory;
        Assert.True(server.Peers.TryPeek(out var peer));
        Assert.Equal(Environment.ProcessId, peer.Pid);
        Assert.False(peer.Process.IsInvalid);
    }

    [Fact]
    public void Another_user_that_reaches_the_socket_gets_nothing()
    {
        const string Say = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
            + "s.sendall(bytes.fromhex(sys.argv[2])); print(len(s.recv(4096)))";
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root to become another user");
        using var server = new ServerFixture();
        File.SetUnixFileMode(Path.GetDirectoryName(server.Path)!, (UnixFileMode)0x1ED); // 755
        File.SetUnixFileMode(server.Path, (UnixFileMode)0x1B6); // 666
        string[] say = ["/usr/bin/python3", "-c", Say, server.Path, Convert.ToHexString(TargetClient.Bytes(TargetClient.Hello()))];
        Assert.NotEqual("0\n", Tool.Run(say[0], say[1..]));
        var (_, output, errors) = Tool.TryRun("setpriv", ["--reuid=12345", "--regid=12345", "--clear-groups", .. say]);
        Assert.True(output == "0\n" || errors.Contains("ConnectionReset", StringComparison.Ordinal) || errors.Contains("BrokenPipe", StringComparison.Ordinal), output + errors);
        Assert.Single(server.Peers);
    }

    [Fact]
    public void Another_version_is_told_so_and_gets_nothing()
    {
        using var server = new ServerFixture();
        using var client = new TargetClient(server.Path);
        client.Send(TargetClient.Bytes(TargetClient.Hello() with { Version = 99 }));
        var (welcome, memory) = client.ReceiveWelcome();
        Assert.Equal((uint)WelcomeStatus.WrongVersion, welcome.Status);
        Assert.Equal(WireConstants.WireVersion, welcome.Version);
        Assert.Null(memory);
    }

    [Fact]
    public void A_target_without_address_space_is_told_so_and_gets_nothing()
    {
        using var server = new ServerFixture();
        using var client = new TargetClient(server.Path);
        client.Send(TargetClient.Bytes(TargetClient.Hello() with { RegionLimit = 1 << 20 }));
        var (welcome, memory) = client.ReceiveWelcome();
        Assert.Equal((uint)WelcomeStatus.TooSmall, welcome.Status);
        Assert.Null(memory);
    }

    [Fact]
    public void A_hello_may_come_in_pieces()
    {
        using var server = new ServerFixture();
        using var client = new TargetClient(server.Path);
        foreach (var part in TargetClient.Bytes(TargetClient.Hello()))
        {
            Assert.Equal(1, client.Send(part));
        }
        Assert.Equal((uint)WelcomeStatus.Accepted, client.ReceiveWelcome().Welcome.Status);
    }

    [Fact]
    public void A_client_is_answered_whenever_the_answer_is_there()
    {
        using var server = new ServerFixture();
        using var client = new TargetClient(server.Path);
        client.Send(TargetClient.Bytes(TargetClient.Hello(Wire.Peer.Client)));
        var asked = new RequestRecord { Kind = (uint)RequestKind.Snapshot, Pid = 42 };
        client.Send(TargetClient.Bytes(asked));
        var request = server.Requests.Take(TestContext.Current.CancellationToken);
        Assert.Equal(42u, request.Record.Pid);
        server.Handshake(); // others are served meanwhile

        request.Answer(RequestResult.Done, "before é");
        var answer = System.Runtime.InteropServices.MemoryMarshal.Read<RequestRecord>(
            client.Receive(RequestRecord.StatedSize));
        Assert.Equal((uint)RequestResult.Done, answer.Result);
        Assert.Equal("before é", RequestText.Read(answer));
        Assert.Empty(client.Receive(1));
    }

    [Fact]
    public void A_client_that_hangs_up_before_its_answer_harms_nobody()
    {
        using var server = new ServerFixture();
        ControlRequest request;
        using (var client = new TargetClient(server.Path))
        {
            client.Send(TargetClient.Bytes(TargetClient.Hello(Wire.Peer.Client)));
            client.Send(TargetClient.Bytes(new RequestRecord { Kind = (uint)RequestKind.Snapshot }));
            request = server.Requests.Take(TestContext.Current.CancellationToken);
        }
        server.Handshake();
        request.Answer(RequestResult.Done, "late");
        server.Handshake();
    }

    [Fact]
    public void A_thousand_silent_connections_do_not_keep_a_target_out()
    {
        using var server = new ServerFixture();
        var silent = Enumerable.Range(0, 1000).Select(_ => new TargetClient(server.Path)).ToList();
        server.Handshake();
        silent.ForEach(client => client.Dispose());
        server.Handshake();
    }

    [Fact]
    public void Garbage_of_any_length_never_takes_the_server_down()
    {
        using var server = new ServerFixture();
        var hello = TargetClient.Bytes(TargetClient.Hello());
        var client = TargetClient.Bytes(TargetClient.Hello(Wire.Peer.Client));
        var start = Gen.OneOf(new[] { Array.Empty<byte>(), hello[..8], hello[..16], hello[..20], client, client[..63] }.Select(Gen.Const).ToArray());
        Gen.Select(start, Gen.Byte.Array[0, 400], Gen.Bool).Sample(
            (first, rest, hangUp) =>
            {
                using var peer = new TargetClient(server.Path);
                peer.Send([.. first, .. rest]);
                if (hangUp)
                {
                    peer.Hang();
                }
                while (server.Requests.TryTake(out var request))
                {
                    request.Answer(RequestResult.UnknownKind, "");
                }
            },
            iter: 2000,
            threads: 1);
        server.Handshake();
    }
}
