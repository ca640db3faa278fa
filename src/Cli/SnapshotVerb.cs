using System.CommandLine;
using NativeHeap.Model;

namespace NativeHeap.Cli;

/// <summary><c>snapshot</c>: marks a point in a running trace.</summary>
internal static class SnapshotVerb
{
    public static Verb Create()
    {
        var verb = new Verb(
            "snapshot",
            "Marks a point in a running trace, to be read later as TRACE@NAME.",
            "nativeheap snapshot -p 4711 --name before");
        verb.SetAction(int (ParseResult _) => throw new ToolException("snapshot is not there yet", ExitCodes.Fault));
        return verb;
    }
}
