using NativeHeap.Model;

namespace NativeHeap.Collect.Raw;

/// <summary>
/// Makes a recording of raw files: what was written to them is put into rings again, some milliseconds of all rings at a
/// time, and drained as if it happened now.
/// </summary>
public sealed class RawConversion
{
    private const ulong StepNs = 10_000_000;
    private const int StepsEachCommit = 25;

    private readonly Recording _recording;
    private readonly List<Source> _waiting;
    private readonly List<Source> _open = [];
    private readonly List<ProcessId> _processes = [];
    private ulong _nowNs;
    private ulong _sampleBytes;

    /// <summary>A conversion that has not begun.</summary>
    /// <param name="recording">A new one. Stays the caller's.</param>
    /// <param name="files">One or more; the caller's.</param>
    public RawConversion(Recording recording, IEnumerable<RawFile> files)
    {
        ArgumentNullException.ThrowIfNull(recording);
        _recording = recording;
        _recording.ProcessFound += child => _processes.Add(child.Id);
        _waiting = [.. files.OrderBy(file => file.StartNs).Select(file => new Source(file))];
        _nowNs = EndNs = _waiting[0].File.StartNs;
    }

    /// <summary>CLOCK_MONOTONIC of the last event.</summary>
    public ulong EndNs { get; private set; }

    /// <summary>Reads all of them.</summary>
    /// <param name="areRunning">Whether processes still write: their ends are not here.</param>
    /// <param name="cancellation">Breaks off.</param>
    /// <exception cref="ToolException">A file cannot be read.</exception>
    /// <exception cref="Trace.TraceWriteException">The trace cannot be written.</exception>
    public void Run(bool areRunning, CancellationToken cancellation)
    {
        try
        {
            for (var step = 1; _waiting.Count > 0 || _open.Count > 0; step++)
            {
                cancellation.ThrowIfCancellationRequested();
                Advance();
                if (step % StepsEachCommit == 0)
                {
                    _recording.Commit();
                }
            }
        }
        finally
        {
            _open.ForEach(source => source.Memory!.ShowEnd());
        }
        _recording.DrainOnce();
        foreach (var process in _processes)
        {
            if (areRunning)
            {
                _recording.Note(process, "may still have been running when its file was read");
            }
            else
            {
                _recording.NoteEnd(process, ProcessEnding.Unknown, EndNs);
            }
        }
        _recording.DrainOnce();
    }

    private void Advance()
    {
        Drain(_nowNs);
        var nextFile = _waiting.Count > 0 ? _waiting[0].File.StartNs : ulong.MaxValue;
        if (nextFile <= _nowNs)
        {
            Start(_waiting[0]);
            _waiting.RemoveAt(0);
            return;
        }
        foreach (var source in _open.Where(source => source.Rings.All(ring => ring.HasEnded)).ToList())
        {
            source.Memory!.ShowEnd();
            _open.Remove(source);
        }
        var next = _open.SelectMany(source => source.Rings).Min(ring => ring.NextNs);
        _nowNs = Math.Min(next is { } moment ? Math.Max(moment, _nowNs + StepNs) : ulong.MaxValue, nextFile);
    }

    // Everything up to a moment.
    private void Drain(ulong untilNs)
    {
        if (_open.Count == 0)
        {
            return;
        }
        _recording.Tick(untilNs);
        _open.ForEach(source => source.Memory!.ShowSlots(untilNs));
        bool more;
        do
        {
            more = false;
            foreach (var source in _open)
            {
                foreach (var ring in source.Rings)
                {
                    more |= ring.Feed(source.File, source.Memory!, untilNs);
                    EndNs = Math.Max(EndNs, ring.LastNs);
                }
            }
            _recording.DrainOnce();
        }
        while (more);
    }

    private void Start(Source source)
    {
        var (memory, rings) = source.File.ReadRegion();
        if (_processes.Count > 0 && source.File.SampleBytes != _sampleBytes)
        {
            memory.Dispose();
            throw new ToolException(
                $"{source.File.Path} was sampled otherwise than the files before it: figures of one trace have one meaning", ExitCodes.Input);
        }
        _sampleBytes = source.File.SampleBytes;
        source.Memory = memory;
        source.Rings = rings;
        _open.Add(source);
        var command = source.File.Command;
        _processes.Add(_recording.Attach(memory, new ProcessIntroduction(
            source.File.Pid,
            source.File.ParentPid,
            source.File.StartNs,
            command.Count == 0 ? null : string.Join(' ', command),
            source.File.Executable,
            _processes.Count == 0 ? ProcessOrigin.Run : ProcessOrigin.Spawn)));
    }

    private sealed class Source(RawFile file)
    {
        public RawFile File => file;

        public RawMemory? Memory { get; set; }

        public RawRing[] Rings { get; set; } = [];
    }
}
