using NativeHeap.Managed;
using NativeHeap.Model;

namespace NativeHeap.Cli;

/// <summary>
/// Names the .NET frames of stacks whose trace is still being written: it names them when it is closed, the process's
/// runtime can name them now. Lines are the trace's alone. For one thread.
/// </summary>
internal static class LiveNames
{
    /// <summary>Gives names to frames that have none, as far as the runtime knows them.</summary>
    /// <param name="pid">The process, which lives.</param>
    /// <param name="stacks">Stacks of it.</param>
    public static IReadOnlyList<CallStack> Name(int pid, IReadOnlyList<CallStack> stacks)
    {
        var addresses = stacks.SelectMany(stack => stack.Frames).Where(IsNameless)
            .Select(frame => frame.Location.Offset).Distinct().Order().ToList();
        if (addresses.Count == 0)
        {
            return stacks;
        }

        var code = new CodeMap();
        using var lookup = new RuntimeLookup(pid, code);
        lookup.Find(addresses);
        using var namer = new MethodNamer();
        var names = addresses.ToDictionary(
            address => address,
            address => code.Find(address, ulong.MaxValue / 2) is { } owner ? namer.Name(code, owner, address).Function : null);
        return [.. stacks.Select(stack => stack with { Frames = [.. stack.Frames.Select(Named)] })];

        Frame Named(Frame frame) => IsNameless(frame) && names[frame.Location.Offset] is { } name
            ? frame with
            {
                Location = frame.Location with { Kind = FrameKind.Managed },
                Name = new ResolvedFrame(name, null, null, false),
            }
            : frame;
    }

    private static bool IsNameless(Frame frame) => frame is { Marker: null, Name: null, Location.Module: null };
}
