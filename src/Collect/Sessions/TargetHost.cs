using System.Globalization;
using NativeHeap.Collect.Checks;
using NativeHeap.Collect.Launching;
using NativeHeap.Collect.Server;
using NativeHeap.Memory.Proc;
using NativeHeap.Model;
using NativeHeap.Wire;
using Peer = NativeHeap.Collect.Server.Peer;

namespace NativeHeap.Collect.Sessions;

/// <summary>
/// Gives targets their regions and follows their processes to the end. Everything about the recording is posted to the
/// drain's thread; the rest happens on the poll thread.
/// </summary>
internal sealed class TargetHost : IServerHost, IDisposable
{
    private static readonly TimeSpan RootPatience = TimeSpan.FromSeconds(1);

    private readonly Recording _recording;
    private readonly PollLoop _poll;
    private readonly DrainLoop _drain;
    private readonly Heartbeat _heartbeat;
    private readonly ResidentSampler _sampler;
    private readonly ProcessTracker _tracker;
    private readonly SnapshotRequests _requests;
    private readonly ProcessMappings _mappings;
    private readonly Runtimes _runtimes;
    private readonly SessionOptions _options; // of every region: figures of one trace have one meaning
    private readonly Dictionary<SharedRegion, Arrival> _arriving = []; // the poll thread's
    private readonly HashSet<int> _awaited = []; // the poll thread's: welcomed, and not yet followed
    private readonly Dictionary<IRegionMemory, Image> _images = []; // the drain's
    private readonly ManualResetEventSlim _rootKnown = new();
    private TargetRoot? _root;
    private bool _rootSaidHello; // the poll thread's
    private bool _awaitsRuntime; // the poll thread's, once it runs
    private Action<WaitStatus?>? _orphanEnded; // the poll thread's
    private readonly Dictionary<ProcessId, int> _hostPids = []; // the drain's
    private ProcessId? _rootId; // the drain's: the command's latest image
    private int _regions;
    private int _liveRegions;

    public TargetHost(
        Recording recording,
        ProcessMappings mappings,
        Runtimes runtimes,
        PollLoop poll,
        DrainLoop drain,
        Heartbeat heartbeat,
        ResidentSampler sampler,
        SessionOptions options,
        string tracePath)
    {
        _options = options;
        _mappings = mappings;
        _runtimes = runtimes;
        _recording = recording;
        _poll = poll;
        _drain = drain;
        _heartbeat = heartbeat;
        _sampler = sampler;
        _tracker = new ProcessTracker(poll);
        _requests = new SnapshotRequests(drain, tracePath);
        recording.ProcessFound += Found;
        recording.RuntimeSeen += runtimes.Seen;
        recording.CodeSeen += runtimes.CodeSeen;
        recording.ProcessLeft += Left;
    }

    private sealed record Arrival(ProcessIntroduction Introduction, Peer Peer, TimeSpan? Age);

    private sealed record Image(string RegionName, ulong BornNs, bool IsElsewhere);

    /// <summary>Processes that asked for a region and got none. Any thread.</summary>
    public int Refused { get; private set; }

    /// <summary>Whether any process said hello. Any thread.</summary>
    public bool SawAny => Volatile.Read(ref _regions) > 0;

    /// <summary>Regions that somebody has mapped. Any thread.</summary>
    public int LiveRegions => Volatile.Read(ref _liveRegions);

    /// <summary>Checks heaps; null: nobody does. Before anything happens.</summary>
    public HeapChecks? Checks
    {
        get => _requests.Checks;
        set => _requests.Checks = value;
    }

    /// <summary>Has the command's .NET runtime wait for us at its start. Before the command is started.</summary>
    public void AwaitRuntime() => _awaitsRuntime = true;

    /// <summary>Tells who the command is. Any thread, once.</summary>
    public void Start(TargetRoot root)
    {
        _root = root;
        _rootKnown.Set();
    }

