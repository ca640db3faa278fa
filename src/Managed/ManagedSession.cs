using Microsoft.Diagnostics.NETCore.Client;

namespace NativeHeap.Managed;

/// <summary>
/// Listens to one .NET process by its diagnostic port and keeps its <see cref="CodeMap"/>. Works on a thread of its own;
/// nobody waits for it but in <see cref="Finish"/>. Whatever goes wrong ends it with a note, and what was learned stays.
/// </summary>
public sealed class ManagedSession : IDisposable
{
    private const int StartStepMs = 20;
    private const string PortsVariable = "DOTNET_DiagnosticPorts";

    private static readonly TimeSpan EndPatience = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan RundownPatience = TimeSpan.FromSeconds(10);

    private readonly CancellationTokenSource _ending = new();
    private readonly ManualResetEventSlim _over = new();
    private readonly Lock _gate = new();
    private readonly List<string> _notes = [];
    private readonly List<IDisposable> _open = []; // closed by Dispose, which ends whoever reads
    private volatile bool _isConnected;
    private readonly ClrEvents _events;

    private ManagedSession(int pid) => _events = new ClrEvents(Code, pid);

    /// <summary>The process, as it said itself, or as we were told; 0 as long as nobody did.</summary>
    public int Pid => _events.Pid;

    /// <summary>What its code was.</summary>
    public CodeMap Code { get; } = new();

    /// <summary>What its garbage collector did. Any thread.</summary>
    public GcEvents Collections { get; } = new();

    /// <summary>A runtime was reached. Any thread.</summary>
    public bool IsConnected => _isConnected;

    /// <summary>Nothing more will be learned. Any thread.</summary>
    public bool IsOver => _over.IsSet;

    /// <summary>Why methods may be missing, a line each. Any thread.</summary>
    public IReadOnlyList<string> Notes
    {
        get
        {
            lock (_gate)
            {
                return [.. _notes];
            }
        }
    }

    /// <summary>
    /// Waits for a runtime that is started with <c>DOTNET_DiagnosticPorts=PATH,suspend</c>, begins to listen before it
    /// runs any method, and lets it run. The runtime copied its environment when it started and gives that copy to the
    /// processes it starts: there the variable is set to what the user had, or they would wait for us, too.
    /// </summary>
    /// <param name="socketPath">A path that does not exist yet; when this returns, a socket listens there, so that the
    /// target may be started. Who made the folder removes it.</param>
    /// <param name="usersPorts">Says what the user had in that variable, null when it was not set; called on the session's
    /// thread while the runtime waits. Null: it was not set.</param>
    /// <param name="beforeResume">Called on the session's thread when everything is recorded and the runtime still waits;
    /// null: nothing is to be done. Whatever it throws is noted, and the runtime runs.</param>
    /// <returns>A session that listens.</returns>
    /// <exception cref="IOException">No socket can be made there.</exception>
    public static ManagedSession Listen(
        string socketPath, Func<string?>? usersPorts = null, Action? beforeResume = null)
    {
        ArgumentNullException.ThrowIfNull(socketPath);
        var port = new ReversePort(socketPath);
        var session = new ManagedSession(0);
        session._open.Add(port);
        session.Start(() => session.Serve(port, usersPorts, beforeResume));
        return session;
    }

    /// <summary>Listens to a runtime that runs: first to what it compiles from now on, then to what it had compiled.
    /// Returns at once; never stops the process.</summary>
    /// <param name="pid">The process, in our pid namespace.</param>
    public static ManagedSession Attach(int pid)
    {
        var session = new ManagedSession(pid);
        session.Start(() => session.Join(pid));
        return session;
    }

    /// <summary>Whether a process has a runtime that can be listened to now.</summary>
    /// <param name="pid">In our pid namespace.</param>
    public static bool CanAttach(int pid) => DefaultPort.Exists(pid);

    /// <summary>Waits until everything that the process told is taken in: it has ended, or is asked to say the rest.</summary>
    /// <param name="patience">At most so long.</param>
    public void Finish(TimeSpan patience)
    {
        if (!_isConnected)
        {
            Note("its runtime never came to tell its methods (DOTNET_EnableDiagnostics=0, or it ended too early)");
            _ending.Cancel();
        }

        if (!_over.Wait(EndPatience))
        {
            StopStreams(); // it lives on
        }

        if (!_over.Wait(patience))
        {
            Note("its runtime did not end its events in time: methods may be missing");
            Close();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_over.IsSet)
        {
            _ending.Cancel();
            Close();
        }
    }

    private void Note(string text)
    {
        const int most = 20;
        lock (_gate)
        {
            if (_notes.Count < most && !_notes.Contains(text))
            {
                _notes.Add(text);
            }
        }
    }

