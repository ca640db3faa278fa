using NativeHeap.Collect.Stacks;
using NativeHeap.Model;
using NativeHeap.Testing;
using NativeHeap.Trace;

namespace NativeHeap.Collect.Tests.Recordings;

/// <summary>A recording into a file of its own, and what is read back from it.</summary>
internal sealed class Recorder : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly TraceWriter _writer;
    private readonly List<Target> _targets = [];

    public Recorder(IMappingSource? mappings = null)
    {
        Path = _folder["trace.nheap"];
        _writer = TraceWriter.Create(Path);
        Recording = new Recording(_writer, mappings);
        Recording.ProcessFound += Found.Add;
    }

    public string Path { get; }

    public Recording Recording { get; }

    public List<ForkedProcess> Found { get; } = [];

    public ProcessId Attach(Target target, ProcessIntroduction? introduction = null)
    {
        target.Drain = () => Recording.DrainOnce();
        _targets.Add(target);
        var id = Recording.Attach(target.Memory, introduction ?? Target.Introduction());
        Recording.Tick(target.ClockNs);
        return id;
    }

    /// <summary>Lets time pass in every target.</summary>
    public void At(long milliseconds)
    {
        var clock = Target.StartNs + ((ulong)milliseconds * 1_000_000);
        foreach (var target in _targets)
        {
            target.ClockNs = clock;
        }

        Recording.Tick(clock);
    }

    public void End(ProcessId process, ProcessEnding ending = ProcessEnding.Exit, int? code = 0, int? signal = null)
    {
        Recording.NoteEnd(process, ending, _targets.Max(target => target.ClockNs), code, signal);
        Recording.DrainOnce();
    }

    /// <summary>Ends the first process, closes the trace and opens it for reading.</summary>
    public TraceReader Read(params ProcessId[] ending)
    {
        foreach (var process in ending)
        {
            End(process);
        }

        Recording.Close(_targets.Max(target => target.ClockNs));
        return TraceReader.Open(Path);
    }

    public void Dispose()
    {
        Recording.Dispose();
        _writer.Dispose();
        _folder.Dispose();
    }
}