    /// <summary>There is no command of ours: processes come by themselves. Before any does.</summary>
    public void ExpectNoCommand() => _rootKnown.Set();

    /// <summary>Whether a process is recorded here. Poll thread.</summary>
    /// <param name="pid">In our pid namespace.</param>
    public bool Knows(int pid) => _awaited.Contains(pid) || _tracker.Watches(pid);

    /// <summary>The process with most resident memory; null: none is recorded. On the drain's thread.</summary>
    public (ProcessId Id, int Pid)? FindLargest() => _requests.FindLargest();

    /// <summary>Does not follow processes any more; afterwards nothing of it runs on the poll thread. Poll thread.</summary>
    public void LetGo() => _tracker.Dispose();

    /// <inheritdoc/>
    public (SharedRegion? Region, WelcomeStatus Status) Welcome(in HelloRecord hello, Peer peer)
    {
        var (region, status) = Make(hello);
        if (region is null)
        {
            Refused++;
            peer.Process.Dispose();
            return (null, status);
        }
        // The target waits for our answer, so what it is can still be read.
        _rootKnown.Wait(RootPatience);
        Checks?.Follow(peer.Pid);
        _arriving.Add(region, new Arrival(Introduce(hello, peer.Pid), peer, AgeOf(peer.Pid)));
        return (region, status);
    }

    /// <inheritdoc/>
    public void Welcomed(SharedRegion region, bool sent)
    {
        _arriving.Remove(region, out var arrival);
        if (!sent)
        {
            region.Dispose();
            arrival!.Peer.Process.Dispose();
            return;
        }
        _regions++;
        if (arrival!.Peer.Pid != 0)
        {
            _awaited.Add(arrival.Peer.Pid);
        }
        _drain.Post(_ => Attach(region, arrival));
    }

    /// <summary>Where processes come by themselves (<see cref="RegionName.Place"/>); null: they do not. Before anything
    /// happens.</summary>
    public string? Place { get; set; }

    /// <summary>Ends the recording because somebody wants it to end; null: nobody but its owner may. Before anything
    /// happens; called on the poll thread.</summary>
    public Action? DetachAsked { get; set; }

    /// <inheritdoc/>
    public void Request(ControlRequest request)
    {
        if (request.Record.Kind == (uint)RequestKind.Detach && DetachAsked is not null)
        {
            request.Answer(RequestResult.Done, "");
            DetachAsked();
            return;
        }
        _requests.Take(request);
    }

    /// <summary>The command ended, null: nobody could tell how. Poll thread.</summary>
    public void RootEnded(WaitStatus? status)
    {
        var now = Heartbeat.Clock();
        _sampler.Remove(_root!.Pid);
        _drain.Post(recording =>
        {
            AttachMissingRoot();
            NoteEnd(recording, _rootId!.Value, now, status);
            _requests.Forget(_root.Pid);
        });
    }

    /// <summary>Follows the command, whose supervisor was killed, as any process: by its pidfd. Poll thread, once.</summary>
    public void FollowOrphan(Action<WaitStatus?> ended)
    {
        _orphanEnded = ended;
        _tracker.Watch(_root!.Pid, Libc.OpenProcess(_root.Pid), Orphaned);
    }

    /// <summary>Waits for descendants that have begun to end; their ends are posted to the drain before
    /// <paramref name="done"/> is called. Any thread.</summary>
    public void WhenLeft(TimeSpan patience, Action done) => _poll.Post(() => _tracker.WhenLeft(patience, done));

    /// <summary>The command has a row in the trace, and the first one, even when the shim never said hello. On the drain's thread, or when that has ended.</summary>
    public void AttachMissingRoot()
    {
        if (_rootId is not null || _root is null)
        {
            return;
        }
        var region = Create(RegionSize.Smallest, _root.StartNs)
            ?? throw new IOException($"no memory for a region: {Libc.ErrorText}");
        Adopt(region);
        var introduction = new ProcessIntroduction(
            _root.Pid, null, _root.StartNs, _root.Command, null, ProcessOrigin.Run);
        _rootId = _recording.Attach(region, introduction);
        // Whether it allocated is not known, so the trace must not look complete.
        region.MarkUnrecorded();
        _recording.Note(_rootId.Value, "was not recorded: the shim in it never said hello");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _root?.Process.Dispose();
        _rootKnown.Dispose();
    }