    private void Start(Action work) => InBackground("managed", () => Run(work));

    private void Run(Action work)
    {
        try
        {
            work();
        }
        catch (OperationCanceledException)
        {
            // nobody came
        }
        catch (Exception error) when (EventStream.IsExpected(error))
        {
            NoteRefused(error);
        }
        finally
        {
            Close();
            _over.Set();
        }
    }

    private void Serve(ReversePort port, Func<string?>? usersPorts, Action? beforeResume)
    {
        var client = port.Accept(_ending.Token);
        Thread? methods = null;
        Thread? collections = null;
        try
        {
            methods = ListenToMethods(EventStream.Start(client, EventStream.Live));
            collections = ListenToCollections(client);
        }
        catch (Exception error) when (EventStream.IsExpected(error))
        {
            NoteRefused(error);
        }

        Prepare(() => client.SetEnvironmentVariable(PortsVariable, usersPorts?.Invoke()));
        Prepare(beforeResume);
        ReversePort.Resume(client);
        methods?.Join();
        collections?.Join(RundownPatience);
    }

    // A stream is read from the moment it is open, whatever else is asked of the runtime meanwhile: one that ends waits until
    // all of its streams are read, and does not answer while it waits.
    private Thread ListenToMethods(EventStream stream)
    {
        _isConnected = true;
        Hold(stream);
        return InBackground("managed methods", () =>
        {
            stream.Read(_events, Note);
            HangUp(stream); // it may have broken off, and the runtime waits until somebody reads or hangs up
        });
    }

    private void HangUp(EventStream stream)
    {
        try
        {
            stream.Dispose();
        }
        catch (Exception error) when (EventStream.IsExpected(error))
        {
            NoteRefused(error);
        }
    }

    private static Thread InBackground(string name, Action work)
    {
        var thread = new Thread(() => work()) { IsBackground = true, Name = name };
        thread.Start();
        return thread;
    }

    // Where it cannot be, methods are still told.
    private Thread? ListenToCollections(DiagnosticsClient client)
    {
        try
        {
            var stream = EventStream.Start(client, EventStream.Collections);
            Hold(stream);
            return InBackground("managed collections", () => stream.Read(Collections, Note));
        }
        catch (Exception error) when (EventStream.IsExpected(error))
        {
            Note($"its runtime does not tell of its garbage collector ({EventStream.OneLine(error)})");
            return null;
        }
    }

    private void Prepare(Action? beforeResume)
    {
        try
        {
            beforeResume?.Invoke();
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            Note($"could not be prepared before it ran ({EventStream.OneLine(error)})");
        }
    }

    private void Join(int pid)
    {
        if (DefaultPort.Connect(pid, _ending.Token) is not { } client)
        {
            Note("its runtime has no diagnostic port (DOTNET_EnableDiagnostics=0, or it ended too early)");
            return;
        }

        var methods = ListenToMethods(StartPatiently(client, pid));
        var before = InBackground("managed rundown", () => ReadRundown(client, pid));
        var collections = ListenToCollections(client);
        methods.Join();
        collections?.Join(RundownPatience);
        before.Join(RundownPatience);
    }

    // A runtime that is just starting may hang up.
    private EventStream StartPatiently(DiagnosticsClient client, int pid)
    {
        const int most = 20;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return EventStream.Start(client, EventStream.Live);
            }
            catch (Exception error) when (EventStream.IsExpected(error) && attempt < most && DefaultPort.Exists(pid))
            {
                _ending.Token.WaitHandle.WaitOne(StartStepMs);
                _ending.Token.ThrowIfCancellationRequested();
            }
        }
    }

    private void ReadRundown(DiagnosticsClient client, int pid)
    {
        try
        {
            var stream = EventStream.Start(client, EventStream.Rundown);
            Hold(stream);
            stream.StopSoon();
            stream.Read(new ClrEvents(Code, pid), Note);
        }
        catch (Exception error) when (EventStream.IsExpected(error))
        {
            Note($"its runtime did not tell what it had compiled before ({EventStream.OneLine(error)})");
        }
    }

    private void NoteRefused(Exception error) =>
        Note($"its runtime could not be asked for names ({EventStream.OneLine(error)})");

    private void Hold(EventStream opened)
    {
        lock (_gate)
        {
            _open.Add(opened);
        }

        if (_ending.IsCancellationRequested)
        {
            opened.Dispose();
        }
    }

    private void StopStreams()
    {
        lock (_gate)
        {
            foreach (var stream in _open.OfType<EventStream>())
            {
                stream.StopSoon();
            }
        }
    }

    private void Close()
    {
        IDisposable[] opened;
        lock (_gate)
        {
            opened = [.. _open];
            _open.Clear();
        }

        foreach (var item in opened)
        {
            item.Dispose();
        }
    }
}
