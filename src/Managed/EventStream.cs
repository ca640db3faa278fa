using System.Diagnostics.Tracing;
using System.Net.Sockets;
using Microsoft.Diagnostics.NETCore.Client;
using Microsoft.Diagnostics.Tracing;
using Microsoft.Diagnostics.Tracing.Parsers;

namespace NativeHeap.Managed;

/// <summary>One EventPipe session of a runtime.</summary>
internal sealed class EventStream : IDisposable
{
    // The most that the runtime keeps for us until we read it; it takes no more than it needs.
    private const int BufferMegabytes = 64;
    private const int CollectionsBufferMegabytes = 4;

    private const long MethodDiagnostic = 0x2000000000; // CompilationDiagnostic: MethodR2RGetEntryPoint

    private const long Code = (long)(ClrTraceEventParser.Keywords.Jit
        | ClrTraceEventParser.Keywords.NGen
        | ClrTraceEventParser.Keywords.Loader
        | ClrTraceEventParser.Keywords.JittedMethodILToNativeMap);

    private readonly DiagnosticsClient _client;
    private readonly EventPipeSession _session;
    private int _isDisposed;

    private EventStream(DiagnosticsClient client, EventPipeSession session)
    {
        _client = client;
        _session = session;
    }

    /// <summary>What is compiled from now on.</summary>
    internal static EventPipeSessionConfiguration Live { get; } = new(
        [new EventPipeProvider("Microsoft-Windows-DotNETRuntime", EventLevel.Verbose, Code | MethodDiagnostic)],
        BufferMegabytes,
        requestRundown: false,
        requestStackwalk: false);

    /// <summary>What the garbage collector does from now on. Not together with methods: at their level it would also tell
    /// of every 100 KB that are allocated.</summary>
    internal static EventPipeSessionConfiguration Collections { get; } = new(
        [new EventPipeProvider("Microsoft-Windows-DotNETRuntime", EventLevel.Informational, (long)ClrTraceEventParser.Keywords.GC)],
        CollectionsBufferMegabytes,
        requestRundown: false,
        requestStackwalk: false);

    /// <summary>What had been compiled when it is stopped.</summary>
    internal static EventPipeSessionConfiguration Rundown { get; } = new(
        [new EventPipeProvider("Microsoft-Windows-DotNETRuntime", EventLevel.Critical, 0)],
        BufferMegabytes,
        rundownKeyword: Code | (long)ClrTraceEventParser.Keywords.StartEnumeration,
        requestStackwalk: false);

    /// <exception cref="DiagnosticsClientException">The runtime does not want to, or is gone.</exception>
    internal static EventStream Start(DiagnosticsClient client, EventPipeSessionConfiguration configuration)
    {
        try
        {
            return new EventStream(client, client.StartEventPipeSession(configuration));
        }
        catch (UnsupportedCommandException)
        {
            return new EventStream(client, client.StartEventPipeSession(AsBefore9(configuration)));
        }
    }

    // .NET 8 gives a stack with each event, and says of its code what it wants: more than we need, never less.
    private static EventPipeSessionConfiguration AsBefore9(EventPipeSessionConfiguration configuration) => new(
        configuration.Providers, configuration.CircularBufferSizeInMB, requestRundown: configuration == Rundown);

    /// <summary>Asks the runtime to end the stream, on another thread: it answers when everything has been read.</summary>
    internal void StopSoon() => new Thread(Stop) { IsBackground = true, Name = "managed stop" }.Start();

    /// <summary>Reads until the stream ends or breaks off.</summary>
    internal void Read(ClrEvents events, Action<string> note) => Read(_session.EventStream, events, note);

    /// <summary>Reads until the stream ends or breaks off.</summary>
    internal void Read(GcEvents events, Action<string> note) =>
        Read(_session.EventStream, events.Subscribe, note, "its garbage collector's pauses");

    /// <summary>Reads a stream until it ends or breaks off.</summary>
    /// <param name="stream">In nettrace format.</param>
    /// <param name="events">Takes what it tells.</param>
    /// <param name="note">Called with what went wrong.</param>
    internal static void Read(Stream stream, ClrEvents events, Action<string> note) =>
        Read(stream, events.Subscribe, note, "methods");

    private static void Read(Stream stream, Action<TraceEventDispatcher> subscribe, Action<string> note, string what)
    {
        var lost = 0;
        try
        {
            using var source = new EventPipeEventSource(stream);
            subscribe(source);
            try
            {
                source.Process();
            }
            finally
            {
                lost = source.EventsLost;
            }
        }
        catch (Exception error)
        {
            // The bytes are another process's: whatever the parser makes of them ends this stream and nothing else.
            note($"the events of its runtime broke off ({OneLine(error)}): the last of {what} may be missing");
        }

        if (lost > 0)
        {
            note($"its runtime lost {lost} events: some of {what} may be missing");
        }
    }

    /// <summary>Hangs up. The stream is closed before the session is: that asks the runtime to stop, which answers when what
    /// it has left is written, to where nobody reads.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 0)
        {
            _session.EventStream.Dispose();
            _session.Dispose();
        }
    }

    internal static bool IsExpected(Exception error) => error
        is ServerNotAvailableException or DiagnosticsClientException or IOException or SocketException
        or TimeoutException or ObjectDisposedException or UnauthorizedAccessException or InvalidOperationException
        or NotSupportedException or FormatException
        || (error is AggregateException { InnerException: { } inner } && IsExpected(inner));

    internal static string OneLine(Exception error) =>
        string.Concat(error.Message.Take(200).Select(c => char.IsControl(c) ? ' ' : c));

    private void Stop()
    {
        try
        {
            _session.Stop();
        }
        catch (Exception error) when (IsExpected(error))
        {
            // it has ended
        }
    }
}
