using NativeHeap.Analysis;
using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Present.Exports;

/// <summary>A trace as exports see it that hold what was allocated and what is live side by side.</summary>
internal sealed class ExportSource
{
    private readonly Profile _profile;
    private readonly int? _pid;
    private readonly Lazy<IReadOnlyList<SampleUsage>> _samples;

    /// <param name="profile">The trace.</param>
    /// <param name="pid">Only the processes of this pid; null: all.</param>
    public ExportSource(Profile profile, int? pid)
    {
        _profile = profile;
        _pid = pid;
        _samples = new Lazy<IReadOnlyList<SampleUsage>>(() => profile.Samples(pid));
        Totals = profile.Totals(pid);
        Stacks = profile.Stacks;
    }

    /// <summary>The trace's own words.</summary>
    public TraceInfo Info => _profile.Info;

    /// <summary>What was recorded of each stack, process and thread; made as they are enumerated.</summary>
    public IReadOnlyList<SampleUsage> Samples => _samples.Value;

    /// <summary>The stacks by number.</summary>
    public StackTree Stacks { get; }

    /// <summary>Blocks by stack, birth and death, by process.</summary>
    public IEnumerable<BlockGroup> Blocks => _profile.Blocks(_pid);

    /// <summary>Totals over all samples.</summary>
    public Totals Totals { get; }

    /// <summary>How long was recorded.</summary>
    public long DurationNs => Totals.DurationNs;

    /// <summary>Bytes between two samples on average; 1 when every allocation was recorded.</summary>
    public long PeriodBytes => Info.SampleBytes is { } bytes and > 0 ? bytes : 1;

    /// <summary>Whether figures are exact, in words.</summary>
    public string Remark => Info.Exact ? "exact: every allocation was recorded" : Figures.Remark;

    /// <summary>The program that was started, when stacks run through it.</summary>
    public Binary? Program => _profile.Processes[0].Executable is { } path
        ? Enumerable.Range(0, Stacks.FrameCount).Select(i => Stacks.Frame(i).Location.Module)
            .FirstOrDefault(module => module?.Path == path)
        : null;

    /// <summary>
    /// About how much of the live bytes is resident, 0 to 1: the resident memory of the heap at the last look over the live
    /// bytes of its process. Null: nobody looked, or several processes are asked about.
    /// </summary>
    public double? ResidentShare
    {
        get
        {
            var first = _profile.Processes[0];
            if (_profile.Ledger is not { } ledger || _profile.Processes.Any(p => p.Pid != first.Pid && (_pid is null || p.Pid == _pid)))
            {
                return null;
            }

            var heap = ledger.Parts.Where(part => LedgerParts.IsNativeHeap(part.Name) || part.Name is "heap" or "heap: live").Sum(part => part.Bytes);
            return heap > 0 && Totals.LiveBytes > 0 ? Math.Min(1, (double)heap / Totals.LiveBytes) : null;
        }
    }
}
