using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Present.Exports;

/// <summary>
/// A trace as Parquet: a folder for each relation, in it a file for each trace, so that a folder with many traces is one
/// data set. Relations and columns are those of the trace itself with names in place of numbers (docs/parquet.md).
/// </summary>
public sealed class ParquetExport : IDisposable
{
    private readonly TraceReader _trace;
    private readonly string _folder;
    private readonly string _name;
    private readonly List<ParquetTable> _tables = [];
    private readonly List<Task> _finishing = [];

    private ParquetExport(TraceReader trace, string folder, string name)
    {
        _trace = trace;
        _folder = folder;
        _name = name;
    }

    /// <summary>Writes a trace.</summary>
    /// <param name="path">The trace.</param>
    /// <param name="folder">The data set; made when it is not there.</param>
    /// <param name="force">What it has of the trace may be replaced.</param>
    /// <returns>What the trace is called in the column <c>trace</c>.</returns>
    /// <exception cref="ToolException">The trace cannot be read (4), is there already or cannot be written (2).</exception>
    public static string Write(string path, string folder, bool force)
    {
        using var trace = TraceReader.Open(path);
        var name = NameOf(trace);
        if (File.Exists(folder))
        {
            throw new ToolException($"{folder} is a file; Parquet needs a folder, one file for each relation", ExitCodes.Usage);
        }

        if (!force && File.Exists(Path.Combine(folder, "trace", name + ".parquet")))
        {
            throw new ToolException($"{folder} has this trace already ({name}); --force replaces it", ExitCodes.Usage);
        }

        try
        {
            using var export = new ParquetExport(trace, folder, name);
            export.WriteAll();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ToolException($"{folder} cannot be written: {error.Message}", ExitCodes.Usage, error);
        }

        return name;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Task.WhenAll(_finishing).ContinueWith(_ => { }, TaskScheduler.Default).Wait(); // nobody uses a table any more
        _tables.ForEach(table => table.Dispose());
    }

    // Traces of one name from several machines or days meet in one data set.
    private static string NameOf(TraceReader trace) =>
        $"{Path.GetFileNameWithoutExtension(trace.Path)}-{trace.Info.StartUnixNs ?? 0:x}";

    private void WriteAll()
    {
        WriteProcesses();
        WriteThreads();
        WritePlaces();
        WriteStacks();
        new ParquetCosts(_trace, Table).WriteAll();
        WriteTrace();
        FinishLast();
        Task.WhenAll(_finishing).GetAwaiter().GetResult();
        _tables.ForEach(table => table.Publish()); // the relation "trace" last: who is in it is there whole
    }

    // Relations are read one after the other: while the next one is, the last is encoded and compressed.
    private void FinishLast()
    {
        if (_tables.Count > 0)
        {
            _finishing.Add(Task.Run(_tables[^1].Finish));
        }
    }

    private ParquetTable Table(string relation, params ParquetColumn[] columns)
    {
        FinishLast();
        var table = ParquetTable.Create(_folder, relation, _name, columns);
        _tables.Add(table);
        return table;
    }

    private void WriteTrace()
    {
        var info = _trace.Info;
        TextColumn path = new("path"), tool = new("tool_version"), command = new("command"), host = new("host");
        OptionalColumn start = new("start_unix_ns"), end = new("end_ns"), bucket = new("bucket_ns"), sample = new("sample_bytes");
        NumberColumn exact = new("exact"), complete = new("complete"), lost = new("lost_events");
        var table = Table("trace", path, tool, command, host, start, end, bucket, exact, sample, complete, lost);
        path.Add(Path.GetFullPath(_trace.Path));
        tool.Add(info.ToolVersion);
        command.Add(string.Join(' ', info.Command));
        host.Add(info.Host);
        start.Add(info.StartUnixNs);
        end.Add(info.EndNs);
        bucket.Add(info.BucketNs);
        exact.Add(info.Exact ? 1 : 0);
        sample.Add(info.Exact ? null : info.SampleBytes);
        complete.Add(info.Complete ? 1 : 0);
        lost.Add(info.LostEvents);
        table.EndRow();
    }