    private (SharedRegion? Region, WelcomeStatus Status) Make(in HelloRecord hello)
    {
        if (_drain.Failure is not null)
        {
            return (null, WelcomeStatus.Refused);
        }
        var layouts = RegionSize.Fitting(hello.RegionLimit).ToList();
        if (layouts.Count == 0)
        {
            return (null, WelcomeStatus.TooSmall);
        }
        if (CreateLargest(layouts) is not { } region)
        {
            return (null, WelcomeStatus.Refused); // out of descriptors or memory
        }
        // The command is the supervisor's only child but us. One runtime: that of the program it was started as.
        if (_awaitsRuntime && hello.ParentPid == (uint)SupervisorLink.Pid)
        {
            _awaitsRuntime = false;
            region.AwaitRuntime();
        }

        region.View.AskForSignal(_options.Snapshots.Signal);
        Checks?.Prepare(region.View);
        Adopt(region);
        return (region, WelcomeStatus.Accepted);
    }

    // Under a hard limit of the address space the collector has less room than the target.
    private SharedRegion? CreateLargest(IEnumerable<RegionLayout> layouts) =>
        layouts.Select(layout => Create(layout, Heartbeat.Clock())).FirstOrDefault(region => region is not null);

    private SharedRegion? Create(RegionLayout layout, ulong clockNs) =>
        SharedRegion.Create(layout, NextName(), (ulong)_options.SampleBytes, clockNs, _options.Mappings);

    private void Adopt(SharedRegion region)
    {
        Interlocked.Increment(ref _liveRegions);
        _heartbeat.Add(region.View);
        region.Released += () =>
        {
            _heartbeat.Remove(region.View);
            Interlocked.Decrement(ref _liveRegions);
        };
    }

    private string NextName() => RegionName.Next(Place);

    // How long a process has been running; null when that is not known.
    private static TimeSpan? AgeOf(int hostPid)
    {
        const ulong tickNs = 10_000_000; // USER_HZ is 100
        return hostPid != 0 && new ProcessReader(hostPid).ReadStat()?.StartTicks is { } ticks
            && Libc.BootClock() is var now && now >= ticks * tickNs
            ? TimeSpan.FromSeconds((now - (ticks * tickNs)) / 1e9)
            : null;
    }

