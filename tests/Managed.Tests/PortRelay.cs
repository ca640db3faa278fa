using System.Net.Sockets;

namespace NativeHeap.Managed.Tests;

/// <summary>
/// Stands between a runtime and the port it comes to, and passes everything on; of each connection's bytes from the runtime
/// every 97th behind the first so many is changed.
/// </summary>
internal sealed class PortRelay : IDisposable
{
    private const int Step = 97;

    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly string _port;
    private readonly int _damageFrom;

    public PortRelay(string path, string port, int damageFrom)
    {
        _port = port;
        _damageFrom = damageFrom;
        _listener.Bind(new UnixDomainSocketEndPoint(path));
        _listener.Listen();
        new Thread(Accept) { IsBackground = true }.Start();
    }

    /// <summary>Bytes that were changed.</summary>
    public int Damaged { get; private set; }

    public void Dispose() => _listener.Dispose();

    private void Accept()
    {
        try
        {
            while (true)
            {
                var runtime = _listener.Accept();
                var tool = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                tool.Connect(new UnixDomainSocketEndPoint(_port));
                new Thread(() => Pump(runtime, tool, _damageFrom)) { IsBackground = true }.Start();
                new Thread(() => Pump(tool, runtime, int.MaxValue)) { IsBackground = true }.Start();
            }
        }
        catch (SocketException)
        {
            // the test is over, or the tool listens no more
        }
        catch (ObjectDisposedException)
        {
            // the test is over
        }
    }

    private void Pump(Socket from, Socket to, int damageFrom)
    {
        var bytes = new byte[8192];
        var passed = 0L;
        try
        {
            for (int count; (count = from.Receive(bytes)) > 0; passed += count)
            {
                for (var i = 0; i < count; i++)
                {
                    if (passed + i >= damageFrom && (passed + i) % Step == 0)
                    {
                        bytes[i] ^= 0x55;
                        Damaged++;
                    }
                }

                to.Send(bytes.AsSpan(0, count));
            }

            to.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // One of them hung up, which the other is to see.
            from.Dispose();
            to.Dispose();
        }
        catch (ObjectDisposedException)
        {
            // one of them is gone
        }
    }
}
