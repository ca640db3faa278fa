using NativeHeap.Collect.Server;
using NativeHeap.Memory;
using NativeHeap.Memory.Proc;
using NativeHeap.Model;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Attaching;

/// <summary>
/// Has the processes come to a listening collector that one before it has recorded at the same socket: their shim is called
/// as <c>nativeheap attach</c> calls it, and goes to the socket where it was. Whom that is about is told by the memory that
/// a process still has mapped from then (<see cref="RegionName"/>); it takes no note of any of them to be kept anywhere.
/// </summary>
/// <param name="say">Told of every process that has come, and of those that were left alone.</param>
/// <param name="warn">Told of every process that could not be called.</param>
public sealed class Takeover(Action<string> say, Action<string> warn)
{
    // While they are called, some fork. Whom nobody can call may fork for ever.
    private const int MostRounds = 4;
    private const string Library = "libnativeheap.so";
    private const string Deleted = " (deleted)";

    // Nobody waits long for one whose threads are all busy; it comes once more when the others are served.
    private static readonly TimeSpan FirstPatience = TimeSpan.FromMilliseconds(300);

    private sealed record Candidate(int Pid, ulong StartTicks, string Shim, ulong ShimInode);

    /// <summary>Calls them, one after the other, parents before their children: those then come into one trace. Blocks.</summary>
    /// <param name="place">What stands for the socket in the names of regions.</param>
    /// <param name="ending">Ends it early; a call that has begun is waited for.</param>
    public void Run(string place, CancellationToken ending)
    {
        var called = new HashSet<(int, ulong)>();
        for (var round = 0; round < MostRounds && !ending.IsCancellationRequested; round++)
        {
            var found = Find(place).Where(candidate => called.Add((candidate.Pid, candidate.StartTicks)))
                .OrderBy(candidate => candidate.StartTicks).ThenBy(candidate => candidate.Pid).ToList();
            if (found.Count == 0)
            {
                return;
            }

            var late = found.Where(candidate => !ending.IsCancellationRequested && TryCall(candidate, FirstPatience, ending) is not null);
            foreach (var candidate in late.ToList().TakeWhile(_ => !ending.IsCancellationRequested))
            {
                // One that has ended meanwhile, or is another program now, is nobody's any more.
                if (TryCall(candidate, ShimLoader.Choosing, ending) is { } problem && !ending.IsCancellationRequested
                    && TryRead(place, candidate.Pid) == candidate)
                {
                    warn($"not taken over: {problem}");
                }
            }
        }
    }

    private static List<Candidate> Find(string place) =>
    [
        .. ProcessReader.ProcessIds().Where(pid => pid != Environment.ProcessId)
            .Select(pid => TryRead(place, pid)).OfType<Candidate>(),
    ];

    // Null: it is not one of them, or we may not look.
    private static Candidate? TryRead(string place, int pid)
    {
        var reader = new ProcessReader(pid);
        if (reader.ReadStat() is not { IsZombie: false } stat || reader.ReadMappings() is not { } mappings
            || !mappings.Any(mapping => RegionName.Parse(mapping.Path) is { IsOurs: false } name && name.Place == place))
        {
            return null;
        }

        return mappings.FirstOrDefault(mapping => Path.GetFileName(Plain(mapping.Path)) == Library) is { } shim
            ? new Candidate(pid, stat.StartTicks, shim.Path, shim.Inode)
            : null;
    }

    private static string Plain(string path) =>
        path.EndsWith(Deleted, StringComparison.Ordinal) ? path[..^Deleted.Length] : path;

    // Null: there is nothing more to be done.
    private string? TryCall(Candidate candidate, TimeSpan patience, CancellationToken ending)
    {
        try
        {
            var target = AttachTarget.ExamineLoaded(candidate.Pid);
            // A runtime would load what stands at that path now; a thread can be made to use what is loaded.
            target = IsReplaced(candidate) ? target with { Way = AttachWay.Ptrace } : target;
            var (result, report) = new ShimLoader(target, Plain(candidate.Shim)).Again(patience, ending);
            return Tell(candidate, target, result, report);
        }
        catch (ToolException error)
        {
            return error.Message;
        }
    }

    private static bool IsReplaced(Candidate candidate) =>
        FileStatus.TryRead($"/proc/{candidate.Pid}/root{candidate.Shim}", out _)?.Inode != candidate.ShimInode;

    private string? Tell(Candidate candidate, AttachTarget target, AttachResult result, AttachReport report)
    {
        var name = string.Concat(target.Name.Select(c => char.IsControl(c) ? '?' : c));
        switch (result)
        {
            case AttachResult.Done:
                say($"took over process {candidate.Pid} ({name}){report.Text}");
                return null;
            case AttachResult.Paused:
                say($"process {candidate.Pid} ({name}) was paused and is left alone; nativeheap attach -p {candidate.Pid} records it");
                return null;
            case AttachResult.AlreadyRecording or AttachResult.NotRecording:
                return null; // somebody was faster
            default:
                return $"process {candidate.Pid} {ShimLoader.Words(result)}";
        }
    }
}
