using NativeHeap.Analysis;
using NativeHeap.Collect.Sessions;
using NativeHeap.Graph.Objects;
using NativeHeap.Managed.Heaps;
using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Cli;

/// <summary>What <c>objects</c> is asked.</summary>
internal sealed record ObjectsQuestion
{
    /// <summary>The objects of this type one by one; null: all types, counted.</summary>
    public string? Type { get; init; }

    /// <summary>Only objects of which this is true; null: all.</summary>
    public IObjectCondition? Condition { get; init; }

    /// <summary>Of those only the ones that the program can still reach, or (false) cannot any more; null: both.</summary>
    public bool? IsReached { get; init; }

    /// <summary>What grew.</summary>
    public bool IsGrowth { get; init; }

    /// <summary>Since which snapshot (TRACE@S); null: the one before.</summary>
    public string? Since { get; init; }

    /// <summary>Asks a process or a core dump.</summary>
    /// <exception cref="ToolException">It cannot be looked at, or has no answer.</exception>
    public ObjectCounts AskPicture(HeapTarget target)
    {
        var before = IsGrowth ? Before(target) : null;
        using var picture = target.Take(withRoots: IsReached is not null, out var recorded);
        using (recorded)
        {
            using var types = new TypeStatistics(picture);
            if (Condition is not null && picture.Heap is null)
            {
                picture.ThrowIfGone();
                throw new ToolException($"{picture.Name} runs no .NET; fields can be asked of .NET objects alone", ExitCodes.Target);
            }

            using var reach = IsReached is { } isReached ? new ReachCondition(picture, types, Condition!, isReached) : null;
            var condition = reach ?? Condition;
            var counts = types.Count(condition);
            var instances = Type is null ? null : types.Instances(Type, condition).ToList();
            picture.ThrowIfGone();

            return Answer(counts, before, instances, picture.Name) with
            {
                Notes = picture.Notes,
                Times = picture.Times,
                Stacks = Stacks(instances, recorded?.Snapshot),
                AgeOf = instance => recorded?.Snapshot?.AgeOf(instance.Address),
            };
        }
    }

    /// <summary>Asks a snapshot of a trace.</summary>
    /// <exception cref="ToolException">It cannot be read, or does not know.</exception>
    public ObjectCounts AskTrace(TraceReference reference)
    {
        if (Condition is not null)
        {
            throw new ToolException("a snapshot keeps no fields of objects; ask a process (-p PID) or a core dump", ExitCodes.Usage);
        }

        using var profile = Profile.Open(reference.Path);
        var heap = profile.SnapshotHeap(reference.Moment);
        var counts = TypesOf(profile, heap);
        if (Type is not null and not TypeStatistics.Unknown)
        {
            throw new ToolException(
                $"a snapshot lists native blocks alone (--type \"{TypeStatistics.Unknown}\"); ask a process or a core dump for objects",
                ExitCodes.Usage);
        }

        var before = !IsGrowth ? null : Since is null ? Previous(profile, heap) : Read(Since, heap.Process.Pid);
        var instances = Type is null ? null : heap.Instances();
        return Answer(counts, before, instances, reference.Path) with
        {
            Stacks = Stacks(instances, heap),
            AgeOf = instance => heap.AgeOf(instance.Address),
        };
    }

    // Of the same process where the trace has it; it may be another run's.
    private static IReadOnlyList<TypeCount> Read(string snapshot, int pid)
    {
        var reference = TraceReference.Parse(snapshot);
        using var profile = Profile.Open(reference.Path);
        var isThere = profile.Processes.Any(process => process.Pid == pid);
        return TypesOf(profile, profile.SnapshotHeap(reference.Moment, isThere ? pid : null));
    }

    private static IReadOnlyList<TypeCount> TypesOf(Profile profile, SnapshotHeap heap) => heap.Types()
        ?? throw new ToolException(
            $"at snapshot {heap.Snapshot.Name ?? $"{heap.Snapshot.Number}"} of {profile.Path} objects of process {heap.Process.Pid} were not counted "
            + $"({profile.WhereTypesAre()}); nativeheap diff compares the blocks of any two",
            ExitCodes.Input);

    private static IReadOnlyList<TypeCount> Previous(Profile profile, SnapshotHeap heap)
    {
        foreach (var snapshot in profile.Snapshots.Where(snapshot => snapshot.Number < heap.Snapshot.Number).Reverse())
        {
            if (profile.SnapshotHeap($"{snapshot.Number}", heap.Process.Pid).Types() is { } types)
            {
                return types;
            }
        }

        throw new ToolException(
            $"{profile.Path} has no earlier snapshot with objects to compare with", ExitCodes.Input);
    }

    private IReadOnlyList<TypeCount> Before(HeapTarget target)
    {
        if (Since is not null)
        {
            return Read(Since, target.Pid ?? 0);
        }

        if (target.Pid is not { } pid)
        {
            throw new ToolException("say since when: --growth=TRACE@NAME", ExitCodes.Usage);
        }

        using var profile = Profile.Open(ControlClient.TracePath(pid));
        foreach (var snapshot in profile.Snapshots.Reverse())
        {
            if (profile.SnapshotHeap($"{snapshot.Number}").Types() is { } types)
            {
                return types;
            }
        }

        throw new ToolException(
            $"there is no snapshot to compare process {pid} with; take one first: nativeheap snapshot -p {pid}", ExitCodes.Target);
    }

    private static Dictionary<int, CallStack> Stacks(IReadOnlyList<ObjectInstance>? instances, SnapshotHeap? heap)
    {
        var stacks = new Dictionary<int, CallStack>();
        foreach (var number in (instances ?? []).Select(instance => instance.Stack).Distinct())
        {
            if (heap?.StackOf(number) is { } known)
            {
                stacks.Add(number, known);
            }
        }

        return stacks;
    }

    /// <summary>Nothing is of a type; something may have a name like it.</summary>
    internal static ToolException NoSuchType(string name, string type, IEnumerable<TypeCount> counts)
    {
        var like = counts.Select(count => count.Type).Where(known => known.Contains(type, StringComparison.OrdinalIgnoreCase))
            .OrderByDescending(known => known.EndsWith("." + type, StringComparison.OrdinalIgnoreCase) && !known.Contains('<', StringComparison.Ordinal))
            .ThenBy(known => known.Length).FirstOrDefault();
        return new ToolException($"{name} has no objects of type {type}{(like is null ? "" : $"; it has {like}")}", ExitCodes.Usage);
    }

    private ObjectCounts Answer(
        IReadOnlyList<TypeCount> counts, IReadOnlyList<TypeCount>? before, IReadOnlyList<ObjectInstance>? instances, string name)
    {
        var rows = before is null ? ObjectCounts.Plain(counts) : ObjectCounts.Between(before, counts);
        if (Type is null)
        {
            return new ObjectCounts { Types = rows };
        }

        if (counts.All(type => type.Type != Type))
        {
            throw NoSuchType(name, Type, counts);
        }

        return new ObjectCounts { Types = [.. rows.Where(row => row.Now.Type == Type)], Instances = instances };
    }
}
