using System.Collections.Concurrent;
using NativeHeap.Collect.Server;
using NativeHeap.Memory.Proc;
using NativeHeap.Trace;
using NativeHeap.Wire;
using Peer = NativeHeap.Collect.Server.Peer;

namespace NativeHeap.Collect.Sessions;

/// <summary>
/// One collector for the programs that others start: each gets a trace of its own, together with what it starts itself.
/// A trace ends with the last of its processes; the listener ends when it is told to.
/// </summary>
/// <remarks>
/// Whom a newcomer belongs to is told by its ancestors: the nearest that is recorded takes it into its trace. A daemon
/// that leaves its parents behind before it executes another program gets a trace of its own.
/// </remarks>
public sealed class Listener : IDisposable
{
    /// <summary>Most traces that are being recorded or written at once; more programs than that run unprofiled.</summary>
    public const int MostTraces = 256;

    private const int MostAncestors = 64;

    private readonly ListenerOptions _options;
    private readonly ListeningPlace _place;
    private readonly PollLoop _poll;
    private readonly Heartbeat _heartbeat = new();
    private readonly ControlServer _server;
    private readonly string _mark;
    private readonly List<Recorded> _recorded = []; // the poll thread's
    private readonly BlockingCollection<Recorded> _ended = [];
    private readonly ManualResetEventSlim _stop = new();
    private readonly CancellationTokenSource _hurried = new();
    private readonly Thread _thread;
    private int _traces;
    private int _faults;

    /// <summary>Listens; programs that start from now on are recorded when <see cref="Run"/> is called.</summary>
    /// <param name="socketPath">Where; at most 107 bytes.</param>
    /// <param name="options">What is done with those that come.</param>
    /// <exception cref="Model.ToolException">The path is another collector's, or cannot be a socket of ours.</exception>
    public Listener(string socketPath, ListenerOptions options)
    {
        _options = options;
        _place = ListeningPlace.Take(socketPath);
        _mark = RegionName.PlaceOf(_place.SocketPath);
        _poll = new PollLoop(Faulted);
        try
        {
            _server = ControlServer.Listen(_place.SocketPath, _poll, new Door(this));
        }
        catch (IOException error)
        {
            _poll.Dispose();
            _heartbeat.Dispose();
            _place.Dispose();
            throw new Model.ToolException(error.Message, Model.ExitCodes.Usage, error);
        }
        _thread = new Thread(ConcludeAll) { IsBackground = true, Name = "conclude" };
    }

    /// <summary>Whether anything went wrong that should not have.</summary>
    public bool HadFaults => Volatile.Read(ref _faults) > 0;

    /// <summary>Records until <see cref="Stop"/>, then ends every trace; the programs go on unprofiled.</summary>
    public void Run()
    {
        _thread.Start();
        _poll.Start();
        using (var ending = new CancellationTokenSource())
        {
            var taking = new Thread(() => TakeOver(ending.Token)) { IsBackground = true, Name = "take over" };
            taking.Start();
            _stop.Wait();
            ending.Cancel();
            taking.Join(); // whom it has called meanwhile is on the way to us
        }
        OnPollThread(() =>
        {
            _server.Stop();
            _recorded.ToList().ForEach(End);
        });
        _ended.CompleteAdding();
        _thread.Join();
    }

    /// <summary>Ends <see cref="Run"/>; the second time, without waiting for names. Any thread.</summary>
    public void Stop()
    {
        if (_stop.IsSet)
        {
            _hurried.Cancel();
        }
        _stop.Set();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _poll.Dispose();
        _server.Dispose();
        _heartbeat.Dispose();
        _place.Dispose();
        _ended.Dispose();
        _stop.Dispose();
        _hurried.Dispose();
    }

    private sealed record Recorded(TraceWriter Writer, TraceSession Trace);

    // ---- poll thread ----

    private Recorded? FindTrace(int pid)
    {
        for (var i = 0; i < MostAncestors && pid > 1; i++)
        {
            if (_recorded.Find(recorded => recorded.Trace.Host.Knows(pid)) is { } found)
            {
                return found;
            }
            pid = new ProcessReader(pid).ReadStat()?.ParentPid ?? 0;
        }
        return null;
    }

