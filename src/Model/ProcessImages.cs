namespace NativeHeap.Model;

/// <summary>The images of a process: what one exec after another made of it.</summary>
public static class ProcessImages
{
    /// <summary>For each image the one that followed it in its process; null for the last.</summary>
    /// <param name="processes">All images of a trace, by id.</param>
    public static IReadOnlyList<ProcessInfo?> Successors(IReadOnlyList<ProcessInfo> processes)
    {
        ArgumentNullException.ThrowIfNull(processes);
        var successors = new ProcessInfo?[processes.Count];
        var later = new Dictionary<(int Pid, int Image), ProcessInfo>();
        for (var i = processes.Count - 1; i >= 0; i--)
        {
            var image = processes[i];
            if (image.Ending == ProcessEnding.Exec
                && later.TryGetValue((image.Pid, image.Image + 1), out var next)
                && next.Origin == ProcessOrigin.Exec)
            {
                successors[i] = next;
            }

            later[(image.Pid, image.Image)] = image; // of a pid that came again, the nearest
        }

        return successors;
    }

    /// <summary>For each image the last one of its process: the one whose end is the process's.</summary>
    /// <param name="processes">All images of a trace, by id.</param>
    public static IReadOnlyList<ProcessInfo> Last(IReadOnlyList<ProcessInfo> processes)
    {
        var successors = Successors(processes);
        var last = processes.ToArray();
        for (var i = last.Length - 1; i >= 0; i--)
        {
            if (successors[i] is { } next)
            {
                last[i] = last[next.Id.Value - 1]; // a successor's id is larger
            }
        }

        return last;
    }
}