    private void WriteProcesses()
    {
        NumberColumn id = new("process_id"), pid = new("pid"), image = new("image");
        OptionalColumn parent = new("parent_id"), parentPid = new("parent_pid");
        TextColumn origin = new("origin"), command = new("command"), executable = new("executable"), ending = new("ending");
        NumberColumn start = new("start_ns"), complete = new("complete");
        OptionalColumn end = new("end_ns"), code = new("exit_code"), signal = new("signal");
        var totals = TotalColumns.Select(column => new NumberColumn(column.Name)).ToArray();
        var table = Table(
            "process",
            [id, pid, image, parent, parentPid, origin, command, executable, start, end, ending, code, signal, complete, .. totals]);
        foreach (var process in _trace.Processes)
        {
            id.Add(process.Id.Value);
            pid.Add(process.Pid);
            image.Add(process.Image);
            parent.Add(process.ParentId?.Value);
            parentPid.Add(process.ParentPid);
            origin.Add(Word(process.Origin));
            command.Add(process.Command);
            executable.Add(process.Executable);
            start.Add(process.StartNs);
            end.Add(process.EndNs);
            ending.Add(process.Ending is { } how ? Word(how) : null);
            code.Add(process.ExitCode);
            signal.Add(process.Signal);
            complete.Add(process.Complete ? 1 : 0);
            foreach (var (column, value) in totals.Zip(TotalColumns))
            {
                column.Add(value.Of(process.Totals));
            }

            table.EndRow();
        }
    }

    private static IReadOnlyList<(string Name, Func<Totals, long> Of)> TotalColumns { get; } =
    [
        ("allocations", t => t.Allocations), ("frees", t => t.Frees), ("allocated_bytes", t => t.AllocatedBytes),
        ("freed_bytes", t => t.FreedBytes), ("live_blocks", t => t.LiveBlocks), ("live_bytes", t => t.LiveBytes),
        ("peak_bytes", t => t.Peak.Bytes), ("peak_blocks", t => t.Peak.Blocks), ("peak_time_ns", t => t.Peak.TimeNs),
        ("peak_low_bytes", t => t.Peak.LowBytes), ("peak_high_bytes", t => t.Peak.HighBytes),
        ("temporary_allocations", t => t.TemporaryAllocations), ("inherited_frees", t => t.InheritedFrees),
        ("earlier_frees", t => t.EarlierFrees),
        ("foreign_frees", t => t.ForeignFrees), ("missed_calls", t => t.MissedCalls),
    ];

    private void WriteThreads()
    {
        NumberColumn id = new("thread_id"), process = new("process_id"), tid = new("tid"), start = new("start_ns");
        NumberColumn allocations = new("allocations"), bytes = new("allocated_bytes");
        TextColumn name = new("name");
        var table = Table("thread", id, process, tid, name, start, allocations, bytes);
        foreach (var row in _trace.Threads())
        {
            id.Add(row.Id);
            process.Add(row.Process.Value);
            tid.Add(row.Tid);
            name.Add(row.Name);
            start.Add(row.StartNs);
            allocations.Add(row.Allocations);
            bytes.Add(row.AllocatedBytes);
            table.EndRow();
        }
    }

    // A place without a name has one row too, so that joining loses no stack.
    private void WritePlaces()
    {
        NumberColumn id = new("location_id"), position = new("position"), offset = new("offset"), inlined = new("inlined");
        TextColumn function = new("function"), file = new("file"), module = new("module"), build = new("build_id"), kind = new("kind");
        OptionalColumn line = new("line");
        var table = Table("frame", id, position, function, file, line, inlined, module, build, offset, kind);
        for (var i = 1; i <= _trace.Locations.Count; i++)
        {
            var place = _trace.Locations[new LocationId(i)];
            var names = _trace.Locations.Names(new LocationId(i));
            for (var at = 0; at < Math.Max(1, names.Count); at++)
            {
                var name = at < names.Count ? names[at] : null;
                id.Add(i);
                position.Add(at);
                function.Add(name?.Function ?? (place.Kind == FrameKind.Entry ? ((EntryPoint)(int)place.Offset).Name() : null));
                file.Add(name?.File);
                line.Add(name?.Line);
                inlined.Add(name?.Inlined == true ? 1 : 0);
                module.Add(place.Module?.Path);
                build.Add(place.Module?.BuildId);
                offset.Add(unchecked((long)place.Offset));
                kind.Add(place.Kind.Name());
                table.EndRow();
            }
        }
    }

    private void WriteStacks()
    {
        NumberColumn id = new("stack_id"), parent = new("parent_id"), location = new("location_id");
        var table = Table("stack", id, parent, location);
        for (var i = 1; i <= _trace.Stacks.Count; i++)
        {
            id.Add(i);
            parent.Add(_trace.Stacks.Parent(new StackId(i)).Value);
            location.Add(_trace.Stacks.Location(new StackId(i)).Value);
            table.EndRow();
        }
    }

    private static string Word<T>(T value)
        where T : struct, Enum => value.ToString().ToLowerInvariant();
}
