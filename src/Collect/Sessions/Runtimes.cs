using NativeHeap.Managed;
using NativeHeap.Model;

namespace NativeHeap.Collect.Sessions;

/// <summary>The .NET runtimes of a recording's processes, and who listens to each. On the drain's thread, or when that
/// has ended.</summary>
internal sealed class Runtimes : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    private const long MuteMs = 500;

    private readonly Dictionary<ProcessId, int> _pids = [];
    private readonly Dictionary<ProcessId, long> _seenMs = [];
    private readonly RuntimeLookups _lookups = new();
    private readonly Dictionary<ProcessId, ManagedSession> _sessions = [];
    private readonly ManagedSession? _commands;
    private bool _isExpected;

    /// <param name="commands">Waits for the command's own runtime; owned from now on. Null: nobody does.</param>
    public Runtimes(ManagedSession? commands)
    {
        _commands = commands;
        _isExpected = commands is not null;
    }

    /// <summary>The command's pid; 0 as long as it is not known.</summary>
    public int CommandPid { get; set; }

    /// <summary>Remembers what a process's pid is for us.</summary>
    public void Know(ProcessId process, int hostPid) => _pids[process] = hostPid;

    /// <summary>A runtime was seen in a process: from now on somebody listens to it.</summary>
    /// <param name="process">The process.</param>
    /// <param name="isCertain">False: only if one can be reached. A program that has it linked in shows none.</param>
    public void Seen(ProcessId process, bool isCertain)
    {
        if (_sessions.ContainsKey(process) || !_pids.TryGetValue(process, out var pid)
            || (!isCertain && !ManagedSession.CanAttach(pid)))
        {
            return;
        }

        _seenMs.Add(process, Environment.TickCount64);
        var isCommand = _isExpected && pid == CommandPid;
        _isExpected &= !isCommand;
        _sessions.Add(process, isCommand ? _commands! : ManagedSession.Attach(pid));
    }

    /// <summary>An address in code that no binary covers was seen.</summary>
    public void CodeSeen(ProcessId process, ulong address)
    {
        if (_sessions.TryGetValue(process, out var session) && !session.IsConnected)
        {
            _lookups.Add(process, address);
        }
    }

    /// <summary>Has those looked after whose runtime tells nothing. Every now and then, while they live.</summary>
    public void LookUp() => _lookups.Run(process => IsMute(process) ? (_pids[process], _sessions[process].Code) : null);

    /// <summary>Hands on what garbage collectors have told so far. Every now and then, and at the end.</summary>
    public void TakeCollections(Recording recording)
    {
        foreach (var (process, session) in _sessions)
        {
            while (session.Collections.TryTakePause(out var pause))
            {
                recording.AddPause(process, pause);
            }

            while (session.Collections.TryTakeSize(out var size))
            {
                recording.AddGauge(process, size.TimeNs, LedgerGauges.GcUsed, size.Bytes);
            }
        }
    }

    /// <summary>Takes in what runtimes still have to tell.</summary>
    /// <param name="note">Called with what a process's trace should say of it.</param>
    public void Finish(Action<ProcessId, string> note)
    {
        var end = Environment.TickCount64 + (long)Patience.TotalMilliseconds;
        foreach (var (process, session) in _sessions)
        {
            session.Finish(TimeSpan.FromMilliseconds(Math.Max(1, end - Environment.TickCount64)));
            if (_lookups.Finish(process) is { } problem)
            {
                note(process, problem);
            }

            foreach (var text in session.Notes)
            {
                note(process, text);
            }
        }
    }

    /// <summary>What is known of a process's code; null: nothing.</summary>
    public CodeMap? CodeOf(ProcessId process) => _sessions.GetValueOrDefault(process)?.Code;

    // Whoever runs code and has not come to the port it was told of does not come any more.
    private bool IsMute(ProcessId process) =>
        !_sessions[process].IsConnected
        && (_sessions[process].IsOver || Environment.TickCount64 - _seenMs[process] > MuteMs);

    /// <inheritdoc/>
    public void Dispose()
    {
        _lookups.Dispose();
        _commands?.Dispose();
        foreach (var session in _sessions.Values)
        {
            session.Dispose();
        }
    }
}