    private Recorded? Begin(in HelloRecord hello, int hostPid)
    {
        if (Volatile.Read(ref _traces) >= MostTraces)
        {
            _options.Warn($"{MostTraces} traces are open already: process {hostPid} runs unprofiled");
            return null;
        }
        var process = hostPid == 0 ? null : new ProcessReader(hostPid);
        var command = process?.ReadCommandLine() ?? [];
        var name = Path.GetFileName(process?.ReadExecutable() ?? (command.Count > 0 ? command[0] : ""));
        var pid = hostPid != 0 ? hostPid : (int)Math.Min(hello.Pid, int.MaxValue);
        var newcomer = new Newcomer(pid, name.Length == 0 ? "process" : name, command);
        TraceWriter writer;
        try
        {
            writer = _options.Create(newcomer);
        }
        catch (TraceWriteException error)
        {
            _options.Warn($"{error.Message}; process {pid} runs unprofiled");
            return null;
        }
        Interlocked.Increment(ref _traces);
        // What the first process asks for in its environment holds for its trace.
        var sampleBytes = (long)Math.Min(hello.SampleBytes, long.MaxValue);
        var trace = new TraceSession(
            writer, _poll, _heartbeat, _options.Recording with
            {
                SampleBytes = sampleBytes,
                Mappings = _options.Recording.Mappings || (hello.Flags & WireConstants.HelloMappings) != 0,
            });
        var recorded = new Recorded(writer, trace);
        _options.Describe(trace, newcomer);
        trace.Host.ExpectNoCommand();
        trace.Host.Place = _mark;
        trace.Faulted += () => _poll.Post(() => End(recorded));
        trace.NobodyLeft += () => _poll.Post(() => EndIfEmpty(recorded));
        trace.WriteFailed += error => _options.Warn($"{error.Message}; the program goes on, the trace ends at its last commit");
        _recorded.Add(recorded);
        trace.Start();
        return recorded;
    }

    // Whoever was welcomed meanwhile has a region, and is known to this thread at once.
    private void EndIfEmpty(Recorded recorded)
    {
        if (recorded.Trace.Host.LiveRegions == 0)
        {
            End(recorded);
        }
    }

    private void End(Recorded recorded)
    {
        if (_recorded.Remove(recorded))
        {
            recorded.Trace.Host.LetGo();
            _ended.Add(recorded);
        }
    }

    // A fault of the thread that all share cannot be laid at anybody's door; everybody is recorded on.
    private void Faulted(Exception fault)
    {
        Interlocked.Increment(ref _faults);
        _options.Warn("a fault of NativeHeap itself: " + fault);
    }

    private void OnPollThread(Action action)
    {
        using var done = new ManualResetEventSlim();
        _poll.Post(() =>
        {
            action();
            done.Set();
        });
        done.Wait();
    }

    // ---- the thread that takes over ----

    private void TakeOver(CancellationToken ending)
    {
        try
        {
            _options.TakeOver?.Invoke(_mark, ending);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            Faulted(error);
        }
    }

    // ---- the thread that ends traces ----

    private void ConcludeAll()
    {
        foreach (var recorded in _ended.GetConsumingEnumerable())
        {
            Conclude(recorded);
            Interlocked.Decrement(ref _traces);
        }
    }

    private void Conclude(Recorded recorded)
    {
        using var writer = recorded.Writer;
        using (recorded.Trace)
        {
            if (recorded.Trace.SawAnyProcess)
            {
                Conclude(recorded.Trace);
                return;
            }
        }
        writer.Abandon(); // whoever it was for did not wait
    }

    private void Conclude(TraceSession trace)
    {
        try
        {
            _options.Conclude(trace, _hurried.Token);
        }
        catch (TraceWriteException error)
        {
            if (trace.WriteFailure is null)
            {
                _options.Warn($"{error.Message}; the trace ends at its last commit");
            }
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            Faulted(trace.Fault ?? error); // the trace ends at its last commit, the others go on
        }
    }

    // What the server sees of us.
    private sealed class Door(Listener listener) : IServerHost
    {
        private readonly Dictionary<SharedRegion, Recorded> _arriving = [];

        public (SharedRegion? Region, WelcomeStatus Status) Welcome(in HelloRecord hello, Peer peer)
        {
            var known = peer.Pid == 0 ? null : listener.FindTrace(peer.Pid);
            if ((known ?? listener.Begin(hello, peer.Pid)) is not { } recorded)
            {
                peer.Process.Dispose();
                return (null, WelcomeStatus.Refused);
            }
            var (region, status) = recorded.Trace.Host.Welcome(hello, peer);
            if (region is not null)
            {
                _arriving.Add(region, recorded);
            }
            else if (known is null)
            {
                listener.End(recorded);
            }
            return (region, status);
        }

        public void Welcomed(SharedRegion region, bool sent)
        {
            _arriving.Remove(region, out var recorded);
            recorded!.Trace.Host.Welcomed(region, sent);
            if (!sent && !recorded.Trace.SawAnyProcess)
            {
                listener.End(recorded);
            }
        }

        public void Request(ControlRequest request)
        {
            var pid = (int)Math.Min(request.Record.Pid, int.MaxValue);
            if (listener._recorded.Find(recorded => recorded.Trace.Host.Knows(pid)) is { } found)
            {
                found.Trace.Host.Request(request);
            }
            else
            {
                request.Answer(RequestResult.UnknownPid, "");
            }
        }
    }
}
