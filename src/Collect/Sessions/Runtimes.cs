using NativeHeap.Managed;
using NativeHeap.Model;

namespace NativeHeap.Collect.Sessions;

/// <summary>The .NET runtimes of a recording's processes, and who listens to each. On the drain's thread, or when that
/// has ended.</summary>
internal sealed class Runtimes : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    private readonly Dictionary<ProcessId, int> _pids = [];
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
    public void Seen(ProcessId process)
    {
        if (_sessions.ContainsKey(process) || !_pids.TryGetValue(process, out var pid))
        {
            return;
        }

        var isCommand = _isExpected && pid == CommandPid;
        _isExpected &= !isCommand;
        _sessions.Add(process, isCommand ? _commands! : ManagedSession.Attach(pid));
    }

    /// <summary>Takes in what runtimes still have to tell.</summary>
    /// <param name="note">Called with what a process's trace should say of it.</param>
    public void Finish(Action<ProcessId, string> note)
    {
        var end = Environment.TickCount64 + (long)Patience.TotalMilliseconds;
        foreach (var (process, session) in _sessions)
        {
            session.Finish(TimeSpan.FromMilliseconds(Math.Max(1, end - Environment.TickCount64)));
            foreach (var text in session.Notes)
            {
                note(process, text);
            }
        }
    }

    /// <summary>What is known of a process's code; null: nothing.</summary>
    public CodeMap? CodeOf(ProcessId process) => _sessions.GetValueOrDefault(process)?.Code;

    /// <inheritdoc/>
    public void Dispose()
    {
        _commands?.Dispose();
        foreach (var session in _sessions.Values)
        {
            session.Dispose();
        }
    }
}