    private void NoteBlocksBefore(ProcessId process, TimeSpan? age) => _recording.Note(process, string.Create(
        CultureInfo.InvariantCulture,
        $"recording began {(age is { } known ? $"{known.TotalSeconds:f1} s after the program's start" : "in the midst of its run")}; blocks from before are unknown"));

    private ProcessIntroduction Introduce(in HelloRecord hello, int hostPid)
    {
        var reader = hostPid == 0 ? null : new ProcessReader(hostPid);
        var isRoot = hostPid == _root?.Pid && !_rootSaidHello;
        _rootSaidHello |= isRoot;
        return new ProcessIntroduction(
            (int)Math.Min(hello.Pid, int.MaxValue),
            hello.ParentPid is 0 or > int.MaxValue ? null : (int)hello.ParentPid,
            Math.Min(hello.StartNs, Heartbeat.Clock()),
            reader?.ReadCommandLine() is { Count: > 0 } words ? string.Join(' ', words) : null,
            reader?.ReadExecutable(),
            isRoot ? ProcessOrigin.Run : (hello.Flags & WireConstants.HelloAttached) != 0 ? ProcessOrigin.Attach : ProcessOrigin.Spawn);
    }

    private void Attach(SharedRegion region, Arrival arrival)
    {
        var (introduction, peer, age) = arrival;
        var isRoot = peer.Pid == _root?.Pid;
        if (!isRoot)
        {
            AttachMissingRoot();
        }
        // Children may be found in it as long as it lives, also when the process that said hello has ended long ago.
        _images.Add(region, new Image(region.Name, introduction.StartNs, introduction.Pid != peer.Pid));
        _drain.Listen(region.View);
        region.Released += () =>
        {
            _images.Remove(region);
            _drain.Ignore(region.View);
        };
        if (Checks is not null && _recording.FindLiving(introduction.Pid) is { } replaced)
        {
            Checks.Gone(_recording, replaced, executed: true);
        }
        var id = _recording.Attach(region, introduction);
        if (isRoot)
        {
            _rootId = id;
        }
        if (introduction.Origin == ProcessOrigin.Attach)
        {
            NoteBlocksBefore(id, age);
        }
        if (peer.Pid == 0)
        {
            _poll.Post(() => _tracker.WatchNameless(peer.Process, status => Ended(id, 0, status)));
        }
        else
        {
            Follow(id, introduction.Pid, peer.Pid);
            _poll.Post(() =>
            {
                _awaited.Remove(peer.Pid);
                _tracker.Watch(peer.Pid, peer.Process, status => Ended(id, peer.Pid, status));
            });
        }
    }

    private void Follow(ProcessId id, int pid, int hostPid)
    {
        _hostPids[id] = hostPid;
        _sampler.Add(id, hostPid);
        _requests.Know(hostPid, id);
        Checks?.Know(_recording, id, hostPid);
        _mappings.Know(pid, hostPid);
        _runtimes.CommandPid = _root?.Pid ?? 0;
        _runtimes.Know(id, hostPid);
    }

    // A forked child has claimed a slot. The drain's thread.
    private void Found(ForkedProcess child)
    {
        var image = _images[child.Region];
        _poll.Post(() =>
        {
            var hostPid = ProcessTracker.Find(child.Pid, image.RegionName, image.BornNs, image.IsElsewhere);
            if (hostPid is not { } pid)
            {
                Ended(child.Id, 0, null);
                return;
            }
            _drain.Post(recording =>
            {
                // It may be another program by now, which said hello before it was looked for.
                if (recording.FindLiving(child.Pid) == child.Id)
                {
                    Follow(child.Id, child.Pid, pid);
                }
            });
            _tracker.Watch(pid, Libc.OpenProcess(pid), status => Ended(child.Id, pid, status));
        });
    }

    // It was detached and goes on without us; its end, when that comes, is nothing to us. The drain's thread.
    private void Left(ProcessId id)
    {
        Checks?.Gone(_recording, id, executed: false);
        if (_hostPids.Remove(id, out var hostPid))
        {
            _requests.Forget(hostPid);
            _poll.Post(() => _sampler.Remove(hostPid));
        }
    }

    private void Ended(ProcessId id, int hostPid, int? status)
    {
        if (hostPid != 0 && hostPid == _root?.Pid)
        {
            Orphaned(status);
            return;
        }
        var now = Heartbeat.Clock();
        _sampler.Remove(hostPid);
        _drain.Post(recording =>
        {
            _requests.Forget(hostPid);
            NoteEnd(recording, id, now, StatusOf(status));
        });
    }

    // While there is a supervisor, it tells of the command's end, and knows how.
    private void Orphaned(int? status) => _orphanEnded?.Invoke(StatusOf(status));

    private static WaitStatus? StatusOf(int? status) => status is { } known ? WaitStatus.Of((uint)known) : null;

    private void NoteEnd(Recording recording, ProcessId id, ulong now, WaitStatus? status)
    {
        Checks?.Gone(recording, id, executed: false);
        var ending = status is not { } known ? ProcessEnding.Unknown
            : known.ExitCode is null ? ProcessEnding.Signal : ProcessEnding.Exit;
        recording.NoteEnd(id, ending, now, status?.ExitCode, status?.Signal);
    }
}
