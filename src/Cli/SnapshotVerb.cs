using System.CommandLine;
using System.Globalization;
using NativeHeap.Collect.Sessions;
using NativeHeap.Graph.Objects;
using NativeHeap.Model;
using NativeHeap.Trace;

namespace NativeHeap.Cli;

/// <summary><c>snapshot</c>: marks a point in a running trace.</summary>
internal static class SnapshotVerb
{
    public static Verb Create()
    {
        var pid = new Option<int>("--pid", "-p")
        {
            HelpName = "PID",
            Description = "A process that is being recorded.",
            Required = true,
        };
        var name = new Option<string?>("--name")
        {
            HelpName = "NAME",
            Description = "What the point is called; without it, it has a number.",
        };
        var due = new Option<bool>("--due")
        {
            Hidden = true, // a collector asks itself this way: ObjectCounter
        };
        var verb = new Verb(
            "snapshot",
            "Marks a point in a running trace, to be read as TRACE@NAME from then on.",
            "nativeheap snapshot -p 4711 --name before")
        {
            pid, name, due,
        };
        verb.SetAction(result =>
        {
            if (result.GetValue(due))
            {
                TakeDue(result.GetValue(pid));
                return ExitCodes.Success;
            }

            var taken = Take(result.GetValue(pid), NonEmpty(result.GetValue(name)));
            Console.Out.WriteLine(taken);
            Messages.Say($"read it as TRACE@{taken}, for example: nativeheap report TRACE@{taken}");
            return ExitCodes.Success;
        });
        return verb;
    }

    // Objects are counted at the very moment of the snapshot, where the process may be held; else it has its blocks alone.
    private static string Take(int pid, string? name)
    {
        using var recorded = new RecordedHeap(pid, ControlClient.TracePath(pid));
        HeapPicture picture;
        try
        {
            picture = HeapPicture.Take(pid, withRoots: false, _ => recorded.Take(name));
        }
        catch (ToolException error) when (error.ExitCode == ExitCodes.Target && recorded.Snapshot is null)
        {
            var taken = ControlClient.TakeSnapshot(pid, name).Name;
            Messages.Warn($"objects were not counted: {error.Message}");
            return taken;
        }

        using (picture)
        {
            foreach (var note in picture.Notes)
            {
                Messages.Warn(note);
            }

            AddTypes(recorded, picture);
            var snapshot = recorded.Snapshot!.Snapshot;
            return snapshot.Name ?? snapshot.Number.ToString(CultureInfo.InvariantCulture);
        }
    }

    private static void TakeDue(int pid)
    {
        using var recorded = new RecordedHeap(pid, ControlClient.TracePath(pid));
        using var picture = HeapPicture.Take(pid, withRoots: false, _ => recorded.TakeDue());
        AddTypes(recorded, picture);
    }

    private static void AddTypes(RecordedHeap recorded, HeapPicture picture)
    {
        using var types = new TypeStatistics(picture);
        var heap = recorded.Snapshot!;
        TraceAddition.AddTypes(recorded.TracePath, heap.Snapshot.Number, heap.Process.Id, types.Count());
    }

    private static string? NonEmpty(string? name) => name is not null && (name.Length == 0 || name.Any(char.IsControl))
        ? throw new ToolException("a snapshot's name must not be empty and has no control characters", ExitCodes.Usage)
        : name;
}
